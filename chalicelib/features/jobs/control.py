"""Pausing and skipping over HTTP: what the bodies may say, and what is answered."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Invalid
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.job import Job, PauseCause
from chalicelib.domain.pause import MAX_NOTE, PauseFields, is_paused
from chalicelib.domain.schedule import Moment
from chalicelib.domain.skip_next import MAX_SKIPPED, unwanted
from chalicelib.engine.wheel.arm import agenda_of, timetable_of
from chalicelib.engine.wheel.calendars import Calendars

_MOMENT: dict[str, Any] = {"format": "date-time"}


class PauseBody(BaseModel):
    """A pause. For a job that is paused already, what is left out stays as it is, and null removes it."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    note: str | None = Field(None, max_length=MAX_NOTE, description="Why: shown with the job.")
    until: Moment | None = Field(
        None,
        description="The job goes on by itself at this moment, which lies in the future. null: it waits.",
    )


class SkipBody(BaseModel):
    """How many occurrences to leave out."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    count: int = Field(
        ge=0, le=MAX_SKIPPED, strict=True, description="0: none, also of those that were to be left out."
    )


class Pause(BaseModel):
    """Why a job rests, and how long."""

    model_config = ConfigDict(defer_build=True)

    note: str | None
    cause: PauseCause = Field(description="A request, or too many failures in a row.")
    since: str = Field(json_schema_extra=_MOMENT)
    until: str | None = Field(json_schema_extra=_MOMENT, description="null: until it is resumed.")


class SkipList(BaseModel):
    """The occurrences that are left out, by their nominal times."""

    model_config = ConfigDict(defer_build=True)

    skipped: list[str] = Field(json_schema_extra={"items": {"type": "string", "format": "date-time"}})


def pause_fields(body: PauseBody | None, now_ms: int) -> PauseFields:
    """What the body gives. Invalid if the end is not in the future."""
    fields = PauseFields()
    if body is None:
        return fields
    if "note" in body.model_fields_set:
        fields["pause_note"] = body.note or None
    if "until" in body.model_fields_set:
        fields["paused_until_ms"] = None if body.until is None else epoch_ms(body.until)
        if body.until and epoch_ms(body.until) <= now_ms:
            raise Invalid.field("/until", "This must be in the future.", "not_in_future")
    return fields


def pause_view(job: Job, now_ms: int) -> Pause | None:
    """The pause that the job is in, if it is."""
    if not is_paused(job, now_ms):
        return None
    until_ms = job.paused_until_ms
    return Pause.model_construct(
        note=job.pause_note,
        cause=job.pause_cause or "request",
        since=rfc3339(job.paused_ms or job.updated_ms),
        until=None if until_ms is None else rfc3339(until_ms),
    )


def skip_list(job: Job, now_ms: int, calendars: Calendars) -> SkipList:
    """What is still to be left out, apart from what a calendar skips anyway."""
    agenda = agenda_of(job, calendars)
    found = [each for each in unwanted(job, timetable_of(job), now_ms) if agenda.lands(each) is not None]
    return SkipList.model_construct(skipped=[rfc3339(each) for each in found])
