"""Headers that every answer has: what browsers may do with it, who may read it from elsewhere, its end."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from urllib.parse import quote

from chalicelib.features.base import Deprecation

STAGE_PREFIX = "/api"
"""The stage's name, with which clients' paths begin: Location and Link headers carry it."""
SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_READABLE = (
    "Deprecation, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, "
    "Sunset, X-Request-Id"
)
_SENDABLE = "Authorization, Content-Type, Idempotency-Key, If-Match, traceparent, tracestate"
_PREFLIGHT_SECONDS = "600"


def for_origin(origin: str | None, allowed: Collection[str]) -> dict[str, str]:
    """What lets pages of a named origin read the answer. Nothing where no origin is named at all."""
    if not allowed:
        return {}
    if origin not in allowed or origin is None:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _READABLE,
    }


def for_preflight(methods: str) -> dict[str, str]:
    """What a page of a named origin may ask for."""
    return {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": _SENDABLE,
        "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
    }


def of_deprecation(deprecation: Deprecation | None, path: Mapping[str, str]) -> dict[str, str]:
    """Deprecation (RFC 9745), Sunset (RFC 8594) where an end is known, and a link to what takes its place."""
    if deprecation is None:
        return {}
    successor = STAGE_PREFIX + deprecation.successor.format(
        **{name: quote(value, safe="", errors="replace") for name, value in path.items()}
    )
    found = {
        "Deprecation": f"@{int(_midnight(deprecation.since).timestamp())}",
        "Link": f'<{successor}>; rel="successor-version"',
    }
    if deprecation.sunset:
        found["Sunset"] = format_datetime(_midnight(deprecation.sunset), usegmt=True)
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
