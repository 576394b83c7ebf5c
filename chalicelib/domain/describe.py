"""A schedule in words, for the preview."""

from chalicelib.domain.cron_fields import CronFields, parse, uses_hash
from chalicelib.domain.durations import duration_ms
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.schedule import CronSchedule, IntervalSchedule, ManualSchedule, OnceSchedule, Schedule

_UNITS = (
    (604_800_000, "week"),
    (86_400_000, "day"),
    (3_600_000, "hour"),
    (60_000, "minute"),
    (1000, "second"),
)


def words(schedule: Schedule, *, job_id: str = "") -> str:
    """One sentence without a full stop. `job_id` decides what an H stands for; without it the H stays an H."""
    return ", ".join([_core(schedule, job_id), *_limits(schedule)])


def _core(schedule: Schedule, job_id: str) -> str:
    if isinstance(schedule, CronSchedule):
        return f"{_cron_words(schedule, job_id)} ({schedule.timezone})"
    if isinstance(schedule, IntervalSchedule):
        start = f"from {rfc3339(epoch_ms(schedule.anchor))}" if schedule.anchor else "from the job's creation"
        return f"Every {length(duration_ms(schedule.every))}, counted {start}"
    if isinstance(schedule, OnceSchedule):
        return f"Once, at {rfc3339(epoch_ms(schedule.at))}"
    return "Only when triggered"


def _limits(schedule: Schedule) -> list[str]:
    if isinstance(schedule, ManualSchedule):
        return []
    start = [f"not before {rfc3339(epoch_ms(schedule.start_at))}"] if schedule.start_at else []
    end = [f"before {rfc3339(epoch_ms(schedule.end_at))}"] if schedule.end_at else []
    count = [f"at most {_count(schedule.max_runs, 'time')}"] if schedule.max_runs else []
    jitter = [f"each up to {length(schedule.jitter_seconds * 1000)} later"] if schedule.jitter_seconds else []
    return start + end + count + jitter


def length(millis: int) -> str:
    """A duration in words: `1 hour 30 minutes`."""
    parts = []
    for unit_ms, name in _UNITS[:-1]:
        number, millis = divmod(millis, unit_ms)
        parts += [_count(number, name)] if number else []
    if millis:
        parts.append(_count(millis / 1000, "second"))
    return " ".join(parts)


def _count(number: float, name: str) -> str:
    return f"{number:g} {name}" + ("" if number == 1 else "s")


def _cron_words(schedule: CronSchedule, job_id: str) -> str:
    if uses_hash(schedule.expression) and not job_id:
        return f"{schedule.expression}, where each H becomes a value that the job's id decides"
    from cron_descriptor.Exception import FormatError  # type: ignore[import-untyped]

    try:
        return _in_words(parse(schedule.expression, job_id), schedule.day_match)
    except FormatError:  # the library has no words for some lists, such as */5,7 as an hour
        return schedule.expression


def _in_words(fields: CronFields, day_match: str) -> str:
    second, minute, hour, _, month, _ = map(_all_or_some, fields.plain)
    time = _described(second, minute, hour, "*", "*", "*")
    parts = [time, _day_words(fields, day_match)]
    if month != "*":
        parts.append(_tail("*", month, "*"))
    return ", ".join(part for part in parts if part)


def _day_words(fields: CronFields, day_match: str) -> str:
    day, _, weekday = map(_all_or_some, fields.plain[3:])
    by_day = " or ".join(_tail(part, "*", "*") for part in _described_apart(day, "L"))
    by_weekday = " or ".join(_tail("*", "*", part) for part in _described_apart(weekday, "#L"))
    if not by_day or not by_weekday:
        return by_day or by_weekday
    either = fields.is_either(day_match)
    return f"{by_day}, {'or' if either else 'and only if it is also'} {by_weekday}"


def _all_or_some(text: str) -> str:
    """A list with a star in it is a star; the library cannot say `5,*`."""
    return "*" if "*" in text.split(",") else text


def _described_apart(text: str, marks: str) -> list[str]:
    """The library describes lists with these marks wrongly, so their parts go one by one; none for a star."""
    if text in ("*", "?"):
        return []
    return text.split(",") if any(mark in text for mark in marks) else [text]


def _tail(day: str, month: str, weekday: str) -> str:
    """What the library says of days alone."""
    said = _described("0", "0", "0", day, month, weekday).removeprefix("At 00:00, ")
    return said.removeprefix("only ")


def _described(second: str, minute: str, hour: str, day: str, month: str, weekday: str) -> str:
    from cron_descriptor import Options, get_description  # type: ignore[import-untyped]

    options = Options(use_24hour_time_format=True, locale_code="en_US")
    seconds = [] if second == "0" else [second]
    return str(get_description(" ".join([*seconds, minute, hour, day, month, weekday]), options))
