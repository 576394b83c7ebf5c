"""The gateway's own answers (gateway.yaml) as problem documents: in a template, or put on a deployed API."""

import json
from functools import cache
from http import HTTPStatus
from typing import Any

import yaml

from infra.paths import INFRA

THROTTLE = {"ThrottlingRateLimit": 200, "ThrottlingBurstLimit": 400}
"""Requests a second and at once, for the whole stage."""
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


def swagger() -> dict[str, Any]:
    """x-amazon-apigateway-gateway-responses."""
    return {name: _response(*row) for name, row in responses().items()}


def apply(client: Any, api_id: str, stage: str) -> None:
    """Put the responses and the throttling on an API that was made without them, and redeploy the stage."""
    for name, response in swagger().items():
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


def _response(status: int, code: str, detail: str) -> dict[str, Any]:
    body = json.dumps(document(status, code, detail, "$context.requestId"), separators=(",", ":"))
    headers = {_HEADER + "Content-Type": "'application/problem+json'"}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers[_HEADER + "Retry-After"] = "'1'"
    found: dict[str, Any] = {"responseParameters": headers, "responseTemplates": {"application/json": body}}
    return {"statusCode": str(status), **found} if status else found
