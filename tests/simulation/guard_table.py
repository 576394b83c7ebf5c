"""The guards of the engine, and what the checker says when one is missing. `docs/reliability.md` lists them."""

from typing import Any

from tests.simulation.definitions import Focus
from tests.simulation.guards import Cut, Guard
from tests.simulation.simulation import Scenario

HOURS, FEW, MANY = 3, 8, 40
FREQUENT: dict[str, Any] = {"schedule": {"kind": "cron", "expression": "*/2 * * * *"}, "exclude": []}
SIMPLE: dict[str, Any] = {"concurrency": {"policy": "allow"}, "timeout_seconds": 30, "callback": None}
DYING = Focus(
    {**FREQUENT, **SIMPLE, "config": {"duration_seconds": 3}},
    {"kill_effect": 0.4, "duplicate": 0.6, "doubled_tick": 0.3},
)
"""Workers die in their effects, and messages come twice."""
FREEZING = Focus(
    {**FREQUENT, **SIMPLE, "config": {"duration_seconds": 3}, "timeout_seconds": 10},
    {"fault": 0.06, "duplicate": 0.3},
)
"""Sandboxes that stand still, and go on when others have taken over."""
CROWDED = Focus(
    {
        **FREQUENT,
        "concurrency": {"policy": "forbid"},
        "misfire": {"policy": "fire_all"},
        "config": {"duration_seconds": 3},
        "callback": None,
        "timeout_seconds": 30,
    },
    {"dark_hours": 1.0, "kill_effect": 0.1, "duplicate": 0.3},
)
"""Runs that may not overlap, many of them at once after the dark hours."""
LASTING = Focus(
    {
        "schedule": {"kind": "interval", "every": 900},
        "exclude": [],
        "config": {"duration_seconds": 500},
        "callback": None,
        "timeout_seconds": 600,
        "concurrency": {"policy": "allow"},
    },
    {"outages": 200.0, "duplicate": 0.5},
)
"""Attempts of many minutes, while parts are out of reach again and again."""
HASTY = Focus(
    {
        **SIMPLE,
        "schedule": tuple({"kind": "cron", "expression": f"{second} */2 * * * *"} for second in (0, 20, 45)),
        "exclude": [],
        "calendar": None,
        "config": {},
    },
    hurry=40,
)
"""Users who change their minds every few minutes."""
FAILING = Focus(
    {
        **FREQUENT,
        **SIMPLE,
        "config": {"duration_seconds": 20, "failure_rate": 0.8},
        "retry": {"max_attempts": 4, "strategy": "fixed", "initial_delay_seconds": 40, "jitter": "none"},
    },
    hurry=20,
)
"""Attempts that fail, and are cancelled meanwhile."""

BUSY = Focus({**FREQUENT, **SIMPLE, "config": {}})
"""Many short runs."""
FOLLOWING = Focus(
    {
        **FREQUENT,
        **SIMPLE,
        "config": {"outcome": "follow", "follow_deadline_seconds": 600},
    },
    hurry=20,
)
"""Work that goes on elsewhere, and is cancelled meanwhile."""


def _guard(
    name: str, cuts: Cut | tuple[Cut, ...], noticed: str, focus: Focus | None = None, **more: Any
) -> Guard:
    """`noticed`: rules, separated by commas. `more` is of the scenario, if it is not the usual one."""
    few = {"jobs": FEW if focus else MANY}
    scenario = Scenario(**{"seed": 3, "hours": HOURS, "focus": focus or Focus(), **few, **more})
    return Guard(name, cuts if isinstance(cuts, tuple) else (cuts,), frozenset(noticed.split(", ")), scenario)


