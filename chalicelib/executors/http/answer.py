"""What an answer means: the part of it that is kept, and the outcome. Pure."""

import codecs
import re
from base64 import b64encode
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.http.spec import Config

MAX_RETRY_AFTER_SECONDS = 604_800.0

_KEPT_HEADERS = (
    "content-type",
    "content-length",
    "content-encoding",
    "date",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "x-request-id",
)
_MAX_HEADER = 256
_CHARSETS = frozenset(("utf-8", "us-ascii", "iso-8859-1", "windows-1252"))
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def kept(
    status: int, headers: Mapping[str, str], body: bytes, limit: int, duration_ms: int
) -> dict[str, Any]:
    """The result of a run. `body` is what was read, up to a byte over `limit`; no text becomes base64."""
    truncated = len(body) > limit
    text = _text(body[:limit], headers.get("content-type", ""), truncated)
    return {
        "status": status,
        "headers": {name: headers[name][:_MAX_HEADER] for name in _KEPT_HEADERS if name in headers},
        "body": b64encode(body[:limit]).decode() if text is None else text,
        "body_encoding": "base64" if text is None else "text",
        "truncated": truncated,
        "duration_ms": duration_ms,
    }


def _text(body: bytes, content_type: str, truncated: bool) -> str | None:
    """The body as text, None if it is none. A character that was cut in two at the end is left out."""
    named = _CHARSET.search(content_type)
    charset = named.group(1).lower() if named else "utf-8"
    decoder = codecs.getincrementaldecoder(charset if charset in _CHARSETS else "utf-8")("strict")
    try:
        text = decoder.decode(body, final=not truncated)
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def judged(config: Config, headers: Mapping[str, str], result: dict[str, Any], now_ms: int) -> Outcome:
    """Whether the answer is what the job expects."""
    status: int = result["status"]
    if config.expects(status):
        return Succeeded(result)
    expected = ", ".join(str(one) for one in config.expected_status)
    message = f"The server answered {_named(status)}; expected {expected}."
    return Failed(_kind(status), message, status, retry_after(headers.get("retry-after"), now_ms), result)


def _kind(status: int) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "http_429"
    return {4: "http_4xx", 5: "http_5xx"}.get(status // 100, "http_unexpected")


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def retry_after(value: str | None, now_ms: int) -> float | None:
    """Seconds from now, 0 to 604,800, by a Retry-After header of either form; None if it has neither."""
    if not value:
        return None
    if re.fullmatch("[0-9]{1,9}", value.strip()):
        seconds = float(value)
    else:
        try:
            seconds = (epoch_ms(parsedate_to_datetime(value)) - now_ms) / 1000
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER_SECONDS)
