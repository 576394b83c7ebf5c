"""A request as it goes out, and the one that follows a redirect. Pure."""

from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin, urlsplit

from chalicelib.executors.http.checks import checked_url

MAX_REDIRECTS = 5
_CHANGING = (301, 302, 303)
_KEEPING = (307, 308)
_OF_THE_BODY = frozenset(("content-type", "webhook-id", "webhook-timestamp", "webhook-signature"))
_NEUTRAL_HEADERS = frozenset(("accept", "accept-encoding", "accept-language", "content-type", "user-agent"))


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` are the job's own, which another origin must not see; `ours` go along everywhere."""

    method: str
    url: str
    headers: dict[str, str]
    ours: dict[str, str]
    body: bytes | None = None

    def all_headers(self) -> dict[str, str]:
        """Ours, where the job gives no other."""
        given = {name.lower() for name in self.headers}
        return {name: value for name, value in self.ours.items() if name.lower() not in given} | self.headers


def following(request: Request, status: int, location: str | None) -> Request | None:
    """The request to send next, None if the answer is no redirect, or one that is not followed.

    Never from https to http, nor to a URL that a job could not name. Another origin gets only harmless
    headers of the job; 301, 302 and 303 turn anything but GET and HEAD into a GET without a body.
    """
    target = _target(request.url, location)
    if target is None or status not in _CHANGING + _KEEPING:
        return None
    headers = request.headers if is_same_origin(target, request.url) else _harmless(request.headers)
    if status in _KEEPING or request.method in ("GET", "HEAD"):
        return Request(request.method, target, headers, request.ours, request.body)
    return Request("GET", target, _bodiless(headers), _bodiless(request.ours))


def _target(url: str, location: str | None) -> str | None:
    if not location:
        return None
    try:
        target = checked_url(urldefrag(urljoin(url, _as_utf8(location))).url)
    except ValueError:
        return None
    downgraded = urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http"
    return None if downgraded else target


def is_same_origin(one: str, other: str) -> bool:
    """Whether both URLs have the same scheme, host and port."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _harmless(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in _NEUTRAL_HEADERS}


def _bodiless(headers: dict[str, str]) -> dict[str, str]:
    """Without what speaks of a body: its type, its signature."""
    return {name: value for name, value in headers.items() if name.lower() not in _OF_THE_BODY}


def _as_utf8(header: str) -> str:
    """Header values come as Latin-1; those that are not ASCII are mostly UTF-8."""
    return header.encode("latin-1", "replace").decode("utf-8", "replace")
