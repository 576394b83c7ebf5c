"""One attempt: the job's stored config against its type's model, then the type's executor."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.merge_patch import merged
from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.domain.run import Run
from chalicelib.executors.base import Call, Callback, ExecutorSettings
from chalicelib.executors.json_values import without
from chalicelib.executors.registry import executor, spec
from chalicelib.ports.clock import Clock
from chalicelib.ports.contact import Contact


def config_of(job: Job, run: Run) -> dict[str, Any]:
    """The job's config as it is now, with what the run's trigger wanted otherwise."""
    config: dict[str, Any] = merged(job.config, run.overrides) if run.overrides else job.config
    return config


def _nowhere(_run: Run) -> str:
    raise Unavailable("Callbacks are not served here.")


def target_of(job: Job, run: Run) -> str | None:
    """The host that a run goes to, None if its type has no such thing. It never raises."""
    kind = spec(job.type)
    return kind.target(config_of(job, run)) if kind else None


def attempts(
    clock: Clock, settings: ExecutorSettings, callback_url: Callable[[Run], str] = _nowhere
) -> Callable[[Job, Run, float, Contact], Outcome]:
    """What carries out attempts: called with a job, its run, a deadline in monotonic seconds, a contact.

    It never raises. `callback_url` gives the address of a run that is to call back, or raises Unavailable.
    """

    def attempt(job: Job, run: Run, deadline: float, stop: Contact) -> Outcome:
        kind, execute = spec(job.type), executor(job.type)
        if kind is None or execute is None:
            return Failed("unknown", f"This deployment has no job type {job.type!r}.")
        try:
            config = kind.config.model_validate(config_of(job, run))
            callback = _callback(run, callback_url)
        except ValidationError as error:
            places = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
            return Failed("unknown", f"The job's stored config does not fit its type any more: {places}.")
        except Unavailable as error:
            return Failed("unknown", f"There is no address for its callback. {error.message}")
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
            callback=callback,
            log=stop.log,
        )
        outcome = execute(call)
        return outcome if callback is None else _redacted(outcome, callback)

    return attempt


def _callback(run: Run, url_of: Callable[[Run], str]) -> Callback | None:
    if run.callback_by_ms is None:
        return None
    return Callback(url_of(run), run.callback_by_ms, run.heartbeat_ms)


def _redacted(outcome: Outcome, callback: Callback) -> Outcome:
    """The outcome without the token, should the other side have sent it back."""
    if outcome.result is None:
        return outcome
    token = callback.url.rpartition("/")[2]
    return replace(outcome, result=without(token, outcome.result))
