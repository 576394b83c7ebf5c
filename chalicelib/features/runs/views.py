"""Runs as clients see them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.outcome import StoredOutput
from chalicelib.domain.prices import Prices
from chalicelib.domain.run import Attempt, Run, RunStatus, SkipReason, Trigger
from chalicelib.domain.trace import trace_id
from chalicelib.engine.records import usage_of
from chalicelib.features.paging import Page

_MOMENT: dict[str, Any] = {"format": "date-time"}


class AttemptError(BaseModel):
    """Why an attempt failed."""

    model_config = ConfigDict(defer_build=True, extra="allow")

    kind: str = Field(description="An error kind, as `retry_on` knows them.")
    message: str
    status: int | None = Field(None, description="The HTTP status of the answer, where there was one.")


class OutputView(BaseModel):
    """A file that an attempt has stored."""

    model_config = ConfigDict(defer_build=True)

    name: str
    bytes: int
    sha256: str = Field(description="In hex.")
    media_type: str


class AttemptView(BaseModel):
    """One attempt of a run."""

    model_config = ConfigDict(defer_build=True)

    number: int = Field(description="Counted from 1.")
    started_at: str = Field(json_schema_extra=_MOMENT)
    finished_at: str | None = Field(json_schema_extra=_MOMENT)
    outcome: Literal["running", "waiting", "succeeded", "failed", "timed_out", "lost", "cancelled"]
    error: AttemptError | None
    result: dict[str, Any] | None
    outputs: list[OutputView] = Field(
        description="Files that it has stored; `GET /runs/{id}/outputs` has links."
    )


class ProgressView(BaseModel):
    """How far the latest attempt said that it had come."""

    model_config = ConfigDict(defer_build=True)

    percent: float
    message: str | None
    data: dict[str, Any] | None
    at: str = Field(json_schema_extra=_MOMENT, description="When it was reported.")


class RunSummary(BaseModel):
    """A run, without its attempts."""

    model_config = ConfigDict(defer_build=True)

    id: str
    job_id: str
    status: RunStatus
    trigger: Trigger
    nominal_at: str = Field(
        json_schema_extra=_MOMENT, description="The occurrence's own time, by which it is known."
    )
    scheduled_at: str = Field(json_schema_extra=_MOMENT, description="When it was to start: with its jitter.")
    started_at: str | None = Field(json_schema_extra=_MOMENT, description="The start of the first attempt.")
    finished_at: str | None = Field(json_schema_extra=_MOMENT)
    attempt: int = Field(description="The number of the latest attempt; 0 before the first.")
    drift_ms: int | None = Field(description="How much later than `scheduled_at` the first attempt started.")
    next_attempt_at: str | None = Field(
        json_schema_extra=_MOMENT, description="For a run that is RETRYING, or put off by a rate."
    )
    waiting_at: str | None = Field(
        description="The gate where it waits to be called: `tenant`, or `target:` and a host."
    )
    callback_by: str | None = Field(
        json_schema_extra=_MOMENT,
        description="By when it must call back, or its work be over, for a run that is WAITING.",
    )
    skip_reason: SkipReason | None
    cancel_requested_at: str | None = Field(
        json_schema_extra=_MOMENT, description="When it was asked to stop."
    )
    progress: ProgressView | None = Field(description="null: nothing was reported.")
    note: str | None = Field(description="What was given with the trigger.")
    request_id: str | None = Field(description="The request that triggered or redrove it, as in the logs.")
    trace_id: str = Field(
        description="The W3C trace that its requests carry: that of the request which asked for it, or its own."
    )
    redrive_of: str | None = Field(description="The dead run that this one does again.")
    redriven_as: str | None = Field(description="The run that does this dead one again.")


class RunCost(BaseModel):
    """What a run has used of AWS so far, and what that costs at list prices, without what it calls.

    The worker's time is measured; the other amounts follow from the record and from how Chronos works.
    """

    model_config = ConfigDict(defer_build=True)

    usd: float
    write_units: float = Field(description="Of DynamoDB.")
    read_units: float
    queue_requests: float = Field(description="Of SQS.")
    invocations: float = Field(description="Of Lambda: its share, where a batch has several runs.")
    gb_seconds: float = Field(description="Of Lambda, the wait for the due moment included.")
    log_bytes: float = Field(description="Of CloudWatch. The run's own lines are among the `write_units`.")
    file_requests: float = Field(description="Of S3.")
    file_gb: float = Field(description="In files of the run, as long as they are kept.")


class RunView(RunSummary):
    """A run with its attempts."""

    model_config = ConfigDict(defer_build=True)

    cost: RunCost
    overrides: dict[str, Any] | None = Field(
        description="What the trigger changes in the job's config for this run: a merge patch."
    )
    attempts: list[AttemptView]


class RunPage(Page):
    """One page of runs, the latest occurrence first."""

    items: list[RunSummary]


def run_summary(run: Run) -> RunSummary:
    return RunSummary.model_construct(**summary_fields(run))


def run_view(run: Run, prices: Prices) -> RunView:
    return RunView.model_construct(**detail_fields(run, prices))


def summary_fields(run: Run) -> dict[str, Any]:
    """The values of a RunSummary, by name."""
    return {
        "id": run.id,
        "job_id": run.job_id,
        "status": run.status,
        "trigger": run.trigger,
        "nominal_at": rfc3339(run.nominal_ms),
        "scheduled_at": rfc3339(run.due_ms),
        "started_at": _moment(run.first_started_ms),
        "finished_at": _moment(run.finished_ms),
        "attempt": run.attempt,
        "drift_ms": run.drift_ms,
        "next_attempt_at": _moment(run.retry_ms),
        "callback_by": _moment(run.callback_by_ms if run.status is RunStatus.WAITING else None),
        "waiting_at": run.waits.partition("#")[0] if run.waits else None,
        "skip_reason": run.skip_reason,
        "cancel_requested_at": _moment(run.cancel_ms),
        "progress": progress_view(run),
        "note": run.note,
        "request_id": run.request_id,
        "trace_id": trace_id(run.id, run.trace),
        "redrive_of": run.redrive_of,
        "redriven_as": run.redriven_as,
    }


def detail_fields(run: Run, prices: Prices) -> dict[str, Any]:
    """The values of a RunView, by name."""
    return {
        **summary_fields(run),
        "cost": cost_view(run, prices),
        "overrides": run.overrides,
        "attempts": attempt_views(run),
    }


def progress_view(run: Run) -> ProgressView | None:
    if run.progress is None:
        return None
    told = run.progress
    return ProgressView.model_construct(
        percent=told.percent, message=told.message, data=told.data, at=rfc3339(told.at_ms)
    )


def cost_view(run: Run, prices: Prices) -> RunCost:
    usage = usage_of(run)
    shown: dict[str, Any] = usage.shown()
    return RunCost.model_construct(usd=round(usage.total_usd(prices), 9), **shown)


def attempt_views(run: Run) -> list[AttemptView]:
    """Those that ended, and the one under way."""
    attempts = [attempt for attempt in run.attempts if attempt.outcome != "running"]
    if run.status is RunStatus.RUNNING and run.started_ms is not None:
        attempts.append(Attempt(run.attempt, run.started_ms, None, "running"))
    return [_attempt_view(attempt) for attempt in attempts]


def _attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView.model_construct(
        number=attempt.number,
        started_at=rfc3339(attempt.started_ms),
        finished_at=_moment(attempt.finished_ms),
        outcome=attempt.outcome,
        error=AttemptError.model_construct(**attempt.error) if attempt.error else None,
        result=attempt.result,
        outputs=[OutputView.model_construct(**output_fields(each)) for each in attempt.outputs],
    )


def output_fields(file: StoredOutput) -> dict[str, Any]:
    """The values of an OutputView, by name."""
    return {"name": file.name, "bytes": file.bytes, "sha256": file.sha256, "media_type": file.media_type}


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)
