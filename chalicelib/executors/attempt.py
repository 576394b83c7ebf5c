"""One attempt: the job's config, filled in, against its type's model, then the type's executor; and looks after it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.masking import Masks
from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.domain.run import Run
from chalicelib.domain.templates import BadTemplate
from chalicelib.executors.base import Call, Callback, ExecutorSettings, ExecutorSpec, Handle, Means
from chalicelib.executors.following import begun, followable, looked_after, not_now, silenced
from chalicelib.executors.outputs import Noted
from chalicelib.executors.registry import executor, follower, spec
from chalicelib.executors.rendering import Filled, SecretUnavailable, discreet, filled, public_config
from chalicelib.ports.clock import Clock
from chalicelib.ports.contact import Contact
from chalicelib.ports.job_secrets import JobSecrets, NoJobSecrets

_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


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
    outcome, a report of progress or a line of the log says of the secrets that the config names is blacked out. For a
    run that follows its work it looks how that is going.
    """
    return _Attempts(clock, settings, callback_url, secrets, means)


@dataclass(frozen=True, slots=True)
class _Attempts:
    """See `attempts`."""

    clock: Clock
    settings: ExecutorSettings
    callback_url: Callable[[Run], str]
    secrets: JobSecrets
    means: Means

    def __call__(self, job: Job, run: Run, deadline: float, stop: Contact) -> Outcome:
        if run.handle is not None:
            return self._look(job, run, run.handle, deadline, stop)
        kind, execute = spec(job.type), executor(job.type)
        if kind is None or execute is None:
            return Failed("unknown", f"This deployment has no job type {job.type!r}.")
        given = self._given(job, run, deadline, stop)
        if isinstance(given, Failed):
            return given
        try:
            config = kind.config.model_validate(given.config)
            callback = _callback(run, self.callback_url)
        except ValidationError as error:
            return _unfit(given, error)
        except Unavailable as error:
            return Failed("unknown", f"There is no address for its callback. {error.message}")
        masks = Masks(given.secrets)
        stop.masks = stop.log.masks = Masks([*given.secrets, _token(callback)]) if callback else masks
        files = Noted(self.means.outputs(run, deadline, stop))
        call = replace(self._call(config, run, deadline, stop), outputs=files, callback=callback)
        outcome = replace(discreet(execute(call), masks), outputs=files.files)
        self._doubt(job, given, outcome)
        outcome = followable(outcome, job.type)
        return discreet(outcome, Masks([_token(callback)], "[token]")) if callback else outcome

    def _look(self, job: Job, run: Run, handle: Handle, deadline: float, stop: Contact) -> Outcome:
        """The continuation of an attempt whose work goes on elsewhere: by the type that has begun it."""
        type_, work = begun(handle)
        kind, following = spec(type_), follower(type_)
        if kind is None or following is None:
            return Failed("unknown", f"This deployment cannot follow work of the type {type_!r}.")
        given = None if job.is_gone else self._given(job, run, deadline, stop)
        if isinstance(given, Failed) and given.retryable:
            return not_now(run, given)
        config, masks = _known(kind, given)
        if masks is not None:
            stop.masks = stop.log.masks = masks
        files = Noted(self.means.outputs(run, deadline, stop))
        call = replace(self._call(config, run, deadline, stop), outputs=files)
        outcome = looked_after(call, following, run, work)
        outcome = silenced(outcome) if masks is None else discreet(outcome, masks)
        return followable(replace(outcome, outputs=files.files), type_)

    def _given(self, job: Job, run: Run, deadline: float, stop: Contact) -> Filled | Failed:
        try:
            return filled(
                job, run, self.secrets, lambda: stop.is_wanted or self.clock.monotonic() >= deadline
            )
        except BadTemplate as error:
            return Failed("template", f"The config's {error.pointer} cannot be filled in: {error.message}.")
        except SecretUnavailable as error:
            return Failed("template", str(error), retryable=True)
        except TimeoutError:
            return Failed("timeout", "The time was up before all secrets were read.", retryable=True)

    def _doubt(self, job: Job, given: Filled, outcome: Outcome) -> None:
        """What the other side has refused may be outdated: the next attempt shall have what is there by then."""
        if given.refs and _is_refused(outcome):
            for ref in given.refs:
                self.secrets.doubt(job.tenant, ref)

    def _call(self, config: Any, run: Run, deadline: float, stop: Contact) -> Call:
        return Call(
            config=config,
            run_id=run.id,
            job_id=run.job_id,
            tenant=run.tenant,
            attempt=run.attempt,
            fence=run.fence,
            nominal_ms=run.nominal_ms,
            deadline=deadline,
            clock=self.clock,
            settings=self.settings,
            stop=stop,
            log=stop.log,
            cloud=self.means.cloud(run, deadline, stop),
            state=self.means.state(run),
            history=self.means.history(run),
            sandbox=self.means.sandbox,
            trace=run.trace,
        )


def _is_refused(outcome: Outcome) -> bool:
    """Whether the other side may not have taken a secret, perhaps since there is a newer one."""
    return isinstance(outcome, Failed) and (outcome.kind == "authentication" or outcome.status in _REFUSED)


def _known(kind: ExecutorSpec, given: Filled | Failed | None) -> tuple[Any, Masks | None]:
    """The config for a look, None if it fits the type no more; what to black out, None if nobody knows that."""
    if given is None or isinstance(given, Failed):
        return None, None
    try:
        config = kind.config.model_validate(given.config)
    except ValidationError:
        config = None
    return config, Masks(given.secrets)


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
