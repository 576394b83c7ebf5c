"""One attempt: the job's stored config against its type's model, then the type's executor."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from chalicelib.domain.job import Job
from chalicelib.domain.merge_patch import merged
from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.domain.run import Run
from chalicelib.executors.base import Call, ExecutorSettings
from chalicelib.executors.registry import executor, spec
from chalicelib.ports.clock import Clock
from chalicelib.ports.contact import Contact


def config_of(job: Job, run: Run) -> dict[str, Any]:
    """The job's config as it is now, with what the run's trigger wanted otherwise."""
    config: dict[str, Any] = merged(job.config, run.overrides) if run.overrides else job.config
    return config


def attempts(clock: Clock, settings: ExecutorSettings) -> Callable[[Job, Run, float, Contact], Outcome]:
    """What carries out attempts: called with a job, its run, a deadline in monotonic seconds, a contact.

    It never raises.
    """

    def attempt(job: Job, run: Run, deadline: float, stop: Contact) -> Outcome:
        kind, execute = spec(job.type), executor(job.type)
        if kind is None or execute is None:
            return Failed("unknown", f"This deployment has no job type {job.type!r}.")
        try:
            config = kind.config.model_validate(config_of(job, run))
        except ValidationError as error:
            places = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
            return Failed("unknown", f"The job's stored config does not fit its type any more: {places}.")
        call = Call(
            config=config,
            run_id=run.id,
            job_id=run.job_id,
            tenant=run.tenant,
            attempt=run.attempt,
            fence=run.fence,
            nominal_ms=run.nominal_ms,
            deadline=deadline,
            clock=clock,
            settings=settings,
            stop=stop,
        )
        return execute(call)

    return attempt
