"""Backfills at work: each step looks at the active runs, claims the next occurrences in one transaction, and rings.

A step follows from what the tables hold, never from what was told: a worker that ends a run, the api and the
dispatcher each minute all take the same steps, and a step that was taken already changes nothing.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from itertools import islice

from chalicelib.domain.backfill import (
    Backfill,
    Candidate,
    Claim,
    examined,
    finished,
    is_stalled,
    looked_at,
    slots_of,
)
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ids import run_id
from chalicelib.domain.occurrences import Timetable
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.record import unchanged
from chalicelib.engine.ledger.skips import skips_between
from chalicelib.engine.records import dead_letters, decode_job, decode_run, encode_run, job_key, run_key
from chalicelib.engine.ringing.dispatch import dispatch
from chalicelib.engine.ringing.floor import floor_for
from chalicelib.engine.wheel.arm import agenda_of, message_of, timetable_of, trigger_timer
from chalicelib.engine.wheel.calendars import calendar_names, read_calendars
from chalicelib.engine.wheel.due_job import decode_due_job
from chalicelib.engine.wheel.timers import BackfillTimer, RunTimer, encode_timer, timer_key
from chalicelib.ports.table import (
    Absent,
    Condition,
    ConditionFailed,
    Is,
    Item,
    Key,
    Put,
    TableName,
    Update,
    Write,
    all_of,
)

STEPS = 20
"""Steps of one call; the next call goes on."""
CHUNK = 100
"""Occurrences examined in one step."""
CHAIN = 20
"""How often one occurrence may have been done again before the next time is not looked for."""
TICK_MS = 60_000


def backfill_key(tenant: str, backfill_id: str) -> Key:
    return f"{tenant}#{backfill_id}", "backfill"


def backfills_of_job(tenant: str, job_id: str) -> str:
    """The partition of the index `lists` that names a job's backfills."""
    return f"{tenant}#{job_id}#backfills"


def encode_backfill(backfill: Backfill, *, expires_at: int | None = None) -> Item:
    """`expires_at` in epoch seconds for one that is over."""
    pk, sk = backfill_key(backfill.tenant, backfill.id)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "lpk": backfills_of_job(backfill.tenant, backfill.job_id),
        "lsk": backfill.id,
        "version": backfill.version,
        "doc": json.dumps(asdict(backfill), separators=(",", ":"), ensure_ascii=False),
    }
    return item if expires_at is None else {**item, "expires_at": expires_at}


def decode_backfill(item: Item) -> Backfill:
    values = json.loads(str(item["doc"]))
    return Backfill(**{**values, "active": tuple(values["active"])})


def read_backfill(engine: Engine, tenant: str, backfill_id: str) -> Backfill | None:
    item = engine.db.catalog.get(backfill_key(tenant, backfill_id))
    return decode_backfill(item) if item else None


