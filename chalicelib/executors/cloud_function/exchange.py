"""Requests by HTTPS through the `http` type's guarded connections, with a token that is renewed once if refused."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.executors.base import Call
from chalicelib.executors.cloud_function.answers import brief
from chalicelib.executors.cloud_function.targets import HttpTarget
from chalicelib.executors.cloud_function.tokens import TOKENS, Token
from chalicelib.executors.deadline import stopping_with
from chalicelib.executors.guard import ForbiddenTarget
from chalicelib.executors.http.answer import judged, kept
from chalicelib.executors.http.bodies import content
from chalicelib.executors.http.spec import Config as HttpConfig
from chalicelib.executors.http.transport import adapter

MAX_TOKEN_BYTES = 65_536
UNAUTHORIZED, REFUSED = 401, (401, 403)


class Broken(Exception):
    """There was no answer; the failure says why."""

    def __init__(self, failure: Failed) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, of whose body at most a byte more than was asked for is read."""

    status: int
    headers: Any
    body: bytes


def called(call: Call, target: HttpTarget, key: tuple[str, ...], issue: Callable[[], Token]) -> Outcome:
    """Send the request with a token; with a new one, once, if one that was kept is refused."""
    try:
        token = TOKENS.token(key, issue)
        outcome, status = _once(call, target, {"Authorization": f"Bearer {token.text}"})
        if status != UNAUTHORIZED:
            return outcome
        TOKENS.forget(key)
        if not token.is_kept:
            return outcome
        return _once(call, target, {"Authorization": f"Bearer {TOKENS.token(key, issue).text}"})[0]
    except Broken as broken:
        return broken.failure


def called_with(call: Call, target: HttpTarget, headers: dict[str, str]) -> Outcome:
    """Send the request with these headers."""
    try:
        return _once(call, target, headers)[0]
    except Broken as broken:
        return broken.failure


def issued(call: Call, url: str, fields: dict[str, str], name: str) -> dict[str, Any]:
    """A place that issues tokens answers; what it says, with `name` in it. Broken if it says anything else."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer = _sent(call, "POST", url, headers, urlencode(fields).encode(), MAX_TOKEN_BYTES)
    said: dict[str, Any] = {}
    with suppress(ValueError, RecursionError):
        parsed = json.loads(answer.body)
        said = parsed if isinstance(parsed, dict) else {}
    if answer.status == 200 and isinstance(said.get(name), str):
        return said
    place = urlsplit(url).hostname
    why = brief(said.get("error_description") or said.get("error") or f"status {answer.status}", 200)
    if answer.status >= 500 or answer.status == 429:
        raise Broken(Failed("connection", f"{place} issues no token now: {why}", status=answer.status))
    raise Broken(Failed("authentication", f"{place} refuses a token: {why}", status=answer.status))


def _once(call: Call, target: HttpTarget, secret: dict[str, str]) -> tuple[Outcome, int]:
    wanted = HttpConfig(url=target.url)
    body, media_type = content(target.body, "auto")
    ours = {
        "User-Agent": "Chronos/1",
        "Accept-Encoding": "identity",
        "Idempotency-Key": call.run_id,
        **({"Content-Type": media_type} if media_type else {}),
    }
    given = {name.lower() for name in target.headers}
    headers = {name: value for name, value in ours.items() if name.lower() not in given}
    limit, started = call.settings.max_result_bytes, call.clock.monotonic()
    answer = _sent(call, target.method, target.url, {**headers, **target.headers, **secret}, body, limit)
    duration_ms = round((call.clock.monotonic() - started) * 1000)
    result = kept(answer.status, answer.headers, answer.body, limit, duration_ms)
    outcome = judged(wanted, answer.headers, result, call.clock.now_ms())
    if answer.status in REFUSED and isinstance(outcome, Failed):
        message = f"The function refuses the caller: {outcome.message}"
        outcome = Failed("authentication", message, answer.status, result=result)
    return outcome, answer.status


def _sent(
    call: Call, method: str, url: str, headers: dict[str, str], body: bytes | None, limit: int
) -> Answer:
    host, seconds = urlsplit(url).netloc, call.remaining()
    if seconds <= 0:
        raise Broken(Failed("timeout", f"The time was up before {host} was called."))
    prepared = requests.Request(method, url, headers=headers, data=body).prepare()
    try:
        with stopping_with(call.stop), adapter(call.settings).exchange(prepared, seconds) as response:
            return Answer(response.status_code, response.headers, _body(response, limit))
    except ForbiddenTarget as refusal:
        raise Broken(Failed("forbidden_target", str(refusal))) from refusal
    except (requests.RequestException, HTTPError) as error:
        raise Broken(_failure(host, error)) from error


def _body(response: requests.Response, limit: int) -> bytes:
    body = b""
    while len(body) <= limit:
        chunk: bytes = response.raw.read(limit + 1 - len(body), decode_content=False)
        if not chunk:
            break
        body += chunk
    return body


def _failure(host: str, error: Exception) -> Failed:
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    if any(isinstance(each, TimeoutError | requests.Timeout | ReadTimeoutError) for each in chain):
        return Failed("timeout", f"The exchange with {host} was not over when the time was up.")
    return Failed("connection", f"The exchange with {host} broke off: {brief(chain[-1])}")
