"""One question to a server, and its answer in JSON, through the outbound guard."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError

from chalicelib.executors.base import ExecutorSettings
from chalicelib.executors.guard import ForbiddenTarget
from chalicelib.executors.http.checks import checked_url
from chalicelib.executors.http.transport import adapter
from chalicelib.ports.web import NoAnswer, Reply

ANSWER_SECONDS = 5.0
MAX_BYTES = 262_144
_OURS = {"User-Agent": "Chronos/1", "Accept": "application/json", "Accept-Encoding": "identity"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def asked(
    settings: ExecutorSettings, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
) -> Reply:
    """GET, or POST with a form. Redirects are not followed. NoAnswer."""
    request, place = _prepared(url, form, headers), urlsplit(url).netloc
    try:
        with adapter(settings).exchange(request, ANSWER_SECONDS) as response:
            body = response.raw.read(MAX_BYTES + 1, decode_content=False)
    except ForbiddenTarget as refusal:
        raise NoAnswer(str(refusal), passing=False) from None
    except (requests.RequestException, HTTPError):
        raise NoAnswer(f"{place} did not answer in time, or broke off.", passing=True) from None
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise NoAnswer(f"{place} answered {response.status_code}.", passing=True)
    return Reply(response.status_code, _json(body))


def _prepared(
    url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
) -> requests.PreparedRequest:
    try:
        checked_url(url)
    except ValueError as error:
        raise NoAnswer(f"The address {error}.", passing=False) from None
    if form is None:
        return requests.Request("GET", url, headers={**_OURS, **headers}).prepare()
    return requests.Request(
        "POST", url, headers={**_OURS, **_FORM, **headers}, data=urlencode(form)
    ).prepare()


def _json(body: bytes) -> Mapping[str, Any]:
    """Empty if it is no JSON object, or too large."""
    if len(body) > MAX_BYTES:
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
