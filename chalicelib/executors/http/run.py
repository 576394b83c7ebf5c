"""Carries out `http` jobs: one request within the deadline, the answer captured up to a limit."""

from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Outcome, Succeeded, Waiting
from chalicelib.executors.base import Call
from chalicelib.executors.deadline import stopping_with
from chalicelib.executors.guard import ForbiddenTarget
from chalicelib.executors.http.answer import judged, kept
from chalicelib.executors.http.conditions import unmet
from chalicelib.executors.http.making import request_of
from chalicelib.executors.http.receiving import Body, received
from chalicelib.executors.http.redirects import MAX_REDIRECTS, Request, following
from chalicelib.executors.http.spec import Config
from chalicelib.executors.http.transport import adapter
from chalicelib.ports.outputs import OutputTooLarge

_MAX_MESSAGE = 300


def execute(call: Call) -> Outcome:
    config: Config = call.config
    started = call.clock.monotonic()
    with stopping_with(call.stop):
        return _exchange(call, request_of(call), MAX_REDIRECTS if config.follow_redirects else 0, started)


def _exchange(call: Call, request: Request, redirects: int, started: float) -> Outcome:
    remaining = call.remaining()
    if remaining <= 0:
        return _late(request)
    try:
        with adapter(call.settings).exchange(_prepared(request), remaining) as response:
            next_request = following(request, response.status_code, response.headers.get("location"))
            if next_request is None or not redirects:
                return _answered(call, response, started)
    except ForbiddenTarget as refusal:
        return Failed("forbidden_target", str(refusal))
    except OutputTooLarge as error:
        return Failed("output", error.message, retryable=False)
    except Unavailable as error:
        return Failed("output", f"The answer could not be stored. {error.message}")
    except (requests.RequestException, HTTPError) as error:
        return _late(request) if _is_timeout(error) else _broken(request, error)
    return _exchange(call, next_request, redirects - 1, started)


def _prepared(request: Request) -> requests.PreparedRequest:
    headers = request.all_headers()
    return requests.Request(request.method, request.url, headers=headers, data=request.body).prepare()


def _answered(call: Call, response: requests.Response, started: float) -> Outcome:
    body = received(call, response)
    limit = call.settings.max_result_bytes
    duration_ms = round((call.clock.monotonic() - started) * 1000)
    result = kept(response.status_code, response.headers, body.content[: limit + 1], limit, duration_ms)
    if body.file:
        result["file"] = body.file
    outcome = judged(call.config, response.headers, result, call.clock.now_ms())
    if isinstance(outcome, Succeeded) and (reason := _unmet(call.config, body)):
        return Failed("condition", reason, response.status_code, result=result)
    if call.callback is not None and isinstance(outcome, Succeeded):
        return Waiting(outcome.result)
    return outcome


def _unmet(config: Config, body: Body) -> str | None:
    return unmet(config.expect, body.content, whole=body.whole) if config.expect else None


def _late(request: Request) -> Failed:
    return Failed("timeout", f"The exchange with {_host(request)} was not over when the time was up.")


def _broken(request: Request, error: Exception) -> Failed:
    message = f"The exchange with {_host(request)} broke off: {_chain(error)[-1]}"
    return Failed("connection", message[:_MAX_MESSAGE])


def _host(request: Request) -> str:
    return urlsplit(request.url).netloc


def _is_timeout(error: Exception) -> bool:
    return any(isinstance(one, (TimeoutError, requests.Timeout, ReadTimeoutError)) for one in _chain(error))


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what led to it, the first cause last."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain
