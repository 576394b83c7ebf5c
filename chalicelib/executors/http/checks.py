"""What an http job may call and send: URLs and headers, judged when it is saved."""

import re
from ipaddress import IPv6Address
from urllib.parse import urlsplit

MAX_URL_BYTES = 8192
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
        check_header(name, value)
    return headers


def check_header(name: str, value: str) -> None:
    """ValueError for one that HTTP does not allow, or that the job may not set."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not a header name")
    if name.lower() in _OURS or name.lower().startswith(_OUR_PREFIXES):
        raise ValueError(f"{name} is set by Chronos and cannot be given")
    if not _HEADER_VALUE.fullmatch(value) or value != value.strip():
        raise ValueError(f"the value of {name} must be one line of Latin-1 text without spaces around it")
