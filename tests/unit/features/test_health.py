"""What health makes of the dispatchers' pulses."""

import pytest

from chalicelib.engine.audit.pulse import HOUR_MS, LATE_MS, Pulse
from chalicelib.engine.audit.watch import METRIC
from chalicelib.engine.ringing.journal import PARTITIONS
from chalicelib.engine.tick import tick
from chalicelib.features.health.watch import AUDITOR_BEHIND_MS, auditor_at, dispatcher_at
from tests.support.api import ApiClient
from tests.support.world import NOON, World

GROUPS, MINUTE = 4, 60_000
BEGUN = NOON - 3_600_000


def pulses(*moments: int, first_ms: int = BEGUN) -> list[Pulse]:
    """The groups' latest ticks; the journal is verified up to them."""
    found = []
    for group, at_ms in enumerate(moments):
        verified = dict.fromkeys(range(group, PARTITIONS, len(moments)), f"{at_ms:015d}#0a ")
        found.append(Pulse(group, at_ms, first_ms, verified=verified))
    return found


@pytest.mark.parametrize(
    ("seen", "state", "alive", "age", "why"),
    [
        ([], "not_seen", 0, None, "there was never a tick"),
        (pulses(NOON, NOON, NOON, NOON), "ok", 4, 0, "all tick"),
        (pulses(NOON - LATE_MS, NOON, NOON, NOON), "ok", 4, 180, "three minutes are the limit"),
        (pulses(NOON - LATE_MS - 1, NOON, NOON, NOON), "late", 3, 180.001, "one group has stopped"),
        (pulses(NOON, NOON, NOON), "late", 3, 3600, "one group has never ticked"),
        (
            pulses(NOON, NOON, first_ms=NOON - MINUTE),
            "ok",
            2,
            60,
            "the others have only begun, so may this one",
        ),
        (pulses(NOON, NOON, NOON, NOON + LATE_MS + 1), "late", 3, 0, "a clock that is wrong says nothing"),
        (pulses(NOON, NOON, NOON, NOON + 5_000), "ok", 4, 0, "clocks differ a little"),
        (pulses(0, NOON, NOON, NOON), "late", 3, 3600, "one has ticked, and failed each time"),
        (
            [*pulses(NOON, NOON, NOON, NOON), Pulse(9, NOON - HOUR_MS, BEGUN)],
            "ok",
            4,
            0,
            "one too many is gone",
        ),
    ],
)
def test_each_group_of_dispatchers_counts(
    seen: list[Pulse], state: str, alive: int, age: float | None, why: str
) -> None:
    found = dispatcher_at(seen, GROUPS, NOON)
    assert (found.state, found.groups_alive, found.age_seconds) == (state, alive, age), why


@pytest.mark.parametrize(
    ("seen", "state", "behind", "why"),
    [
        ([], "not_seen", None, "there was never a tick"),
        (pulses(NOON, NOON, NOON, NOON), "ok", 0, "all is verified"),
        (pulses(NOON, NOON, NOON - AUDITOR_BEHIND_MS - 1, NOON), "behind", 300.001, "a part of it is not"),
        ([Pulse(0, NOON, NOON - MINUTE)], "ok", 60, "nobody has looked at it yet"),
        ([Pulse(0, NOON, BEGUN)], "behind", 3600, "nobody ever looked at it"),
    ],
)
def test_the_auditor_is_as_far_as_its_last_partition(
    seen: list[Pulse], state: str, behind: float | None, why: str
) -> None:
    found = auditor_at(seen, NOON)
    assert (found.state, found.behind_seconds) == (state, behind), why


def test_findings_are_counted_over_all_groups_for_about_an_hour_and_for_a_day() -> None:
    hour = NOON // HOUR_MS
    seen = pulses(NOON, NOON)
    seen[0].findings = {hour: 1, hour - 1: 10, hour - 2: 100, hour - 23: 1000, hour - 24: 10_000}
    seen[1].findings = {hour: 2}
    found = auditor_at(seen, NOON)
    assert (found.findings_last_hour, found.findings_last_day) == (13, 1113)


def test_a_group_that_stops_is_told_by_health_and_by_the_others() -> None:
    world = World()
    api = ApiClient(world.engine)
    for minute in range(8):
        for group in range(GROUPS) if minute < 3 else range(GROUPS - 1):
            shards = range(group, world.engine.settings.shards, GROUPS)
            tick(world.engine, shards, group=group, groups=GROUPS, deadline=world.clock.monotonic() + 50)
        world.clock.ms += MINUTE
    health = api.get("/health").json
    assert (health["status"], health["checks"]["dispatcher"]["groups_alive"]) == ("degraded", 3)
    seen = [number for name, number in world.telemetry.counts if name == METRIC]
    assert seen[: 3 * GROUPS] == [1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4]
    assert seen[-3:] == [3, 3, 3]


def test_dispatchers_that_all_stop_are_told_by_health() -> None:
    world = World()
    world.tick()
    world.clock.ms += LATE_MS + 1
    health = ApiClient(world.engine).get("/health")
    assert (health.status, health.json["status"]) == (200, "degraded")
    assert health.json["checks"]["dispatcher"]["state"] == "late"
