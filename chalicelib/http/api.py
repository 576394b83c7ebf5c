"""The routes on Chalice: events become requests, responses what API Gateway wants, whatever the event."""

import binascii
from base64 import b64decode
from collections.abc import Callable
from secrets import token_hex
from typing import Any

from chalice.app import Chalice
from chalice.app import Response as ChaliceResponse
from pydantic import BaseModel

from chalicelib.domain.errors import Malformed, MethodNotAllowed, NotFound
from chalicelib.features.base import BODILESS, Response
from chalicelib.http.headers import SECURITY, STAGE_PREFIX
from chalicelib.http.pipeline import Incoming, Pipeline, Services
from chalicelib.http.problems import problem_of, unexpected
from chalicelib.http.table import RouteTable

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Registered for every path, so that the gateway leaves 405, HEAD and OPTIONS to us."""
_EVENT = {
    "multiValueQueryStringParameters": None,
    "headers": None,
    "pathParameters": None,
    "stageVariables": None,
    "body": None,
}


class Api(Chalice):  # type: ignore[misc]
    """A Chalice app whose every answer, also Chalice's own, is one of ours."""

    def __init__(self, table: RouteTable, services: Callable[[], Services]) -> None:
        super().__init__(app_name="chronos", configure_logs=False, env={})
        self.table = table
        self._pipeline = Pipeline(table, services)
        for path in table:
            self.route(path, name=path, methods=list(METHODS), content_types=[])(self._view)

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        request_id = _request_id(event, context)
        refused = self._refused(event, request_id)
        if refused is not None:
            return _wire(refused, request_id)
        known = {"requestContext": {**event["requestContext"], "requestId": request_id}}
        answer: dict[str, Any] = super().__call__({**_EVENT, **event, **known}, context)
        if answer["headers"].get("X-Request-Id") != request_id:  # Chalice's own: our view was not reached
            return _wire(unexpected(request_id), request_id)
        return answer

    def _refused(self, event: Any, request_id: str) -> Response | None:
        """What cannot be given to Chalice: it would raise, or answer in its own words."""
        context = event.get("requestContext") if isinstance(event, dict) else None
        if not isinstance(context, dict):
            return problem_of(Malformed("This is no request of API Gateway."), request_id)
        if str(context.get("resourcePath")) not in self._pipeline.table:
            return problem_of(NotFound("There is no such path."), request_id)
        if context.get("httpMethod") not in METHODS:
            return problem_of(MethodNotAllowed("This method is not offered."), request_id)
        return None

    def _view(self, **path: str) -> ChaliceResponse:
        request = self.current_request
        event = request.to_original_event()
        request_id = _request_id(event, self.lambda_context)
        try:
            body = _body(event)
        except Malformed as error:
            return _chalice(problem_of(error, request_id), request_id)
        incoming = Incoming(
            method=request.method,
            route=request.path,
            request_id=request_id,
            path=path,
            query=event["multiValueQueryStringParameters"] or {},
            headers={name.lower(): str(value) for name, value in (event["headers"] or {}).items()},
            body=body,
            address=_address(event),
        )
        return _chalice(self._pipeline.answer(incoming), request_id)


def _request_id(event: Any, context: Any) -> str:
    """API Gateway's id of the request, the function's, or a new one."""
    gateway = event.get("requestContext") if isinstance(event, dict) else None
    given = gateway.get("requestId") if isinstance(gateway, dict) else None
    return str(given or getattr(context, "aws_request_id", None) or token_hex(16))


def _address(event: dict[str, Any]) -> str:
    """Where the gateway saw the request come from."""
    identity = event["requestContext"].get("identity")
    return str(identity.get("sourceIp") or "") if isinstance(identity, dict) else ""


def _body(event: dict[str, Any]) -> bytes:
    body = event["body"] or b""
    if isinstance(body, bytes):
        return body
    if not isinstance(body, str):
        raise Malformed("The body is no text.")
    try:
        return b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, ValueError):
        raise Malformed("The body is not well encoded.") from None


def _text(body: BaseModel | str | None) -> str:
    if isinstance(body, BaseModel):
        return body.model_dump_json()
    return body or ""


def _headers(response: Response, request_id: str) -> dict[str, str]:
    headers = {**SECURITY, "X-Request-Id": request_id, **response.headers}
    if headers.get("Location", "").startswith("/"):
        headers["Location"] = STAGE_PREFIX + headers["Location"]
    if response.status not in BODILESS:
        headers["Content-Type"] = response.content_type
    return headers


def _chalice(response: Response, request_id: str) -> ChaliceResponse:
    return ChaliceResponse(_text(response.body), _headers(response, request_id), response.status)


def _wire(response: Response, request_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = _chalice(response, request_id).to_dict()
    return answer