GUARDS = (
    _guard(
        "the owner token tells who started a run",
        Cut("engine.flow.start:_beside_a_running_one", "existing.owner == owner", "True"),
        "two at once, double",
        DYING,
    ),
    _guard(
        "a refused start is read back, since it may have been our own",
        Cut("engine.flow.start:_beside_a_running_one", "existing.owner == owner", "False"),
        "unused start",
        DYING,
    ),
    _guard(
        "the fence moves with every start",
        Cut("engine.ledger.record:unchanged", ', Is("fence", existing.fence))', ")"),
        "two at once, double",
        DYING,
    ),
    _guard(
        "a run that is leased is left alone",
        Cut("engine.flow.start:_beside_a_running_one", "existing.lease_ms >= now_ms", "False"),
        "two at once, double",
        DYING,
    ),
    _guard(
        "a lease that has run out is taken over",
        Cut("engine.flow.start:_beside_a_running_one", "existing.lease_ms >= now_ms", "True"),
        "stuck",
    ),
    _guard(
        "a first start is an insert that refuses an existing key",
        Cut("engine.ledger.record:first_start", ", Absent())", ")"),
        "double, two at once, final",
        DYING,
    ),
    _guard(
        "a message for an earlier attempt is dropped",
        Cut("engine.flow.start:decide_start", "existing.attempt != message.attempt - 1", "False"),
        "numbering",
        FAILING,
        storm=4,
    ),
    _guard(
        "a result is recorded by the owner of the start alone",
        Cut("engine.ledger.record:ending", "when=mine(before)", "when=None"),
        "final, transition, unrecorded, numbering",
        FREEZING,
    ),
    _guard(
        "the auditor rings again what has vanished",
        Cut("engine.audit.watch:Watch._audit", "in self._group.share(PARTITIONS)", "in ()"),
        "lost, late, stuck",
    ),
    _guard(
        "a start compares the revision of the schedule",
        Cut("engine.flow.start:refusal", "job.schedule_revision != message.schedule_revision", "False"),
        "unwanted",
        HASTY,
    ),
    _guard(
        "a start looks whether its job is paused",
        Cut("engine.flow.start:refusal", "is_paused(job, now_ms)", "False"),
        "unwanted",
        HASTY,
    ),
    _guard(
        "a start leaves out what was to be skipped",
        Cut("engine.flow.start:refusal", "is_unwanted(job, message.nominal_ms)", "False"),
        "unwanted",
    ),
    _guard(
        "the next timer is put before the old one is deleted",
        (
            Cut(
                "engine.ringing.dispatch:_advance",
                "    engine.db.timers.put_all(",
                "    engine.db.timers.delete_all({timer_key(plan.timer) for plan in plans} - following.keys())\n"
                "    engine.db.timers.put_all(",
            ),
            Cut("engine.audit.watch:Watch._repair", "in turns(shards, own.repaired_ms, now_ms)", "in ()"),
        ),
        "lost, timer",
        storm=3,
    ),
    _guard(
        "rings go out before the timer moves on",
        (
            Cut(
                "engine.ringing.dispatch:dispatch",
                "    if rings:\n",
                "    _advance(engine, plans)\n    if rings:\n",
            ),
        ),
        "lost",
        storm=3,
    ),
    _guard(
        "the plan goes on after the last occurrence, not after now",
        Cut("engine.wheel.plan:plan_timer", "table.seek(present_ms - 1)", "table.seek(now_ms)"),
        "lost",
    ),
    _guard(
        "what a misfire rule lets go is written down",
        Cut("engine.ringing.dispatch:dispatch", "if skipped:", "if False:"),
        "lost",
    ),
    _guard(
        "a worker holds a message until its instant",
        Cut("engine.running.work:Worker._begin", "self._hold_until(due_ms, batch)", "pass"),
        "early",
    ),
    _guard(
        "a slot is taken by a conditional write",
        Cut("engine.flow.admission:Admission._take", "free_for(run.id, now_ms)", "None"),
        "overlap",
        CROWDED,
    ),
    _guard(
        "a slot is a lease, and ends by itself",
        Cut("engine.flow.slots:admit", "[slot for slot in slots if slot.until_ms >= now_ms]", "list(slots)"),
        "groundless skip, stuck, leaked slot",
        CROWDED,
    ),
    _guard(
        "a run that has begun is not skipped for want of a slot",
        Cut("engine.flow.admission:Admission._admitted", "started.starts > 1", "message.attempt > 1"),
        "transition, unrecorded",
        CROWDED,
        storm=3,
    ),
    _guard(
        "another attempt is refused to a run that was asked to stop",
        Cut("engine.ledger.record:going_on", 'Lacks("cancel_ms")', "mine(before)"),
        "after a cancel",
        FAILING,
    ),
    _guard(
        "an attempt that cannot renew its lease is abandoned",
        Cut("engine.running.heartbeat:beat", "now_ms >= run.lease_ms - ABANDON_MS", "False"),
        "two at once, double",
        LASTING,
        seed=27,
    ),
    _guard(
        "an Idempotency-Key is noted with what it makes",
        Cut("features.idempotency:once", '(("catalog", noted(tenant, key, made_id, now_s)),)', "()"),
        "doubled request",
        storm=5,
    ),
    _guard(
        "a run's id follows from its occurrence",
        Cut(
            "engine.wheel.plan:_message",
            "run_id(job.id, nominal_ms)",
            "run_id(job.id, nominal_ms, str(next(_DRAWN)))",
        ),
        "two runs",
    ),
    _guard(
        "a change of a job carries its timer",
        Cut("features.jobs.service:_commit", "if timer is not None:", "if False:"),
        "lost",
        storm=3,
        seed=10,
    ),
    _guard(
        "calendars are asked",
        Cut("engine.wheel.arm:agenda_of", "if not calendar_names(job):", "if True:"),
        "closed",
        hours=16,
    ),
    _guard(
        "a retry's timer is in the transaction of its state",
        Cut("engine.running.conclude:Concluder._is_going_on", "transact(*writes)", "transact(*writes[:1])"),
        "stuck",
        FAILING,
        storm=3,
    ),
    _guard(
        "the dead-letter function looks at the record",
        Cut("engine.running.dead_letters:_bury_one", "decode_run(stored) if stored else None", "None"),
        "stuck",
        DYING,
    ),
    _guard(
        "a start deadline is looked at",
        Cut("engine.flow.start:is_too_late", "now_ms > due_ms", "0 > due_ms"),
        "too late",
        Focus({"start_deadline_seconds": 30}, {"dark_hours": 1.0, "delay": 0.2}),
    ),
    _guard(
        "executions are set aside if the month has room for them",
        Cut("engine.flow.usage:executed", "None if limit is None else room_for(count, limit)", "None"),
        "quota",
        BUSY,
        seed=2,
    ),
    _guard(
        "work that is followed is stopped before its run is cancelled",
        Cut("engine.ledger.cancel:cancelled", "run.handle is not None", "False"),
        "followed",
        FOLLOWING,
    ),
)
"""In the order in which a run meets them, as far as there is one."""
