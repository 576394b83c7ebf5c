"""Durations as people write them: seconds, or ISO 8601 with weeks, days, hours, minutes and seconds."""

import re

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?:(?P<hours>\d{1,7})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,10})(?:[.,](?P<millis>\d{1,3}))?S)?)?",
    re.ASCII,
)
_CALENDAR_PARTS = re.compile(r"P[\d.,]*[YM]|P[^T]*\d[YM]", re.ASCII)
_UNIT_MS = {"weeks": 604_800_000, "days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1000}


def duration_ms(value: float | str) -> int:
    """Whole milliseconds of a number of seconds or of an ISO 8601 duration. ValueError says what is wrong."""
    if isinstance(value, str):
        return _iso_ms(value)
    millis = round(value * 1000)
    if abs(millis - value * 1000) > 1e-3:
        raise ValueError("a duration is exact to the millisecond at most")
    return millis


def _iso_ms(text: str) -> int:
    if _CALENDAR_PARTS.match(text):
        raise ValueError("years and months differ in length: use weeks, days or hours, or a cron expression")
    found = _DURATION.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        raise ValueError("expected seconds, or an ISO 8601 duration such as PT15M, PT1H30M or P1D")
    parts = found.groupdict()
    millis = int((parts.pop("millis") or "0").ljust(3, "0"))
    return millis + sum(int(number) * _UNIT_MS[unit] for unit, number in parts.items() if number)
