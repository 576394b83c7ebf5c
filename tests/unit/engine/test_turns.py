"""Who is dispatched first: tenants take turns, priorities decide within a second, and herds are named."""

from collections import Counter

from chalicelib.domain.limits import Priority
from chalicelib.engine.message import Delivery, RunMessage, decode
from chalicelib.engine.ringing.due import BACKLOG_MS, urgent_first
from chalicelib.engine.ringing.turns import HERD, fair_groups, rings_in_turn
from chalicelib.engine.wheel.plan import Ring
from chalicelib.engine.wheel.timers import JobTimer
from tests.support.world import NOON, World


def timer(tenant: str, due_ms: int, number: int = 0) -> JobTimer:
    return JobTimer(0, tenant, f"job_{number}", 1, due_ms)


def ring(tenant: str = "a", due_ms: int = NOON, priority: Priority = "normal") -> Ring:
    return Ring("fast", RunMessage(tenant, "job", 1, "run", due_ms, due_ms), priority=priority)


def test_a_herd_of_one_tenant_leaves_each_other_its_turn() -> None:
    herd = [timer("herd", NOON + 5, number) for number in range(1000)]
    others = [timer("b", NOON + 900), timer("c", NOON + 901), timer("b", NOON + 902, 1)]
    ordered = urgent_first([*herd, *others], NOON)
    assert [each.tenant for each in ordered[:6]] == ["herd", "b", "c", "herd", "b", "herd"]
    assert Counter(ordered) == Counter([*herd, *others])


def test_turns_never_put_a_later_second_before_an_earlier_one() -> None:
    herd = [timer("herd", NOON + 5, number) for number in range(10)]
    ordered = urgent_first([timer("b", NOON + 1000), *herd], NOON)
    assert ordered[-1].tenant == "b"


def test_the_backlog_too_goes_turn_by_turn_and_its_newest_first() -> None:
    late = NOON - BACKLOG_MS - 5000
    timers = [timer("b", late), timer("a", late + 1), timer("a", late + 2), timer("b", late + 1000)]
    ordered = [(each.tenant, each.due_ms - late) for each in urgent_first(timers, NOON)]
    assert ordered == [("b", 1000), ("a", 2), ("b", 0), ("a", 1)]


def test_within_a_second_priorities_decide_and_else_nothing_changes_places() -> None:
    wanted = [
        ring("a", NOON + 1, "normal"),
        ring("b", NOON + 2, "low"),
        ring("c", NOON + 999, "high"),
        ring("d", NOON + 3, "normal"),
        ring("e", NOON + 1000, "high"),
    ]
    assert [each.message.tenant for each in rings_in_turn(wanted)] == ["c", "a", "d", "b", "e"]


def test_only_herds_are_named_and_those_of_low_priority_apart() -> None:
    rings = [ring("few")] * (HERD - 1) + [ring("many")] * HERD + [ring("few", priority="low")] * HERD
    named = Counter(fair_groups(rings))
    assert named == {"": HERD - 1, "many": HERD, "few~low": HERD}
    assert set(fair_groups([ring("many", priority="high")] * HERD)) == {""}, (
        "nothing goes before what is urgent"
    )


def test_a_jobs_priority_reaches_its_messages() -> None:
    world = World()
    for name in ("low", "normal", "high", "normal"):
        world.job({"kind": "once", "at": "2027-01-15T12:00:30Z"}, priority=name, timeout_seconds=120)
    world.tick()
    sent = [world.stored_job(decode(body).job_id).priority for _, body in world.long_queue.sent]
    assert sent == ["high", "normal", "normal", "low"]


def test_what_is_urgent_does_not_queue_behind_a_herd() -> None:
    world = World()
    for name in ("normal", "high", "low"):
        world.job({"kind": "once", "at": "2027-01-15T12:00:30Z"}, priority=name)
    world.tick()
    assert (len(world.queue.sent), len(world.urgent_queue.sent)) == (2, 1)


def test_a_job_that_becomes_urgent_after_its_dispatch_moves_to_the_other_lane() -> None:
    world = World()
    job = world.job({"kind": "once", "at": "2027-01-15T12:00:30Z"})
    world.tick()
    world.change(job, priority="high")
    [(at_ms, body)] = world.queue.sent
    world.clock.ms = at_ms
    assert world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 85) == []
    assert world.executed == []
    assert [moved for _, moved in world.urgent_queue.sent] == [body]
