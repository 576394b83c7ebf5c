"""One attempt: the job's config, filled in, against its type's model, then the type's executor."""

from collections.abc import Callable
from dataclasses import replace

from pydantic import ValidationError

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.masking import Masks
from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.domain.run import Run
from chalicelib.domain.templates import BadTemplate
from chalicelib.executors.base import Call, Callback, ExecutorSettings, Means
from chalicelib.executors.outputs import Noted
from chalicelib.executors.registry import executor, spec
from chalicelib.executors.rendering import Filled, SecretUnavailable, discreet, filled, public_config
from chalicelib.ports.clock import Clock
from chalicelib.ports.contact import Contact
from chalicelib.ports.job_secrets import JobSecrets, NoJobSecrets


def _nowhere(_run: Run) -> str:
    raise Unavailable("Callbacks are not served here.")


def target_of(job: Job, run: Run) -> str | None:
    """The host that a run goes to, None if its type has no such thing. It never raises, and reads no secret."""
    kind = spec(job.type)
    return kind.target(public_config(job, run)) if kind else None


def attempts(
    clock: Clock,
    settings: ExecutorSettings,
    callback_url: Callable[[Run], str] = _nowhere,
    secrets: JobSecrets = NoJobSecrets(),  # noqa: B008 - it has no state
    means: Means = Means(),  # noqa: B008 - it has no state
) -> Callable[[Job, Run, float, Contact], Outcome]:
    """What carries out attempts: called with a job, its run, a deadline in monotonic seconds, a contact.

    It never raises. `callback_url` gives the address of a run that is to call back, or raises Unavailable. What an
    outcome, a report of progress or a line of the log says of the secrets that the config names is blacked out.
    """

    def attempt(job: Job, run: Run, deadline: float, stop: Contact) -> Outcome:
        kind, execute = spec(job.type), executor(job.type)
        if kind is None or execute is None:
            return Failed("unknown", f"This deployment has no job type {job.type!r}.")
        given = _given(job, run, secrets)
        if isinstance(given, Failed):
            return given
        try:
            config = kind.config.model_validate(given.config)
            callback = _callback(run, callback_url)
        except ValidationError as error:
            return _unfit(given, error)
        except Unavailable as error:
            return Failed("unknown", f"There is no address for its callback. {error.message}")
        masks = Masks(given.secrets)
        stop.masks = stop.log.masks = Masks([*given.secrets, _token(callback)]) if callback else masks
        files = Noted(means.outputs(run, deadline, stop))
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
            outputs=files,
            cloud=means.cloud(run, deadline, stop),
            state=means.state(run),
            sandbox=means.sandbox,
            trace=run.trace,
        )
        outcome = replace(discreet(execute(call), masks), outputs=files.files)
        return discreet(outcome, Masks([_token(callback)], "[token]")) if callback else outcome

    return attempt


def _given(job: Job, run: Run, secrets: JobSecrets) -> Filled | Failed:
    try:
        return filled(job, run, secrets)
    except BadTemplate as error:
        return Failed("template", f"The config's {error.pointer} cannot be filled in: {error.message}.")
    except SecretUnavailable as error:
        return Failed("template", str(error), retryable=True)


def _unfit(given: Filled, error: ValidationError) -> Failed:
    """The places, without the values: those may be secret."""
    places = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
    if given.templated:
        return Failed(
            "template", f"With its templates filled in, the config does not fit its type: {places}."
        )
    return Failed("unknown", f"The job's stored config does not fit its type any more: {places}.")


def _callback(run: Run, url_of: Callable[[Run], str]) -> Callback | None:
    if run.callback_by_ms is None:
        return None
    return Callback(url_of(run), run.callback_by_ms, run.heartbeat_ms)


def _token(callback: Callback) -> str:
    """What must not be shown, should the other side send it back."""
    return callback.url.rpartition("/")[2]
