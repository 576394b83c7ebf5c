"""The `http` type: one request, and what counts as success."""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.hosts import host_name
from chalicelib.executors.json_values import bounded, encoded

MAX_URL_BYTES = 8192
MAX_BODY_BYTES = 131_072
MAX_HEADERS = 50
MAX_HEADERS_BYTES = 16_384

_FORBIDDEN_IN_URL = re.compile(r"[\s\x00-\x20\x7f\\<>\"]")
_HOST = re.compile(r"([0-9A-Za-z_-]{1,63}\.)*[0-9A-Za-z_-]{1,63}\.?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_FRAMING = (
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
)
_OURS = frozenset((*_FRAMING, "upgrade", "http2-settings"))
_OUR_PREFIXES = ("proxy-", "x-chronos-", ":")


def checked_url(url: str) -> str:
    """The URL itself. ValueError unless it is http or https, has a host, no credentials, and at most 8 KB."""
    if len(url.encode()) > MAX_URL_BYTES:
        raise ValueError(f"must not be longer than {MAX_URL_BYTES} bytes")
    if _FORBIDDEN_IN_URL.search(url):
        raise ValueError(
            "must not contain spaces, control characters, quotes, angle brackets or backslashes; encode them"
        )
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password; send them in a header")
    if not _is_host(parts.hostname or "") or parts.port == 0:
        raise ValueError("must name a host that can exist, and a port from 1 to 65535 if any")
    return url


def _is_host(host: str) -> bool:
    if ":" in host:
        return _is_ipv6(host)
    if not host.isascii():
        host = _in_ascii(host)
    return len(host) <= 253 and _HOST.fullmatch(host) is not None


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return "%" not in host


def _in_ascii(host: str) -> str:
    """As the client will write it: strictly, so that nothing looks like another name. ValueError if it cannot be."""
    import idna

    try:
        return idna.encode(host.lower(), strict=True, std3_rules=True).decode()
    except idna.IDNAError as error:
        raise ValueError("must name its host by an internationalised domain name that can exist") from error


def checked_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers themselves. ValueError for one that HTTP does not allow, or that the job may not set."""
    size = sum(len(name) + len(value) for name, value in headers.items())
    if len(headers) > MAX_HEADERS or size > MAX_HEADERS_BYTES:
        raise ValueError(f"must be at most {MAX_HEADERS} headers of {MAX_HEADERS_BYTES} characters together")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("must not name a header twice")
    for name, value in headers.items():
        _check_header(name, value)
    return headers


def _check_header(name: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not a header name")
    if name.lower() in _OURS or name.lower().startswith(_OUR_PREFIXES):
        raise ValueError(f"{name} is set by Chronos and cannot be given")
    if not _HEADER_VALUE.fullmatch(value) or value != value.strip():
        raise ValueError(f"the value of {name} must be one line of Latin-1 text without spaces around it")


def _small(body: Any) -> Any:
    return bounded(body, MAX_BODY_BYTES)


def _upper(method: Any) -> Any:
    return method.upper() if isinstance(method, str) else method


def _lower(status: Any) -> Any:
    return status.lower() if isinstance(status, str) else status


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
Scalar = str | bool | int | float
Status = Annotated[
    Annotated[int, Field(ge=200, le=599)] | Annotated[str, Field(pattern="^[2-5]xx$")],
    BeforeValidator(_lower),
]


class Config(BaseModel):
    """The request that a run sends, and the answers that are a success."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    url: Annotated[str, AfterValidator(checked_url)] = Field(
        max_length=MAX_URL_BYTES,
        description="http or https, without credentials.",
        json_schema_extra={"format": "uri"},
    )
    method: Annotated[Method, BeforeValidator(_upper)] = "POST"
    headers: Annotated[dict[str, str], AfterValidator(checked_headers)] = Field(
        {}, description="Sent beside our own; they may replace User-Agent, Content-Type and Idempotency-Key."
    )
    query: dict[str, Scalar | Annotated[list[Scalar], Field(max_length=100)]] = Field(
        {}, max_length=100, description="Added to the URL's own query. A list repeats its name."
    )
    body: Annotated[JsonValue, AfterValidator(_small)] = Field(
        None,
        description="A string is sent as it is, any other value as JSON, null as no body. At most 128 KB.",
    )
    expected_status: Annotated[list[Status], Field(min_length=1, max_length=20)] = Field(
        ["2xx"], description="Statuses, or classes such as `2xx`, that are a success."
    )
    follow_redirects: bool = Field(default=False, description="Follow at most 5, each checked again.")

    def expects(self, status: int) -> bool:
        """Whether an answer with this status is a success."""
        return status in self.expected_status or f"{status // 100}xx" in self.expected_status

    def content(self) -> tuple[bytes | None, str | None]:
        """The body's bytes and its media type, both None where there is none."""
        if self.body is None:
            return None, None
        if isinstance(self.body, str):
            return self.body.encode(), "text/plain; charset=utf-8"
        return encoded(self.body), "application/json"


def target(config: Mapping[str, Any]) -> str | None:
    """The URL's host."""
    try:
        return host_name(urlsplit(str(config.get("url", ""))).hostname or "")
    except ValueError:
        return None


SPEC = ExecutorSpec(
    target=target,
    type="http",
    config=Config,
    title="HTTP request",
    calls_back=True,
    description="Sends one request, and succeeds if the answer has an expected status.",
    example={
        "url": "https://example.com/reports",
        "method": "POST",
        "headers": {"Accept": "application/json"},
        "body": {"report": "daily"},
    },
    permissions=(
        Permission("To reach the URL: a public address, or one of the networks that the operator allows."),
    ),
    errors=(
        "connection",
        "http_4xx",
        "http_5xx",
        "http_429",
        "http_unexpected",
        "forbidden_target",
    ),
    limits=(
        "128 KB of a request's body, 8 KB of an answer's are kept.",
        "At most 5 redirects, each checked like the first address.",
    ),
    examples={
        "A report each night": {
            "name": "nightly-report",
            "schedule": {"kind": "cron", "expression": "0 30 2 * * *", "timezone": "Europe/Berlin"},
            "config": {"url": "https://example.com/reports", "body": {"report": "daily"}},
            "retry": {"max_attempts": 5, "retry_on": ["http_5xx", "connection", "timeout"]},
            "timeout_seconds": 30,
        }
    },
)
