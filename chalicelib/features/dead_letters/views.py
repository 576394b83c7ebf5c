"""Dead letters as clients see them: the run, and the job that it was for."""

from typing import Any

from pydantic import ConfigDict, Field

from chalicelib.domain.job import Job
from chalicelib.domain.prices import Prices
from chalicelib.domain.run import Run
from chalicelib.executors.rendering import config_of
from chalicelib.features.paging import Page
from chalicelib.features.runs.views import (
    AttemptError,
    RunSummary,
    RunView,
    detail_fields,
    summary_fields,
)


class DeadLetterSummary(RunSummary):
    """A dead run in the list."""

    model_config = ConfigDict(defer_build=True)

    job_name: str | None = Field(description="null: the job is gone.")
    error: AttemptError | None = Field(description="Of the last attempt.")


class DeadLetter(RunView):
    """A dead run with all that is known of it."""

    model_config = ConfigDict(defer_build=True)

    job_name: str | None = Field(description="null: the job is gone, and the run cannot be done again.")
    job_type: str | None
    payload: dict[str, Any] | None = Field(
        description="The job's config as it is now, with the run's overrides: what a redrive would do."
    )
    error: AttemptError | None = Field(description="Of the last attempt.")


class DeadLetterPage(Page):
    """One page of dead letters, the latest occurrence first."""

    items: list[DeadLetterSummary]


def dead_letter_summary(run: Run, job: Job | None) -> DeadLetterSummary:
    return DeadLetterSummary.model_construct(
        **summary_fields(run), job_name=job.name if job else None, error=_last_error(run)
    )


def dead_letter(run: Run, job: Job | None, prices: Prices) -> DeadLetter:
    return DeadLetter.model_construct(
        **detail_fields(run, prices),
        job_name=job.name if job else None,
        job_type=job.type if job else None,
        payload=config_of(job, run) if job else None,
        error=_last_error(run),
    )


def _last_error(run: Run) -> AttemptError | None:
    error = run.attempts[-1].error if run.attempts else None
    return AttemptError.model_construct(**error) if error else None
