"""Values of databases as JSON, the same for the same value, and parameters as databases take them. Pure."""

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any


def as_json(value: Any) -> Any:
    """The value as JSON carries it.

    Decimals are text, for no digit to be lost; so are dates (ISO 8601, in UTC where they have a zone), intervals, and
    whatever else JSON does not know. Bytes are base64. Numbers that are none are "NaN", "Infinity", "-Infinity".
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    return _as_text(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _clock(value)
    return str(value)


def _clock(value: timedelta) -> str:
    """[-]HH:MM:SS[.ffffff], as SQL writes a span of time; hours may be over 24."""
    micros = abs(value) // timedelta(microseconds=1)
    seconds, fraction = divmod(micros, 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return ("-" if value < timedelta() else "") + text + (f".{fraction:06}" if fraction else "")


def as_parameter(value: Any) -> Any:
    """A parameter as drivers bind it: lists and objects as their JSON text, all else as it is."""
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def distinct(names: Sequence[str]) -> list[str]:
    """The names of columns, each once: a second `id` is `id_2`."""
    taken: dict[str, int] = {}
    found: list[str] = []
    for name in names:
        chosen = name
        while chosen in taken:
            taken[name] += 1
            chosen = f"{name}_{taken[name]}"
        taken[chosen] = taken.get(chosen, 1)
        found.append(chosen)
    return found
