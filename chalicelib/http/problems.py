"""Problem documents (RFC 9457), and the one table from errors to statuses."""

import json
from http import HTTPStatus
from typing import Any

from chalicelib.domain.errors import (
    ChronosError,
    Conflict,
    Forbidden,
    Gone,
    IdempotencyKeyReused,
    Invalid,
    Malformed,
    MalformedHeader,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    QuotaExceeded,
    TooManyAttempts,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from chalicelib.domain.instants import rfc3339
from chalicelib.features.base import Response

PROBLEM_JSON = "application/problem+json"
STATUS: dict[type[ChronosError], int] = {
    Malformed: 400,
    MalformedHeader: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    Gone: 410,
    PreconditionFailed: 412,
    PayloadTooLarge: 413,
    UnsupportedMediaType: 415,
    Invalid: 422,
    IdempotencyKeyReused: 422,
    TooManyRequests: 429,
    Unavailable: 503,
}
_HEADERS: dict[type[ChronosError], dict[str, str]] = {
    Unauthorized: {"WWW-Authenticate": 'Bearer realm="chronos"'},
    Unavailable: {"Retry-After": "5"},
}


def status_of(error: ChronosError) -> int:
    """The status that an error is answered by."""
    return STATUS[_kind_of(error)]


def _kind_of(error: ChronosError) -> type[ChronosError]:
    return next(kind for kind in type(error).__mro__ if kind in STATUS)


def problem_of(error: ChronosError, request_id: str) -> Response:
    """What the error looks like to a client. An adapter's own kind of error looks like the kind it belongs to."""
    more: dict[str, Any] = {}
    if isinstance(error, Invalid):
        more["errors"] = [
            {"pointer": problem.pointer, "message": problem.message, "code": problem.code}
            for problem in error.problems
        ]
    if isinstance(error, QuotaExceeded):
        more["quota"] = {
            "name": error.quota,
            "plan": error.plan,
            "limit": error.limit,
            "used": error.used,
            "resets_at": None if error.resets_ms is None else rfc3339(error.resets_ms),
            "usage": "/tenant/usage",
        }
    known = _kind_of(error)
    response = problem(STATUS[known], error.code, error.message, request_id, **more)
    headers = _HEADERS.get(known, {})
    if isinstance(error, TooManyAttempts):
        headers = {"Retry-After": str(error.retry_seconds)}
    return Response(response.body, response.status, headers, PROBLEM_JSON)


def problem(status: int, code: str, detail: str, request_id: str, **more: Any) -> Response:
    """A problem document. `code` is stable; `type` is the same as a URI."""
    document = {
        "type": f"urn:chronos:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
        "request_id": request_id,
    }
    return Response(json.dumps(document, separators=(",", ":")), status, {}, PROBLEM_JSON)


def unexpected(request_id: str) -> Response:
    """A fault of ours. What it was is in the log, under the request's id."""
    return problem(500, "internal_error", "Something went wrong here; the log knows more.", request_id)
