"""The gateway's own answers (gateway.yaml) as problem documents: in a template, or put on a deployed API."""

import json
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

import yaml

from infra.paths import INFRA

THROTTLE = {"ThrottlingRateLimit": 200, "ThrottlingBurstLimit": 400}
"""Requests a second and at once, for the whole stage."""
SHARED = {"Access-Control-Allow-Origin": "'*'", "Access-Control-Expose-Headers": "'Retry-After'"}
"""For pages, if the stage names origins at all: the gateway cannot tell which origin is a named one.

Any page may read these answers, as any program may: they say nothing but what is in gateway.yaml, whoever asks.
"""
_HEADER = "gatewayresponse.header."


@cache
def responses() -> dict[str, tuple[int, str, str]]:
    """Response type -> (status or 0, code, detail)."""
    table = yaml.safe_load((INFRA / "gateway.yaml").read_text())
    return {name: (status, code, detail) for name, (status, code, detail) in table.items()}


def document(status: int, code: str, detail: str, request_id: str) -> dict[str, Any]:
    """The problem document, as the API itself writes them."""
    known = {"title": HTTPStatus(status).phrase, "status": status} if status else {"title": "Request failed"}
    return {
        "type": f"urn:chronos:problem:{code}",
        **known,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }


def swagger(shared: Mapping[str, Any]) -> dict[str, Any]:
    """x-amazon-apigateway-gateway-responses. `shared`: headers that they all have."""
    return {name: _response(*row, shared) for name, row in responses().items()}


def shared_if(condition: str) -> dict[str, Any]:
    """The headers for pages, in a template where the condition says that there are such."""
    return {name: {"Fn::If": [condition, value, {"Ref": "AWS::NoValue"}]} for name, value in SHARED.items()}


def apply(client: Any, api_id: str, stage: str, origins: str) -> None:
    """Put the responses and the throttling on an API that was made without them, and redeploy the stage."""
    for name, response in swagger(SHARED if origins else {}).items():
        client.put_gateway_response(restApiId=api_id, responseType=name, **response)
    client.create_deployment(restApiId=api_id, stageName=stage)
    names = {"ThrottlingRateLimit": "rateLimit", "ThrottlingBurstLimit": "burstLimit"}
    client.update_stage(
        restApiId=api_id,
        stageName=stage,
        patchOperations=[
            {"op": "replace", "path": f"/*/*/throttling/{names[key]}", "value": str(value)}
            for key, value in THROTTLE.items()
        ],
    )


def _response(status: int, code: str, detail: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    body = json.dumps(document(status, code, detail, "$context.requestId"), separators=(",", ":"))
    headers = {"Content-Type": "'application/problem+json'", **shared}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = "'1'"
    found: dict[str, Any] = {
        "responseParameters": {_HEADER + name: value for name, value in headers.items()},
        "responseTemplates": {"application/json": body},
    }
    return {"statusCode": str(status), **found} if status else found
