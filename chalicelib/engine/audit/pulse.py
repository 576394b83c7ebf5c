"""The pulse of a group of dispatchers: when it last ticked, how far it has audited and repaired, and what it found.

One item a group, read once and written once a tick.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from chalicelib.engine.core import Engine
from chalicelib.ports.table import Item, Key

PARTITION = "heartbeat"
MAX_GROUPS = 64
LATE_MS = 180_000
"""Three missed ticks: occurrences inside the horizon are rung, later ones wait."""
HOUR_MS = 3_600_000
HOURS = 24


@dataclass(slots=True)
class Pulse:
    """A group's state. `at_ms` is 0 before its first tick that succeeded; `first_ms` when that was.

    `verified`: by partition of the journal, the sort key before which its pages are done with. `repaired_ms`: the
    moment before which the turns of the shards are done, None before the first. `findings`: their number, by hours
    since the epoch.
    """

    group: int
    at_ms: int = 0
    first_ms: int = 0
    timers: int = 0
    verified: dict[int, str] = field(default_factory=dict)
    repaired_ms: int | None = None
    findings: dict[int, int] = field(default_factory=dict)

    def is_late(self, now_ms: int) -> bool:
        """Whether it has missed three ticks; also one that ticked in the future has a clock that says nothing."""
        return abs(now_ms - self.at_ms) > LATE_MS

    def beat(self, now_ms: int, timers: int) -> None:
        """A tick has succeeded."""
        self.at_ms, self.timers, self.first_ms = now_ms, timers, self.first_ms or now_ms

    def found(self, number: int, now_ms: int) -> None:
        """Count findings of this hour; those of the day before yesterday are forgotten."""
        hour = now_ms // HOUR_MS
        kept = {each: count for each, count in self.findings.items() if each > hour - HOURS}
        self.findings = {**kept, hour: kept.get(hour, 0) + number} if number else kept


def pulse_key(group: int) -> Key:
    return PARTITION, f"dispatcher#{group:02d}"


def encode_pulse(pulse: Pulse) -> Item:
    pk, sk = pulse_key(pulse.group)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "at_ms": pulse.at_ms,
        "first_ms": pulse.first_ms,
        "timers": pulse.timers,
        "verified": json.dumps(pulse.verified),
        "findings": json.dumps(pulse.findings),
    }
    return item if pulse.repaired_ms is None else {**item, "repaired_ms": pulse.repaired_ms}


def decode_pulse(item: Item) -> Pulse:
    return Pulse(
        int(str(item["sk"]).rpartition("#")[2]),
        int(item.get("at_ms", 0)),
        int(item.get("first_ms", item.get("at_ms", 0))),
        int(item.get("timers", 0)),
        {int(name): str(value) for name, value in json.loads(str(item.get("verified", "{}"))).items()},
        int(item["repaired_ms"]) if "repaired_ms" in item else None,
        {int(name): int(value) for name, value in json.loads(str(item.get("findings", "{}"))).items()},
    )


def read_pulses(engine: Engine) -> list[Pulse]:
    """Those of all groups that have ever ticked, without those that cannot be read: their next tick mends them."""
    pulses = []
    for item in engine.db.timers.query(PARTITION, limit=MAX_GROUPS).items:
        try:
            pulses.append(decode_pulse(item))
        except (ValueError, AttributeError) as error:
            engine.telemetry.warning(
                "A pulse cannot be read.", key=str(item["sk"]), error=type(error).__name__
            )
    return pulses


def save_pulse(engine: Engine, pulse: Pulse) -> None:
    engine.db.timers.put_all([encode_pulse(pulse)])


def verified_until(pulses: Iterable[Pulse], partition: int) -> str:
    """The sort key before which a partition of the journal is verified, by whichever group; empty if by none."""
    return max((pulse.verified.get(partition, "") for pulse in pulses), default="")


def alive(pulses: Iterable[Pulse], groups: int, now_ms: int) -> int:
    """How many of the groups 0 to `groups` - 1 tick."""
    return sum(1 for pulse in pulses if pulse.group < groups and not pulse.is_late(now_ms))
