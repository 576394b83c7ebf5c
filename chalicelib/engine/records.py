"""How jobs and runs lie in their tables. Every key carries the tenant."""

import json
from dataclasses import astuple
from typing import Any

from chalicelib.domain.cost import Sizes, Usage, item_bytes, of_run
from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import StoredOutput
from chalicelib.domain.progress import Progress
from chalicelib.domain.run import Attempt, Run, RunStatus
from chalicelib.domain.schedules import as_list
from chalicelib.ports.table import Item, Key

RUN_BUCKETS = 16
"""Partitions over which a tenant's runs are spread: 16 times DynamoDB's 1,000 writes per second."""


def job_key(tenant: str, job_id: str) -> Key:
    return f"{tenant}#{job_id}", "job"


def jobs_list(tenant: str) -> str:
    """The partition of the index `lists` that names a tenant's jobs."""
    return f"{tenant}#jobs"


ROSTER = "roster"
ROSTER_MARKS = ("shard", ROSTER)
"""The attributes that put a job into the index `by_shard`: those that should have a timer."""


def on_roster(job: Job) -> bool:
    """Whether the job should have a timer, as long as its schedule goes on."""
    rests = job.status == "paused" and job.paused_until_ms is None
    return not rests and any(schedule.kind != "manual" for schedule in as_list(job.schedule))


def _roster_marks(job: Job) -> Item:
    if not on_roster(job):
        return {}
    return {
        "shard": f"shard#{job.shard:03d}",
        ROSTER: f"{job.tenant}#{job.id}#{job.schedule_revision}",
    }


def encode_job(job: Job) -> Item:
    pk, sk = job_key(job.tenant, job.id)
    return _roster_marks(job) | {
        "pk": pk,
        "sk": sk,
        "lpk": jobs_list(job.tenant),
        "lsk": job.id,
        "revision": job.revision,
        "doc": job.model_dump_json(exclude_none=True),
    }


def decode_job(item: Item) -> Job:
    return Job.model_validate_json(str(item["doc"]))


def run_key(tenant: str, run_id: str) -> Key:
    return f"{tenant}#{bucket_of(run_id, RUN_BUCKETS):02d}", run_id


def run_partitions(tenant: str) -> list[str]:
    """All partitions that hold a tenant's runs."""
    return [f"{tenant}#{bucket:02d}" for bucket in range(RUN_BUCKETS)]


def runs_of_job(tenant: str, job_id: str) -> str:
    """The partition of the index `by_job`."""
    return f"{tenant}#{job_id}"


def skips_of_job(tenant: str, job_id: str) -> str:
    """The partition of the runs table that holds a job's skipped ranges, by their first moment."""
    return f"{tenant}#{job_id}#skips"


def dead_letters(tenant: str) -> str:
    """The partition of the index `dead`."""
    return f"{tenant}#dead"


_OPTIONAL = (
    "first_started_ms",
    "started_ms",
    "finished_ms",
    "retry_ms",
    "skip_reason",
    "redriven_as",
    "redrive_of",
    "slot",
    "waits",
    "cancel_ms",
    "looked_ms",
    "callback_by_ms",
    "heartbeat_ms",
    "backfill",
    "note",
    "request_id",
    "trace",
)
_ATTEMPT_FIELDS = 6
"""Of a stored attempt; its files follow, if it has any."""
_NUMBERS = ("nominal_ms", "due_ms", "schedule_revision", "attempt", "starts", "fence", "lease_ms")


def encode_run(run: Run, *, expires_at: int) -> Item:
    """The whole run as an item; `expires_at` in epoch seconds is for DynamoDB's TTL."""
    pk, sk = run_key(run.tenant, run.id)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "job": runs_of_job(run.tenant, run.job_id),
        "status": run.status.value,
        "trigger": run.trigger,
        "owner": run.owner,
        "expires_at": expires_at,
    }
    item.update({name: getattr(run, name) for name in _NUMBERS})
    item.update({name: value for name in _OPTIONAL if (value := getattr(run, name)) is not None})
    if run.leases:
        item["leases"] = encode_leases(run.leases)
    if run.trial:
        item["trial"] = 1
    if run.handle is not None:
        item["handle"] = encode_handle(run.handle)
    if run.overrides:
        item["overrides"] = json.dumps(run.overrides, separators=(",", ":"), ensure_ascii=False)
    if run.attempts:
        item["attempts"] = encode_attempts(run.attempts)
    item.update(measured(run))
    if run.progress:
        item["progress"] = encode_progress(run.progress)
    if run.dead:
        item.update(dead_mark(run.tenant, run.id))
    return item