def next_timer(backfill: Backfill, now_ms: int) -> BackfillTimer:
    """The dispatcher's next look, on the next whole minute."""
    due_ms = (now_ms // TICK_MS + 1) * TICK_MS
    return BackfillTimer(backfill.shard, backfill.tenant, backfill.id, due_ms)


def save(backfill: Backfill, engine: Engine) -> Put:
    """The write that replaces the version before."""
    expires_at = None if backfill.finished_ms is None else engine.settings.expires_at(backfill.finished_ms)
    return Put(encode_backfill(backfill, expires_at=expires_at), Is("version", backfill.version - 1))


def advance(engine: Engine, tenant: str, backfill_id: str, *, steps: int = STEPS) -> Backfill | None:
    """Take steps while there is something to do; the backfill as it is then, None if there is none."""
    backfill = read_backfill(engine, tenant, backfill_id)
    for _ in range(steps):
        if backfill is None or backfill.is_over:
            break
        now_ms = engine.clock.now_ms()
        after, claims = _step(engine, backfill, now_ms)
        if after == backfill:
            break
        after = replace(after, version=backfill.version + 1)
        try:
            engine.db.transact(
                ("catalog", save(after, engine)), *_claim_writes(engine, claims, backfill.shard)
            )
        except ConditionFailed:
            backfill = read_backfill(engine, tenant, backfill_id)
            continue
        backfill = after
        _ring(engine, [trigger_timer(claim.run, backfill.shard) for claim in claims])
    return backfill


def go_on(engine: Engine, tenant: str, backfill_id: str) -> None:
    """Advance it, since one of its runs has ended. If this fails, the dispatcher does it within a minute."""
    try:
        advance(engine, tenant, backfill_id)
    except Exception as error:  # noqa: BLE001 - a surprise here must not cost anything else
        told = error.message if isinstance(error, Unavailable) else type(error).__name__
        engine.telemetry.warning("A backfill is left to the dispatcher.", error=told)


def look_after(engine: Engine, timer: BackfillTimer) -> None:
    """The dispatcher's look: go on where others have left off, ring what seems lost, set the next timer."""
    now_ms = engine.clock.now_ms()
    following = None
    try:
        floor_ms = floor_for(engine, [timer])
        if timer.due_ms < floor_ms:
            _stop_restored(engine, timer)
        backfill = advance(engine, timer.tenant, timer.backfill_id)
        if backfill is not None and not backfill.is_over:
            following = next_timer(backfill, now_ms)
            _ring(engine, _lost(engine, backfill, now_ms), floor_ms)
            engine.db.timers.put_all([encode_timer(following)])
        if following is None or timer_key(following) != timer_key(timer):
            engine.db.timers.delete_all([timer_key(timer)])
    except (Unavailable, ConditionFailed, ValueError) as error:
        engine.telemetry.warning(
            "A backfill is left to the next tick.",
            backfill_id=timer.backfill_id,
            error=error.message if isinstance(error, Unavailable) else type(error).__name__,
        )


def _stop_restored(engine: Engine, timer: BackfillTimer) -> None:
    """After a restore: what it has done since is not known, and must not be done again."""
    backfill = read_backfill(engine, timer.tenant, timer.backfill_id)
    if backfill is not None and not (backfill.is_over or backfill.stopped):
        stopped = replace(backfill, stopped="restored", version=backfill.version + 1)
        engine.db.catalog.write(save(stopped, engine))


def nominals_after(backfill: Backfill, count: int) -> list[int]:
    """The next occurrences to examine, in the backfill's order."""
    table = timetable_of(decode_due_job({"doc": backfill.job}))
    if backfill.order == "oldest_first":
        low = backfill.start_ms if backfill.cursor_ms is None else backfill.cursor_ms + 1
        return list(islice(table.between(low, backfill.end_ms), count))
    high = backfill.end_ms if backfill.cursor_ms is None else backfill.cursor_ms
    return table.latest(backfill.start_ms - 1, high - 1, count)[::-1] if high > backfill.start_ms else []


def candidates(engine: Engine, backfill: Backfill, nominals: list[int]) -> list[Candidate]:
    """What is known of these occurrences, by strongly consistent reads."""
    if not nominals:
        return []
    agenda = _agenda(engine, backfill)
    own = {nominal_ms: run_id(backfill.job_id, nominal_ms) for nominal_ms in nominals}
    latest = _latest(engine, backfill.tenant, own.values())
    skips = []
    if backfill.reprocess == "none":
        skips = skips_between(engine, backfill.tenant, backfill.job_id, min(nominals), max(nominals))
    return [
        Candidate(
            nominal_ms,
            latest.get(identifier),
            any(skip.covers(nominal_ms) for skip in skips),
            agenda is not None and agenda.lands(nominal_ms) is None,
        )
        for nominal_ms, identifier in own.items()
    ]


def _agenda(engine: Engine, backfill: Backfill) -> Timetable | None:
    """What the calendars of the job say; None if it uses none."""
    job = decode_due_job({"doc": backfill.job})
    return agenda_of(job, read_calendars(engine, [job])) if calendar_names(job) else None


def _step(engine: Engine, backfill: Backfill, now_ms: int) -> tuple[Backfill, list[Claim]]:
    item = engine.db.catalog.get(job_key(backfill.tenant, backfill.job_id))
    runs = _runs(engine, backfill.tenant, backfill.active)
    after, claims = looked_at(backfill, runs, job_exists=item is not None), list[Claim]()
    job = decode_job(item) if item else None
    if job is not None and (room := after.room(slots_of(job.concurrency))):
        nominals = nominals_after(after, CHUNK + 1)
        after, claims = examined(
            after,
            candidates(engine, after, nominals[:CHUNK]),
            room,
            more=len(nominals) > CHUNK,
            job=job,
            now_ms=now_ms,
        )
    return finished(after, now_ms), claims


def _claim_writes(engine: Engine, claims: Iterable[Claim], shard: int) -> Iterable[tuple[TableName, Write]]:
    for claim in claims:
        run = claim.run
        expires_at = engine.settings.expires_at(run.due_ms)
        yield "runs", Put(encode_run(run, expires_at=expires_at), Absent())
        yield "timers", Put(encode_timer(trigger_timer(run, shard)))
        if claim.instead_of is not None:
            yield "runs", _done_again(claim.instead_of, run)


def _done_again(before: Run, run: Run) -> Update:
    """Marks the run in whose place another comes, if it still stands as it was; it is no dead letter any more.

    The fence moves, so that nobody who has read it before can start it, redrive it, or do it again too.
    """
    as_it_was: Condition = unchanged(before)
    if before.dead:
        as_it_was = all_of(as_it_was, Is("dead_pk", dead_letters(before.tenant)))
    return Update(
        run_key(before.tenant, before.id),
        {"redriven_as": run.id},
        add={"fence": 1},
        remove=("dead_pk", "dead_sk"),
        when=as_it_was,
    )


def _runs(engine: Engine, tenant: str, identifiers: Iterable[str]) -> dict[str, Run]:
    items = engine.db.runs.get_many([run_key(tenant, identifier) for identifier in identifiers])
    return {sk: decode_run(item) for (_, sk), item in items.items()}


def _latest(engine: Engine, tenant: str, identifiers: Iterable[str]) -> dict[str, Run]:
    """By the occurrence's own run id: the run that did it last, however often it was done again."""
    found = _runs(engine, tenant, identifiers)
    for _ in range(CHAIN):
        following = {run.redriven_as: name for name, run in found.items() if run.redriven_as}
        if not following:
            break
        later = _runs(engine, tenant, [identifier for identifier in following if identifier])
        if not later:
            break
        found |= {following[identifier]: run for identifier, run in later.items()}
    return found


def _lost(engine: Engine, backfill: Backfill, now_ms: int) -> list[RunTimer]:
    """Timers of the active runs that seem to have lost their message."""
    runs = _runs(engine, backfill.tenant, backfill.active).values()
    stalled = [run for run in runs if is_stalled(run, now_ms)]
    return [
        RunTimer(
            backfill.shard,
            message_of(
                run,
                due_ms=now_ms,
                attempt=run.attempt + (run.status in (RunStatus.PENDING, RunStatus.RETRYING)),
            ),
        )
        for run in stalled
    ]


def _ring(engine: Engine, timers: list[RunTimer], floor_ms: int = 0) -> None:
    """The claims stand whatever happens here: a run that could not be rung is left to its timer."""
    if not timers:
        return
    try:
        dispatch(engine, timers, floor_ms=floor_ms)
    except Unavailable as error:
        engine.telemetry.warning("Rings are left to the dispatcher.", error=error.message)
