"""Backfills as clients send and see them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from chalicelib.domain.backfill import (
    MAX_ACTIVE,
    MAX_OCCURRENCES,
    WHY_LEFT_OUT,
    Backfill,
    BackfillStatus,
    Candidate,
    LeftOut,
    Order,
    Reprocess,
    StopReason,
    left_out,
)
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.schedule import Moment
from chalicelib.features.paging import Page

_MOMENT: dict[str, Any] = {"format": "date-time"}


class BackfillRequest(BaseModel):
    """Which occurrences to run, and how."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    start: Moment = Field(description="From here, included; also from before the job was created.")
    end: Moment = Field(description="Until here, not included; not in the future.")
    dry_run: bool = Field(
        default=False, strict=True, description="Only tell what would run, and what is left out and why."
    )
    limit: int | None = Field(
        None, ge=1, le=MAX_OCCURRENCES, strict=True, description="So many runs at most. null: all."
    )
    order: Order = "oldest_first"
    max_active: int = Field(
        1, ge=1, le=MAX_ACTIVE, strict=True, description="So many of its runs at a time, retries included."
    )
    reprocess: Reprocess = Field(
        "failed",
        description="none: only what has no record. failed: also what failed, timed out, was cancelled or skipped. "
        "all: also what succeeded.",
    )

    @field_validator("end")
    @classmethod
    def _ends_after_its_start(cls, end: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("start")
        if start and end <= start:
            raise PydanticCustomError("end_before_start", "end must be later than start")
        return end


class Progress(BaseModel):
    """How far a backfill has come, in occurrences."""

    model_config = ConfigDict(defer_build=True)

    total: int = Field(description="Occurrences between start and end.")
    examined: int = Field(description="claimed + left out.")
    claimed: int = Field(description="Runs that it has brought into being: active + ended.")
    active: int = Field(description="Runs that had not ended at its last look.")
    ended: dict[str, int] = Field(
        description="By status; EXPIRED: the record was gone before it was looked at."
    )
    left_out: dict[str, int] = Field(description="Occurrences that were not run, by why.")


class BackfillView(BaseModel):
    """A backfill."""

    model_config = ConfigDict(defer_build=True)

    id: str
    job_id: str
    status: BackfillStatus = Field(
        description="cancelling: it starts nothing more, and waits for what is active."
    )
    start: str = Field(json_schema_extra=_MOMENT)
    end: str = Field(json_schema_extra=_MOMENT)
    order: Order
    reprocess: Reprocess
    max_active: int
    limit: int | None
    created_at: str = Field(json_schema_extra=_MOMENT)
    created_by: str
    finished_at: str | None = Field(json_schema_extra=_MOMENT)
    stopped_because: StopReason | None
    progress: Progress
    active_runs: list[str]


class BackfillPage(Page):
    """One page of a job's backfills, the newest first."""

    items: list[BackfillView]


class LeftOutOccurrence(BaseModel):
    """An occurrence that a backfill would not run."""

    model_config = ConfigDict(defer_build=True)

    nominal_at: str = Field(json_schema_extra=_MOMENT)
    why: LeftOut
    explanation: str
    run_id: str | None = Field(description="Its latest run, where there is one.")


class DryRun(BaseModel):
    """What a backfill would do now."""

    model_config = ConfigDict(defer_build=True)

    total: int = Field(description="Occurrences between start and end.")
    examined: int = Field(
        description="How many of them were looked at: until `limit` is reached, at most 1,000."
    )
    would_run: list[str] = Field(description="Their nominal moments, in the order in which they would run.")
    left_out: list[LeftOutOccurrence]


def backfill_view(backfill: Backfill) -> BackfillView:
    return BackfillView.model_construct(
        id=backfill.id,
        job_id=backfill.job_id,
        status=backfill.status,
        start=rfc3339(backfill.start_ms),
        end=rfc3339(backfill.end_ms),
        order=backfill.order,
        reprocess=backfill.reprocess,
        max_active=backfill.max_active,
        limit=backfill.limit,
        created_at=rfc3339(backfill.created_ms),
        created_by=backfill.created_by,
        finished_at=None if backfill.finished_ms is None else rfc3339(backfill.finished_ms),
        stopped_because=backfill.stopped,
        progress=_progress(backfill),
        active_runs=list(backfill.active),
    )


def dry_run_view(backfill: Backfill, candidates: list[Candidate]) -> DryRun:
    """What is looked at ends where the limit is reached."""
    would_run, left, examined = list[str](), list[LeftOutOccurrence](), 0
    for candidate in candidates:
        if len(would_run) == backfill.limit:
            break
        examined += 1
        why = left_out(candidate, backfill.reprocess)
        if why is None:
            would_run.append(rfc3339(candidate.nominal_ms))
        else:
            left.append(_left_out(candidate, why))
    return DryRun.model_construct(total=backfill.total, examined=examined, would_run=would_run, left_out=left)


def _left_out(candidate: Candidate, why: LeftOut) -> LeftOutOccurrence:
    return LeftOutOccurrence.model_construct(
        nominal_at=rfc3339(candidate.nominal_ms),
        why=why,
        explanation=WHY_LEFT_OUT[why],
        run_id=candidate.latest.id if candidate.latest else None,
    )


def _progress(backfill: Backfill) -> Progress:
    return Progress.model_construct(
        total=backfill.total,
        examined=backfill.claimed + sum(backfill.left_out.values()),
        claimed=backfill.claimed,
        active=len(backfill.active),
        ended=dict(backfill.ended),
        left_out=dict(backfill.left_out),
    )