def measured(run: Run) -> Item:
    """The attributes that say what a run took, once an attempt has ended."""
    if not run.shares:
        return {}
    told: Item = {"log_units": run.log_units} if run.log_units else {}
    return {"mb_ms": run.mb_ms, "shares": run.shares, **told}


def usage_of(run: Run) -> Usage:
    """What a run has used so far, as `cost.of_run` has it for a record of its size."""
    return of_run(run, Sizes(run=item_bytes(encode_run(run, expires_at=0))))


def dead_mark(tenant: str, run_id: str) -> Item:
    """The attributes that make a run a dead letter: its place in the index `dead`."""
    return {"dead_pk": dead_letters(tenant), "dead_sk": run_id}


def decode_run(item: Item) -> Run:
    tenant, _, job_id = str(item["job"]).rpartition("#")
    values: dict[str, Any] = {name: int(item.get(name, 0)) for name in _NUMBERS}
    values.update({name: item.get(name) for name in _OPTIONAL})
    return Run(
        id=str(item["sk"]),
        tenant=tenant,
        job_id=job_id,
        status=RunStatus(str(item["status"])),
        trigger=item["trigger"],  # type: ignore[arg-type]
        owner=str(item.get("owner", "")),
        overrides=json.loads(str(item["overrides"])) if "overrides" in item else None,
        handle=json.loads(str(item["handle"])) if "handle" in item else None,
        attempts=decode_attempts(str(item.get("attempts", "[]"))),
        dead="dead_pk" in item,
        mb_ms=int(item.get("mb_ms", 0)),
        shares=int(item.get("shares", 0)),
        log_units=int(item.get("log_units", 0)),
        leases=decode_leases(str(item.get("leases", ""))),
        trial="trial" in item,
        progress=decode_progress(str(item["progress"])) if "progress" in item else None,
        **values,
    )


def encode_handle(handle: dict[str, Any]) -> str:
    """As compact JSON."""
    return json.dumps(handle, separators=(",", ":"), ensure_ascii=False)


def encode_leases(leases: tuple[tuple[str, int], ...]) -> str:
    """The slots that a run holds, gate by gate."""
    return " ".join(f"{gate}={number}" for gate, number in leases)


def decode_leases(text: str) -> tuple[tuple[str, int], ...]:
    pairs = (each.rpartition("=") for each in text.split())
    return tuple((gate, int(number)) for gate, _, number in pairs)


def encode_attempts(attempts: tuple[Attempt, ...]) -> str:
    """Compact JSON, an array an attempt."""
    return json.dumps([_attempt_row(a) for a in attempts], separators=(",", ":"), ensure_ascii=False)


def _attempt_row(attempt: Attempt) -> list[Any]:
    """As `Attempt` has it; files only where there are any."""
    a = attempt
    row = [a.number, a.started_ms, a.finished_ms, a.outcome, a.error, a.result]
    return [*row, [astuple(each) for each in a.outputs]] if a.outputs else row


def encode_progress(progress: Progress) -> str:
    row = [progress.percent, progress.at_ms, progress.message, progress.data]
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False)


def decode_progress(text: str) -> Progress:
    return Progress(*json.loads(text))


def decode_attempts(text: str) -> tuple[Attempt, ...]:
    return tuple(_attempt(*row) for row in json.loads(text))


def _attempt(*row: Any) -> Attempt:
    known, files = row[:_ATTEMPT_FIELDS], row[_ATTEMPT_FIELDS:]
    return Attempt(*known, *(tuple(StoredOutput(*each) for each in stored) for stored in files))
