"""When a tick's messages are sent: each in time, and no later than is worth a dispatcher's time."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chalicelib.engine.message import RunMessage
from chalicelib.engine.ringing.dispatch import dispatch
from chalicelib.engine.ringing.phase import DISPATCHER_WEIGHT, Sending, sending_ms, sendings
from chalicelib.engine.ringing.ring import delay_seconds
from chalicelib.engine.wheel.plan import Ring
from infra.project import defaults
from tests.support.world import NOON, World

LEAD_MS = 150
NOW_MS = NOON + 300


def ring(due_ms: int, *, exact: bool = True) -> Ring:
    return Ring("fast", RunMessage("local", "job", 1, f"run_{due_ms}", due_ms, due_ms), exact)


def of(rings: Sequence[Ring], now_ms: int = NOW_MS) -> list[Sending]:
    return sendings(rings, now_ms=now_ms, lead_ms=LEAD_MS)


def waits(rings: Sequence[Ring]) -> list[tuple[int, int]]:
    """(ms waited, rings sent then)."""
    return [(sending.at_ms - NOW_MS, len(sending.rings)) for sending in of(rings)]


def seconds(count: int) -> list[Ring]:
    """One ring at each of so many whole seconds, a minute ahead."""
    return [ring(NOON + 60_000 + number * 1000) for number in range(count)]


def test_what_is_due_at_whole_seconds_is_sent_a_lead_before_a_whole_second() -> None:
    [sending] = of(seconds(20))
    assert (sending.at_ms + LEAD_MS) % 1000 == 0
    arrivals = [
        sending.at_ms + delay_seconds(each, now_ms=sending.at_ms, lead_ms=LEAD_MS) * 1000
        for each in sending.rings
    ]
    assert arrivals == [each.message.due_ms - LEAD_MS for each in sending.rings]


@pytest.mark.parametrize(
    ("rings", "expected", "why"),
    [
        (
            seconds(DISPATCHER_WEIGHT),
            [(0, 4)],
            "as many workers hold as the dispatcher costs: nothing is won",
        ),
        (seconds(DISPATCHER_WEIGHT + 1), [(550, 5)], "one more is worth it"),
        ([ring(NOON + 60_000)] * 40, [(0, 40)], "forty of one moment are held by four workers"),
        ([ring(NOON + 60_000)] * 41, [(550, 41)], "the fifth makes it worth the wait"),
        ([ring(NOON + 60_000, exact=False)] * 99, [(0, 99)], "relaxed messages are not held"),
        ([], [], "nothing to send"),
    ],
)
def test_the_dispatcher_waits_where_that_costs_less(
    rings: list[Ring], expected: list[tuple[int, int]], why: str
) -> None:
    assert waits(rings) == expected, why


def test_what_is_due_soon_does_not_wait_for_the_others() -> None:
    near = [ring(NOW_MS + LEAD_MS + ahead) for ahead in (-5000, 0, 999)]
    first, second = of([*seconds(20), *near])
    assert (first.at_ms, first.rings) == (NOW_MS, near)
    assert second.rings == seconds(20)


def test_jitter_makes_a_few_sendings_each_of_neighbouring_phases() -> None:
    rings = [ring(NOON + 60_000 + number * 37) for number in range(400)]
    found = of(rings)
    assert 1 < len(found) <= 11
    assert sorted(each.message.due_ms for sending in found for each in sending.rings) == [
        each.message.due_ms for each in rings
    ]
    for sending in found:
        for each in sending.rings:
            arrival = sending.at_ms + 1000 * delay_seconds(each, now_ms=sending.at_ms, lead_ms=LEAD_MS)
            assert LEAD_MS <= each.message.due_ms - arrival < LEAD_MS + 1000


def test_no_wait_is_a_second_or_longer() -> None:
    for phase in range(0, 1000, 7):
        for sending in of(seconds(50), NOON + phase):
            assert 0 <= sending.at_ms - (NOON + phase) < 1000


def test_the_weight_of_the_dispatcher_is_the_ratio_of_the_memories() -> None:
    memory = {name: each["lambda_memory_size"] for name, each in defaults()["lambda_functions"].items()}
    assert memory["dispatcher"] == DISPATCHER_WEIGHT * memory["fast_worker"] == 4 * memory["long_worker"]


def test_a_tick_sends_in_phase() -> None:
    world = World(NOW_MS)
    for number in range(20):
        world.job({"kind": "once", "at": f"2027-01-15T12:01:{number:02d}Z"})
    world.tick()
    due = {NOON + 60_000 + number * 1000 for number in range(20)}
    arrivals = {at_ms + 550 - sending_ms(20) for at_ms, _ in world.queue.sent}  # the queue saw no time pass
    assert arrivals == {each - world.engine.settings.lead_ms - sending_ms(20) for each in due}


def test_what_the_api_rings_inline_never_waits() -> None:
    world = World(NOW_MS)
    jobs = [world.job({"kind": "once", "at": f"2027-01-15T12:01:{number:02d}Z"}) for number in range(20)]
    timers = world.timers()
    assert len(jobs) == world.dispatch(*timers)
    assert world.clock.slept == []


def test_a_send_that_is_a_little_late_still_counts_from_its_phase() -> None:
    world = World(NOW_MS)
    for number in range(20):
        world.job({"kind": "once", "at": f"2027-01-15T12:01:{number:02d}Z"})
    dispatch(replace(world.engine, clock=_Oversleeping(world)), world.timers(), patient=True)
    leads = {-at_ms % 1000 for at_ms, _ in world.queue.sent}
    assert leads == {world.engine.settings.lead_ms + sending_ms(20) - 15}


def test_the_journal_is_written_before_the_wait() -> None:
    world = World(NOW_MS)
    for number in range(20):
        world.job({"kind": "once", "at": f"2027-01-15T12:01:{number:02d}Z"})
    clock = _Oversleeping(world)
    dispatch(replace(world.engine, clock=clock), world.timers(), patient=True)
    assert clock.pages_before == [1]


class _Oversleeping:
    """A clock whose sleeps take 15 ms longer than asked for, and that sees how much of the journal is there by then."""

    def __init__(self, world: World) -> None:
        self._clock, self._timers = world.clock, world.db.timers
        self.pages_before: list[int] = []

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self.pages_before.append(sum(1 for pk, _ in self._timers.items if pk.startswith("journal#")))
        self._clock.sleep(seconds + 0.015)
