"""Failures in a row: counted in the transaction that ends a run, which pauses the job when there are enough.

Only for jobs that ask for it (`pause_after_failures`), and only their schedule's own runs: triggers, redrives and
backfills neither count nor reset the count. One transaction, so that no crash comes between an end and its counting.
"""

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.pause import is_paused, paused
from chalicelib.domain.run import DEAD, Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.revisions import change_writes
from chalicelib.engine.records import decode_job, decode_run, encode_job, job_key, run_key
from chalicelib.ports.table import (
    Absent,
    Condition,
    ConditionFailed,
    Is,
    Item,
    Key,
    Put,
    TableName,
    Write,
)

OURSELVES = "chronos"
"""Who saved the revision that pauses a job."""
TRIES = 8
"""Ends of runs of one job that may come between the reading of its count and the writing."""

Writes = tuple[tuple[TableName, Write], ...]


def streak_key(tenant: str, job_id: str) -> Key:
    return f"{tenant}#{job_id}#streak", "failures"


def is_counted(job: Job | None, run: Run) -> bool:
    """Whether the end of this run changes its job's count."""
    if job is None or job.pause_after_failures is None or run.trigger != "schedule":
        return False
    return run.status is RunStatus.SUCCEEDED or run.status in DEAD


def write_end(engine: Engine, job: Job | None, run: Run, write: Write) -> None:
    """Record the end of a run by this write, and count it. ConditionFailed if the run has gone on without us.

    An end that was written before, its answer lost, is no failure and counts once.
    """
    if job is None or not is_counted(job, run):
        engine.db.runs.write(write)
        return
    for _ in range(TRIES):
        counting = _counting(engine, job, run)
        try:
            engine.db.transact(("runs", write), *counting)
        except ConditionFailed:
            if _is_recorded(engine, run):
                return
            continue
        return
    raise Unavailable("The failures of this job change faster than they can be counted.")


def beginning_anew(job: Job, when: Condition | None = None) -> Put:
    """No failure has been seen."""
    return Put(_item(job, 0), when)


def forgotten(job: Job, now_ms: int) -> Put:
    """The count of a job that is being deleted: DynamoDB removes it."""
    return Put({**_item(job, 0), "expires_at": now_ms // 1000})


def _item(job: Job, failures: int) -> Item:
    pk, sk = streak_key(job.tenant, job.id)
    return {"pk": pk, "sk": sk, "failures": failures}


def _counting(engine: Engine, job: Job, run: Run) -> Writes:
    """What goes along with the end of the run: the new count, and the pause if it is due."""
    if run.status is RunStatus.SUCCEEDED:
        return (("runs", beginning_anew(job)),)
    stored = engine.db.runs.get(streak_key(job.tenant, job.id))
    before = int(stored["failures"]) if stored else 0
    unchanged = Is("failures", before) if stored else Absent()
    counted: tuple[TableName, Write] = ("runs", Put(_item(job, before + 1), unchanged))
    if before + 1 < (job.pause_after_failures or 0):
        return (counted,)
    return (counted, *_pausing(engine, job, run, before + 1))


def _pausing(engine: Engine, job: Job, run: Run, failures: int) -> Writes:
    """The pause of the job as it is by now, if it still wants that and does not rest anyway."""
    current, now_ms = _current(engine, job), engine.clock.now_ms()
    if current is None or current.pause_after_failures is None or is_paused(current, now_ms):
        return ()
    if failures < current.pause_after_failures:
        return ()
    note = f"{failures} failure{'s' if failures > 1 else ''} in a row; the last was {run.id}."
    resting = paused(current, max(now_ms, current.updated_ms), {"pause_note": note}, cause="failures")
    resting = resting.model_copy(update={"updated_by": OURSELVES})
    put: tuple[TableName, Write] = ("catalog", Put(encode_job(resting), Is("revision", current.revision)))
    return (put, *change_writes(current, resting, engine.settings))


def _current(engine: Engine, job: Job) -> Job | None:
    """The job as it is by now; None if it is gone, or cannot be read."""
    key = job_key(job.tenant, job.id)
    item = engine.db.catalog.get_many([key]).get(key)
    try:
        return decode_job(item) if item else None
    except ValueError:
        return None


def _is_recorded(engine: Engine, run: Run) -> bool:
    """Whether the refused end stands already; False if only the count had changed. ConditionFailed otherwise."""
    item = engine.db.runs.get(run_key(run.tenant, run.id))
    if item is None:
        return False
    stored = decode_run(item)
    same = (stored.fence, stored.owner) == (run.fence, run.owner)
    if same and stored.status is run.status:
        return True
    if not same or stored.is_final:
        raise ConditionFailed(item)
    return False
