"""OAuth2 tokens for a client's own credentials: fetched when needed, kept in this process while they are good."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import requests

from chalicelib.domain.outcome import Failed
from chalicelib.executors.base import Call
from chalicelib.executors.http.answer import retry_after
from chalicelib.executors.http.auth import OAuth2
from chalicelib.executors.http.exchange import exchanged, late
from chalicelib.executors.http.redirects import Request
from chalicelib.executors.http.transport import Adapter

MARGIN_SECONDS, UNTOLD_SECONDS, MOST_SECONDS = 30.0, 300.0, 86_400.0
"""A token is not used in its last moments; if nothing is said of its life, or too much, it is so long."""
_MOST, _DOORS, _NAP_SECONDS = 500, 16, 0.5
_MAX_ANSWER = 65_536
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_CODE = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Token:
    """`fresh`: it was fetched just now."""

    text: str = field(repr=False)
    until: float
    fresh: bool = True


class Tokens:
    """Those of a process, for all threads: whoever wants the same one waits for the first to fetch it."""

    def __init__(self) -> None:
        self._known: dict[str, Token] = {}
        self._changing, self._doors = Lock(), tuple(Lock() for _ in range(_DOORS))

    def token(
        self, call: Call, auth: OAuth2, adapter: Adapter, *, instead_of: str | None = None
    ) -> Token | Failed:
        """A good one, another than `instead_of`, which the other side did not take."""
        key = _key(call.tenant, auth)
        door = self._doors[hash(key) % _DOORS]
        while not door.acquire(timeout=min(_NAP_SECONDS, max(0.0, call.remaining()))):
            if call.remaining() <= 0 or call.stop.is_wanted:
                return late(_request(auth))
        try:
            known = self._known.get(key)
            if known and known.text != instead_of and call.clock.monotonic() < known.until:
                return Token(known.text, known.until, fresh=False)
            found = _fetched(call, auth, adapter)
            if isinstance(found, Token):
                self._remember(key, found)
            return found
        finally:
            door.release()

    def forget(self) -> None:
        """All of them."""
        with self._changing:
            self._known.clear()

    def _remember(self, key: str, token: Token) -> None:
        with self._changing:
            self._known.pop(key, None)
            self._known[key] = token
            if len(self._known) > _MOST:
                del self._known[next(iter(self._known))]


TOKENS = Tokens()


def _key(tenant: str, auth: OAuth2) -> str:
    """Of everything that a token depends on; no secret can be read from it."""
    return hashlib.sha256(json.dumps([tenant, auth.model_dump()]).encode()).hexdigest()


def _request(auth: OAuth2) -> Request:
    form = {"grant_type": "client_credentials"}
    if auth.scopes:
        form["scope"] = " ".join(auth.scopes)
    if auth.audience:
        form["audience"] = auth.audience
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if auth.credentials_in == "body":
        form |= {"client_id": auth.client_id, "client_secret": auth.client_secret}
    else:
        both = f"{quote_plus(auth.client_id)}:{quote_plus(auth.client_secret)}"
        headers["Authorization"] = f"Basic {b64encode(both.encode()).decode()}"
    ours = {"User-Agent": "Chronos/1", "Accept-Encoding": "identity"}
    return Request("POST", auth.token_url, headers, ours, urlencode(form).encode())


def _fetched(call: Call, auth: OAuth2, adapter: Adapter) -> Token | Failed:
    started = call.clock.monotonic()
    found = exchanged(call, adapter, _request(auth), _reader(call, auth))
    if isinstance(found, Failed):
        return found
    text, seconds = found
    return Token(text, started + seconds - MARGIN_SECONDS)


def _reader(call: Call, auth: OAuth2) -> Callable[[requests.Response], tuple[str, float] | Failed]:
    place = urlsplit(auth.token_url).netloc

    def read(response: requests.Response) -> tuple[str, float] | Failed:
        said = _json(response.raw.read(_MAX_ANSWER, decode_content=False))
        if response.status_code != HTTPStatus.OK:
            return _refused(place, response, said, call.clock.now_ms())
        token, kind = said.get("access_token"), said.get("token_type", "bearer")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or str(kind).lower() != "bearer":
            return Failed("authentication", f"{place} answered without a bearer token that can be used.")
        return token, _seconds(said.get("expires_in"))

    return read


def _seconds(told: Any) -> float:
    try:
        seconds = float(told)
    except (TypeError, ValueError, OverflowError):
        return UNTOLD_SECONDS
    return min(max(seconds, 0.0), MOST_SECONDS)


def _refused(place: str, response: requests.Response, said: dict[str, Any], now_ms: int) -> Failed:
    status, code = response.status_code, said.get("error")
    named = f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    return Failed(
        "authentication",
        f"{place} gave no token: it answered {status}{named}.",
        retry_after_seconds=retry_after(response.headers.get("retry-after"), now_ms),
        retryable=True if passing else None,
    )


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
