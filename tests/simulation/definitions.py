"""Jobs of all kinds, as a user would send them, drawn by the seed. A seed's day has some hundreds of runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from chalicelib.domain.instants import rfc3339

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
CALENDAR = "closed"
"""A calendar that excludes some days; jobs refer to it by this name."""
ZONES = ("UTC", "Europe/Berlin")


@dataclass(frozen=True)
class Focus:
    """What a scenario looks at: fields that all of its jobs have, and rates that differ.

    Of a tuple of values one is drawn. `hurry`: so much more often do users do something.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    hurry: float = 1

    def drawn(self, random: Random) -> dict[str, Any]:
        return {
            name: random.choice(value) if isinstance(value, tuple) else value
            for name, value in self.fields.items()
        }


def definition(random: Random, number: int, now_ms: int, end_ms: int) -> dict[str, Any]:
    """A job for the time from now to `end_ms`."""
    made = {
        "name": f"job {number}",
        "type": "dummy",
        "config": config(random),
        "schedule": schedules(random, now_ms, end_ms),
        "retry": retry(random),
        **limits(random),
        **overlap(random),
    }
    if random.random() < 0.5:
        made["misfire"] = misfire(random)
    if random.random() < 0.15:
        made["exclude"] = [exclusion(random, now_ms, end_ms)]
    if random.random() < 0.15:
        made["calendar"] = CALENDAR
    if random.random() < 0.1:
        made["callback"] = callback(random)
    elif number % 7 == 3:
        made["config"] |= followed(Random(number))
    if random.random() < 0.12:
        made["start_deadline_seconds"] = random.choice([30, 120, 900])
    if random.random() < 0.1:
        made["pause_after_failures"] = random.choice([2, 3])
    if random.random() < 0.2:
        made["precision"] = "relaxed"
    return made


def config(random: Random) -> dict[str, Any]:
    """How long its attempts take, and how often they fail."""
    seconds = random.choice([0, 0, 0.2, 1, 3, 20]) if random.random() < 0.9 else 45
    return {"duration_seconds": seconds, "failure_rate": random.choice([0, 0, 0.1, 0.4])}


def retry(random: Random) -> dict[str, Any]:
    return {
        "max_attempts": random.choice([1, 2, 3, 4]),
        "strategy": random.choice(["fixed", "exponential", "none"]),
        "initial_delay_seconds": random.choice([0, 1, 10, 40]),
        "max_delay_seconds": 240,
    }


def limits(random: Random) -> dict[str, Any]:
    """Time limit and priority decide the lane."""
    return {
        "timeout_seconds": random.choice([10, 30, 30, 30, 60, 60, 120]),
        "priority": random.choice(["low", "normal", "normal", "normal", "high"]),
    }


def callback(random: Random) -> dict[str, Any]:
    """Its work is done elsewhere: so long it waits, and so long the other side may be silent."""
    return {
        "deadline_seconds": random.choice([30, 60, 300]),
        "heartbeat_seconds": random.choice([None, None, 60]),
    }


def followed(random: Random) -> dict[str, Any]:
    """Its work goes on elsewhere, and is looked after until so long after its start."""
    return {"outcome": "follow", "follow_deadline_seconds": random.choice([20, 120, 600])}


def overlap(random: Random) -> dict[str, Any]:
    policy = random.choice(["allow", "allow", "forbid", "replace", "queue"])
    if policy == "allow":
        return {}
    return {
        "concurrency": {"policy": policy, "limit": random.choice([1, 1, 2]), "buffer": random.choice([1, 3])}
    }


def misfire(random: Random) -> dict[str, Any]:
    return {
        "policy": random.choice(["fire_once", "fire_all", "skip"]),
        "grace_seconds": random.choice([60, 60, 300]),
        "limit": random.choice([5, 100]),
    }


def exclusion(random: Random, now_ms: int, end_ms: int) -> dict[str, Any]:
    if random.random() < 0.5:
        return {"kind": "cron", "expression": f"* * {random.randrange(24)} * * *"}
    start_ms = random.randrange(now_ms, end_ms) // MINUTE * MINUTE
    return {
        "kind": "range",
        "from": rfc3339(start_ms),
        "until": rfc3339(start_ms + random.randint(1, 180) * MINUTE),
    }


def schedules(random: Random, now_ms: int, end_ms: int) -> Any:
    """One schedule, or a union of two."""
    if random.random() < 0.12:
        return [schedule(random, now_ms, end_ms), schedule(random, now_ms, end_ms)]
    return schedule(random, now_ms, end_ms)


def schedule(random: Random, now_ms: int, end_ms: int) -> dict[str, Any]:
    make = random.choice([steps, hourly, daily, daily, interval, interval, once, once, burst, manual])
    made = make(random, now_ms, end_ms)
    if made["kind"] != "manual" and random.random() < 0.12:
        made["jitter_seconds"] = random.choice([2, 30, 200])
    if made["kind"] in ("cron", "interval") and "start_at" not in made and random.random() < 0.08:
        made["max_runs"] = random.randint(1, 12)
    return made


def cron(random: Random, expression: str, **more: Any) -> dict[str, Any]:
    return {"kind": "cron", "expression": expression, "timezone": random.choice(ZONES), **more}


def steps(random: Random, _now_ms: int, _end_ms: int) -> dict[str, Any]:
    step = random.choice([15, 20, 30])
    second = random.choice(["", "", f"{random.randrange(60)} "])
    return cron(random, f"{second}*/{step} * * * *")


def hourly(random: Random, _now_ms: int, _end_ms: int) -> dict[str, Any]:
    return cron(random, f"{random.choice([0, 0, random.randrange(60)])} * * * *")


def daily(random: Random, _now_ms: int, _end_ms: int) -> dict[str, Any]:
    hour = random.choice([0, 1, 2, 2, 2, random.randrange(24)])
    days = random.choice(["*", "*", "MON-FRI", "SAT"])
    expression = f"{random.choice([0, 30, random.randrange(60)])} {hour} * * {days}"
    return cron(random, expression, dst=random.choice(["once", "skip", "literal"]))


def interval(random: Random, now_ms: int, _end_ms: int) -> dict[str, Any]:
    every = random.choice([900, 1800, 3601, 7200])
    anchored = {"anchor": rfc3339(now_ms - random.randrange(10 * HOUR))} if random.random() < 0.3 else {}
    return {"kind": "interval", "every": every, **anchored}


def once(random: Random, now_ms: int, end_ms: int) -> dict[str, Any]:
    return {"kind": "once", "at": rfc3339(random.randrange(now_ms, end_ms))}


def burst(random: Random, now_ms: int, end_ms: int) -> dict[str, Any]:
    """Close together, for some minutes."""
    step, minutes = random.choice([("*", 1), ("*/10", 6), ("*/20", 10), ("0", 30)])
    start_ms = random.randrange(now_ms, end_ms)
    bounds = {"start_at": rfc3339(start_ms), "end_at": rfc3339(start_ms + minutes * MINUTE)}
    return cron(random, f"{step} * * * * *", **bounds)


def manual(_random: Random, _now_ms: int, _end_ms: int) -> dict[str, Any]:
    return {"kind": "manual"}
