"""Which runs are meant: the filters of their lists, and the order."""

from collections.abc import Collection
from typing import Any, Literal, get_args

from pydantic import Field, field_validator

from chalicelib.domain.errors import Invalid
from chalicelib.domain.ids import ALPHABET
from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.retry import ErrorKind
from chalicelib.domain.run import Run, RunStatus, Trigger
from chalicelib.domain.schedule import Moment
from chalicelib.features.paging import PageQuery
from chalicelib.features.runs.reading import Span

_TRIGGERS = get_args(Trigger)
_JOB_ID = f"^job_[{ALPHABET}]{{26}}$"
_KINDS = get_args(ErrorKind)


class JobRunsQuery(PageQuery):
    """The filters of a job's list of runs; all that are given have to hold."""

    status: str | None = Field(
        None,
        max_length=128,
        description="Only these statuses, separated by commas.",
        examples=["FAILED,TIMED_OUT"],
    )
    trigger: str | None = Field(
        None,
        max_length=64,
        description=f"Only what was begun by these, separated by commas: {', '.join(_TRIGGERS)}.",
        examples=["manual,redrive"],
    )
    error_kind: str | None = Field(
        None,
        max_length=256,
        description="Only those whose last attempt failed with one of these kinds, separated by commas.",
        examples=["timeout,http_5xx"],
    )
    text: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="This text in the note or in an attempt's error, whatever the case.",
    )
    from_: Moment | None = Field(None, alias="from", description="Only occurrences from this moment on.")
    to: Moment | None = Field(None, description="Only occurrences before this moment.")
    sort: Literal["-nominal_at", "nominal_at"] = Field(
        "-nominal_at", description="With a minus the latest occurrence first, without it the earliest."
    )

    @field_validator("status")
    @classmethod
    def _names_statuses(cls, status: str | None) -> str | None:
        return _known(status.upper(), RunStatus.__members__) if status is not None else None

    @field_validator("trigger")
    @classmethod
    def _names_triggers(cls, trigger: str | None) -> str | None:
        return _known(trigger, _TRIGGERS) if trigger is not None else None

    @field_validator("error_kind")
    @classmethod
    def _names_kinds(cls, kinds: str | None) -> str | None:
        return _known(kinds, _KINDS) if kinds is not None else None

    def span(self) -> Span:
        """Invalid if no moment lies in it."""
        from_ms = epoch_ms(self.from_) if self.from_ else None
        to_ms = epoch_ms(self.to) if self.to else None
        if from_ms is not None and to_ms is not None and to_ms <= from_ms:
            raise Invalid.field("/query/to", "to must be later than from.", "end_before_start")
        return Span(from_ms, to_ms, oldest_first=self.sort == "nominal_at")

    def wants(self, run: Run) -> bool:
        """Whether the run passes the filters that its place in the list does not answer."""
        return (
            run.status.value in _names(self.status, run.status.value)
            and run.trigger in _names(self.trigger, run.trigger)
            and (self.error_kind is None or _last_kind(run) in _names(self.error_kind))
            and (self.text is None or self.text.casefold() in _searched(run))
        )


class RunsQuery(JobRunsQuery):
    """The filters of all runs."""

    job: str | None = Field(None, pattern=_JOB_ID, description="Only those of the job with this id.")

    def wants(self, run: Run) -> bool:
        return self.job in (None, run.job_id) and super().wants(run)


def _names(text: str | None, otherwise: str = "") -> list[str]:
    """What the list names; if there is none, the one that is wanted then."""
    return [otherwise] if text is None else [name.strip() for name in text.split(",")]


def _known(text: str, known: Collection[str]) -> str:
    if not set(_names(text)) <= set(known):
        raise ValueError(f"must be of {', '.join(known)}")
    return text


def _last_kind(run: Run) -> Any:
    error = run.attempts[-1].error if run.attempts else None
    return error["kind"] if error else None


def _searched(run: Run) -> str:
    errors = (str(attempt.error["message"]) for attempt in run.attempts if attempt.error)
    return "\n".join((run.note or "", *errors)).casefold()
