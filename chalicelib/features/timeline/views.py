"""Timelines as clients see them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.run import RunStatus, Trigger
from chalicelib.engine.ledger.timeline import Entry, Outcome, Segment
from chalicelib.features.paging import Page

_MOMENT: dict[str, Any] = {"format": "date-time"}


class TimelineEntry(BaseModel):
    """An occurrence that the job had, and what became of it."""

    model_config = ConfigDict(defer_build=True)

    nominal_at: str = Field(json_schema_extra=_MOMENT)
    scheduled_at: str = Field(
        json_schema_extra=_MOMENT,
        description="With the occurrence's jitter, and where its calendar moves it.",
    )
    revision: int = Field(description="The revision of the job that had it.")
    outcome: Outcome = Field(
        description="run: see `run_id` and `status`; skipped: see `reason`; upcoming; "
        "pending: due, and on its way; unknown: its record has expired."
    )
    explanation: str = Field(description="Why, in a sentence.")
    reason: str | None = Field(
        description="Stable: a skip reason; `paused` and `calendar` also for what they may yet stop."
    )
    run_id: str | None
    status: RunStatus | None = Field(description="Of the run.")
    trigger: Trigger | None = Field(description="What made the run; `backfill` where one caught it up.")
    done_again_as: str | None = Field(description="The run that did it again: a redrive, or a backfill's.")


class Gap(BaseModel):
    """A stretch of the window of which it is not known what occurrences the job had."""

    model_config = ConfigDict(defer_build=True)

    from_at: str | None = Field(json_schema_extra=_MOMENT, description="null: from the beginning.")
    until_at: str | None = Field(json_schema_extra=_MOMENT, description="null: until now, and further.")
    explanation: str


class Timeline(Page):
    """One page of a timeline, in the order of time."""

    from_at: str = Field(json_schema_extra=_MOMENT, description="The window: from here,")
    until_at: str = Field(json_schema_extra=_MOMENT, description="until before here.")
    items: list[TimelineEntry]
    gaps: list[Gap] = Field(description="Usually none.")


def entry_view(entry: Entry) -> TimelineEntry:
    run, each = entry.run, entry.occurrence
    return TimelineEntry.model_construct(
        nominal_at=rfc3339(each.nominal_ms),
        scheduled_at=rfc3339(each.due_ms),
        revision=each.segment.number,
        outcome=entry.outcome,
        explanation=entry.explanation,
        reason=entry.reason,
        run_id=run.id if run else None,
        status=run.status if run else None,
        trigger=run.trigger if run else None,
        done_again_as=run.redriven_as if run else None,
    )


def gaps(known_from_ms: int | None, unreadable: list[Segment]) -> list[Gap]:
    found = []
    if known_from_ms is not None:
        found.append(_gap(None, known_from_ms, "The job's revisions of that time are not kept any more."))
    for segment in unreadable:
        why = f"The schedule of revision {segment.number} cannot be read any more."
        found.append(_gap(segment.after_ms, segment.until_ms, why))
    return found


def _gap(from_ms: int | None, until_ms: int | None, explanation: str) -> Gap:
    return Gap.model_construct(
        from_at=None if from_ms is None else rfc3339(from_ms),
        until_at=None if until_ms is None else rfc3339(until_ms),
        explanation=explanation,
    )
