"""Carries out `http` jobs: one request within the deadline, the answer captured up to a limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus

import requests

from chalicelib.domain.masking import Masks
from chalicelib.domain.outcome import Failed, Outcome, Succeeded, Waiting
from chalicelib.executors.base import Call
from chalicelib.executors.deadline import stopping_with
from chalicelib.executors.http.answer import judged, kept
from chalicelib.executors.http.auth import ApiKey, OAuth2, SigV4
from chalicelib.executors.http.aws_signature import signed_for_aws
from chalicelib.executors.http.conditions import unmet
from chalicelib.executors.http.exchange import exchanged
from chalicelib.executors.http.making import request_of, with_query
from chalicelib.executors.http.receiving import Body, received
from chalicelib.executors.http.redirects import MAX_REDIRECTS, Request, following, is_same_origin
from chalicelib.executors.http.spec import Config
from chalicelib.executors.http.tokens import TOKENS, Token
from chalicelib.executors.http.transport import Adapter, adapter, private_adapter
from chalicelib.executors.rendering import discreet
from chalicelib.executors.tls import UnusableTLS


def execute(call: Call) -> Outcome:
    """As executors do."""
    started = call.clock.monotonic()
    try:
        with stopping_with(call.stop), _connections(call) as ours:
            return _authenticated(call, ours, request_of(call), started)
    except UnusableTLS as error:
        return Failed("connection", str(error), retryable=False)


@contextmanager
def _connections(call: Call) -> Iterator[Adapter]:
    """The process's, or some of the attempt's own if it has TLS of its own."""
    config: Config = call.config
    if config.tls is None:
        yield adapter(call.settings)
        return
    ours = private_adapter(call.settings, config.tls)
    try:
        yield ours
    finally:
        ours.close()


def _authenticated(call: Call, ours: Adapter, request: Request, started: float) -> Outcome:
    config: Config = call.config
    auth = config.auth
    if auth is None:
        return _followed(call, ours, request, started)
    if isinstance(auth, OAuth2):
        return _with_token(call, ours, request, auth, started)
    if isinstance(auth, SigV4):
        signed, masks = signed_for_aws(call, request, auth)
        return discreet(_followed(call, ours, signed, started), masks)
    if isinstance(auth, ApiKey):
        if auth.place == "query":
            keyed = replace(request, url=with_query(request.url, [(auth.name, auth.value)]))
            return _followed(call, ours, keyed, started)
        return _followed(call, ours, _headed(request, auth.name, auth.value), started)
    return _followed(call, ours, _headed(request, "Authorization", auth.header()), started)


def _with_token(call: Call, ours: Adapter, request: Request, auth: OAuth2, started: float) -> Outcome:
    """With a token that is known, and once more with a new one if the other side does not take that any more."""
    token = TOKENS.token(call, auth, adapter(call.settings))
    if isinstance(token, Failed):
        return token
    outcome = _followed(call, ours, _borne(request, token), started)
    if _is_unauthorized(outcome) and not token.fresh:
        token = TOKENS.token(call, auth, adapter(call.settings), instead_of=token.text)
        if isinstance(token, Failed):
            return token
        outcome = _followed(call, ours, _borne(request, token), started)
    return discreet(outcome, Masks([token.text]))


def _borne(request: Request, token: Token) -> Request:
    return _headed(request, "Authorization", f"Bearer {token.text}")


def _is_unauthorized(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.status == HTTPStatus.UNAUTHORIZED


def _headed(request: Request, name: str, value: str) -> Request:
    """With a header that stays with this origin, like the job's own."""
    return replace(request, headers={**request.headers, name: value})


def _followed(call: Call, ours: Adapter, request: Request, started: float) -> Outcome:
    left = MAX_REDIRECTS if call.config.follow_redirects else 0
    while True:
        found = exchanged(call, ours, request, partial(_read, call, request, left, started))
        if not isinstance(found, Request):
            return found
        request, left = found, left - 1


def _read(
    call: Call, request: Request, left: int, started: float, answer: requests.Response
) -> Outcome | Request:
    """What the answer means, or the request that follows it, of which so many are left."""
    after = following(request, answer.status_code, answer.headers.get("location")) if left else None
    if after is not None and (call.config.tls is None or is_same_origin(request.url, after.url)):
        return after
    return _answered(call, answer, started)


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
