"""Instants: epoch milliseconds inside, RFC 3339 in UTC outside."""

from datetime import UTC, datetime


def rfc3339(at_ms: int) -> str:
    """`2026-05-01T12:00:00Z`; with milliseconds only where there are any."""
    seconds, millis = divmod(at_ms, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{millis:03d}Z" if millis else f"{text}Z"


def epoch_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware moment. ValueError without a zone."""
    if moment.tzinfo is None:
        raise ValueError("an instant needs a UTC offset")
    return round(moment.timestamp() * 1000)
