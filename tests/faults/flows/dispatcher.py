"""What the dispatcher does in one tick."""

from chalicelib.domain.run import RunStatus
from chalicelib.engine.wheel.timers import GateTimer, encode_timer, timer_key
from tests.faults.flow import CANCELLED, OK, Act, event
from tests.faults.flows.api_runs import MORNING, asked_for, counted_each_run_once
from tests.faults.flows.steps import FAILS_FIRST, RETRY_LATER, at, be_at, hourly, moment, ring
from tests.faults.system import System
from tests.support.world import TENANT


@event({"near": [(30, OK)], "later": [(110, OK), (900, OK)], "slow": [(60, OK)], "relaxed": [(45, OK)]})
def a_tick_in_time(system: System) -> Act:
    system.job("near", at(30))
    system.job("later", at(110, 900))
    system.job("slow", at(60), timeout_seconds=600)
    system.job("relaxed", at(45), precision="relaxed")
    be_at(system, 0)
    return system.tick


SKIP = {"policy": "skip"}


@event(
    {
        "once": [(1, "misfire"), (2, "misfire"), (3, OK), (900, OK)],
        "all": [(1, OK), (2, OK)],
        "none": [(1, "misfire"), (900, OK)],
    }
)
def a_tick_three_minutes_late(system: System) -> Act:
    system.job("once", at(1, 2, 3, 900))
    system.job("all", at(1, 2), misfire={"policy": "fire_all"})
    system.job("none", at(1, 900), misfire=SKIP)
    be_at(system, 190)
    return system.tick


@event({"retried": [(2, OK)], "paused": [], "deleted": [], "edited": [(400, OK)], "parked": [(310, OK)]})
def a_tick_over_timers_of_every_kind(system: System) -> Act:
    system.job("retried", at(2), config=FAILS_FIRST, retry=RETRY_LATER)
    paused, deleted = (system.job(name, at(310)) for name in ("paused", "deleted"))
    edited, parked = (system.job(name, at(310)) for name in ("edited", "parked"))
    ring(system, 2)
    system.deliver()
    assert system.api("POST", f"/jobs/{paused}/pause")
    assert system.api("DELETE", f"/jobs/{deleted}")
    assert system.api("PATCH", f"/jobs/{edited}", {"schedule": at(400)})
    assert system.api("POST", f"/jobs/{parked}/pause", {"until": moment(350)})
    be_at(system, 260)
    return system.tick


@event({"hourly": [*MORNING, (1800, OK)]}, holds=counted_each_run_once)
def a_tick_over_a_backfill_whose_messages_are_lost(system: System) -> Act:
    job = system.job("hourly", hourly(1800))
    be_at(system, 0)
    assert system.api("POST", f"/jobs/{job}/backfills", asked_for(2))
    system.lanes["fast"].messages.clear()
    be_at(system, 180)
    return system.tick


@event({"planned": [(60, "calendar"), (600, "calendar")]})
def a_tick_under_a_calendar(system: System) -> Act:
    assert system.api("POST", "/calendars", {"name": "closed", "excluded": {"weekdays": ["FRI"]}})
    system.job("planned", at(60, 600), calendar="closed")
    be_at(system, 0)
    return system.tick


@event(
    {"hourly": [(MORNING[0][0], CANCELLED), *MORNING[1:], (1800, OK)]},
    holds=counted_each_run_once,
)
def a_tick_that_claims_for_a_backfill(system: System) -> Act:
    """Its active run was cancelled."""
    job = system.job("hourly", hourly(1800))
    be_at(system, 0)
    assert system.api("POST", f"/jobs/{job}/backfills", asked_for(1))
    cancel_the_pending_one(system)
    return system.tick


@event({"hourly": [*MORNING, (MORNING[0][0], CANCELLED), *MORNING[1:], (1800, OK)]})
def a_tick_that_claims_what_is_done_again(system: System) -> Act:
    """As above, after another backfill has done all of it."""
    job = system.job("hourly", hourly(1800))
    be_at(system, 0)
    assert system.api("POST", f"/jobs/{job}/backfills", asked_for(3))
    system.deliver()
    assert system.api("POST", f"/jobs/{job}/backfills", {**asked_for(1), "reprocess": "all"})
    cancel_the_pending_one(system)
    return system.tick


def cancel_the_pending_one(system: System) -> None:
    [pending] = [run for run in system.runs() if run.status is RunStatus.PENDING]
    assert system.api("POST", f"/runs/{pending.id}/cancel")
    be_at(system, 60)


@event(
    {
        "lost": [(-1800, OK), (1800, OK)],
        "over": [(-3500, OK)],
        "long over": [(-3900, OK)],
        "left out": [(-3300, "misfire")],
    }
)
def a_tick_that_repairs(system: System) -> Act:
    """One job's timer is lost; the schedules of the others are over."""
    be_at(system, -4000)
    system.job("lost", hourly(1800))
    [timer] = system.timers()
    system.job("long over", at(-3900))
    system.job("over", at(-3500))
    system.job("left out", at(-3300), misfire=SKIP)
    for second in (-3960, -3900, -3590, -3500, -3200):
        be_at(system, second)
        system.tick()
        system.deliver()
    system.engine.db.timers.delete_all([timer_key(timer)])
    be_at(system, 10)
    return system.tick


@event({"vanished": [(2, OK)], "stalled": [(2, OK)]})
def a_tick_that_audits(system: System) -> Act:
    """One message was never seen; the other's worker died, and it does not come back."""
    system.killed = lambda _job, run: run.starts == 1 and run.job_id == stalled
    vanished = system.job("vanished", at(2), timeout_seconds=1)
    stalled = system.job("stalled", at(2), timeout_seconds=1)
    ring(system, 2)
    lane = system.lanes["fast"]
    lane.messages = [message for message in lane.messages if vanished not in message.body]
    system.deliver()
    lane.messages = []
    be_at(system, 180)
    return system.tick


@event({})
def a_tick_over_a_gate_at_which_nobody_waits(system: System) -> Act:
    timer = GateTimer(0, TENANT, "tenant", system.clock.now_ms(), "its writer")
    system.engine.db.timers.put_all([encode_timer(timer)])
    be_at(system, 0)
    return system.tick
