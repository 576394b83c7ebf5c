"""The filters of templates: `name | filter('argument')`. Each is a function of one value and of fixed text. Pure."""

import json
import re
from base64 import b64encode
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.zones import load_zone

Value = str | int | float | bool | datetime


class TemplateError(ValueError):
    """What is wrong with a template, in words for the job's owner. They never hold a value."""


_AMOUNT = re.compile(r"(\d{1,6})(s|mo|m|h|d|w|y)", re.ASCII)
_ELAPSED = {"s": 1, "m": 60, "h": 3600}
_DAYS = {"d": 1, "w": 7}
_MONTHS = {"mo": 1, "y": 12}
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES = frozenset("YymdHIMSfjpaAbBuVGzZ%")
_UNITS = ("minute", "hour", "day", "week", "month", "year")


def text_of(value: Value) -> str:
    """As it stands in a text: moments in RFC 3339, numbers and booleans as in JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return _moment_text(value)
    return json.dumps(value)


def applied(name: str, arguments: tuple[str, ...], value: Value | None) -> Value | None:
    """The value after the filter; None is what there is not. TemplateError if it does not take such a value."""
    if name == "default":
        return value if value is not None else _one(name, arguments)
    if name not in FILTERS:
        known = ", ".join(sorted({*FILTERS, "default"}))
        raise TemplateError(f"there is no filter {name[:40]!r}; known are {known}")
    if value is None:
        return None
    try:
        return FILTERS[name](value, *_counted(name, arguments))
    except (OverflowError, OSError) as error:
        raise TemplateError(f"{name} leads to a moment that is out of range") from error


def _counted(name: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    if name in _WITH_ARGUMENT:
        return (_one(name, arguments),)
    if arguments:
        raise TemplateError(f"{name} takes no argument")
    return ()


def _one(name: str, arguments: tuple[str, ...]) -> str:
    if len(arguments) != 1:
        raise TemplateError(f"{name} takes one argument in quotes")
    return arguments[0]


def _moment(name: str, value: Value) -> datetime:
    if not isinstance(value, datetime):
        raise TemplateError(f"{name} goes with moments only, such as run.nominal")
    return value


def _moment_text(moment: datetime) -> str:
    if moment.tzinfo is UTC:
        return rfc3339(epoch_ms(moment))
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def _date(value: Value, pattern: str) -> str:
    """By the directives that mean the same everywhere."""
    moment = _moment("date", value)
    for found in _DIRECTIVE.finditer(pattern):
        if found[1] not in _DIRECTIVES:
            raise TemplateError(f"date knows no {found[0]!r}")
    try:
        return moment.strftime(pattern)
    except ValueError as error:
        raise TemplateError("date cannot write such a text") from error


def _tz(value: Value, zone: str) -> datetime:
    try:
        return _moment("tz", value).astimezone(load_zone(zone))
    except ValueError as error:
        raise TemplateError(str(error)) from error


def _plus(value: Value, amount: str) -> datetime:
    return _moved("plus", value, amount, 1)


def _minus(value: Value, amount: str) -> datetime:
    return _moved("minus", value, amount, -1)


def _moved(name: str, value: Value, amount: str, sign: int) -> datetime:
    """Seconds, minutes and hours are elapsed time; the longer units go by the calendar of the moment's zone."""
    moment, found = _moment(name, value), _AMOUNT.fullmatch(amount)
    if found is None:
        raise TemplateError(f"{name} takes a number and one of s, m, h, d, w, mo, y, such as '1d'")
    number, unit = sign * int(found[1]), found[2]
    try:
        if unit in _ELAPSED:
            later = moment.astimezone(UTC) + timedelta(seconds=number * _ELAPSED[unit])
            return later.astimezone(moment.tzinfo)
        if unit in _DAYS:
            return _real(moment + timedelta(days=number * _DAYS[unit]))
        return _real(_months_on(moment, number * _MONTHS[unit]))
    except ValueError as error:
        raise TemplateError(f"{name} leads to a moment that is out of range") from error


def _months_on(moment: datetime, months: int) -> datetime:
    """The same day of another month, or that month's last."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ValueError("out of range")
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def _start_of(value: Value, unit: str) -> datetime:
    moment = _moment("start_of", value)
    if unit not in _UNITS:
        raise TemplateError(f"start_of takes one of {', '.join(_UNITS)}")
    if unit in ("minute", "hour"):
        into = timedelta(
            minutes=moment.minute if unit == "hour" else 0,
            seconds=moment.second,
            microseconds=moment.microsecond,
        )
        return (moment.astimezone(UTC) - into).astimezone(moment.tzinfo)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "week":
        day -= timedelta(days=day.weekday())
    elif unit != "day":
        day = day.replace(day=1, month=1 if unit == "year" else day.month)
    return _real(day)


def _real(moment: datetime) -> datetime:
    """A wall-clock time that a change of the clocks leaves out becomes the one as much later."""
    return moment.astimezone(UTC).astimezone(moment.tzinfo)


def _json(value: Value) -> str:
    return json.dumps(text_of(value) if isinstance(value, datetime) else value, ensure_ascii=False)


def _url(value: Value) -> str:
    try:
        return quote(text_of(value), safe="")
    except UnicodeEncodeError as error:
        raise TemplateError("url cannot encode such a text") from error


def _base64(value: Value) -> str:
    return b64encode(text_of(value).encode("utf-8", "surrogatepass")).decode()


FILTERS: dict[str, Callable[..., Value]] = {
    "date": _date,
    "tz": _tz,
    "plus": _plus,
    "minus": _minus,
    "start_of": _start_of,
    "unix": lambda value: epoch_ms(_moment("unix", value)) // 1000,
    "unix_ms": lambda value: epoch_ms(_moment("unix_ms", value)),
    "json": _json,
    "url": _url,
    "base64": _base64,
    "lower": lambda value: text_of(value).lower(),
    "upper": lambda value: text_of(value).upper(),
}
_WITH_ARGUMENT = ("date", "tz", "plus", "minus", "start_of")
