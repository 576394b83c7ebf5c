"""What an executor says about itself, and what it is given for one attempt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from chalicelib.domain.outcome import Outcome
from chalicelib.domain.progress import reported
from chalicelib.domain.retry import ErrorKind
from chalicelib.domain.run import Run
from chalicelib.ports.clock import Clock
from chalicelib.ports.cloud import Cloud, NoCloud
from chalicelib.ports.contact import Contact
from chalicelib.ports.job_state import JobState, NoJobState
from chalicelib.ports.outputs import NoOutputs, Outputs
from chalicelib.ports.run_history import NoRunHistory, RunHistory
from chalicelib.ports.run_log import RunLog
from chalicelib.ports.sandbox import NoSandbox, Sandbox

ConfigModel = type[BaseModel]


def nowhere(_config: Mapping[str, Any]) -> str | None:
    """The target of what goes nowhere."""
    return None


@dataclass(frozen=True, slots=True)
class Permission:
    """Something that a job of a type needs: `needs` in a sentence, and AWS's `actions` if it is for a role to grant."""

    needs: str
    actions: tuple[str, ...] = ()


COMMON_ERRORS: tuple[ErrorKind, ...] = ("timeout", "worker_lost", "template", "unknown")
"""Error kinds that a job of any type may end with."""
CALLBACK_ERRORS: tuple[ErrorKind, ...] = ("callback_failed", "callback_timeout")
"""Those of jobs that wait for a callback."""


@dataclass(frozen=True, slots=True)
class ExecutorSpec:
    """A job type as the API shows it. `config` validates a job's config.

    `calls_back`: its jobs may wait for a callback.
    `example`: a config; `examples`: more jobs by their titles, each a definition without its `type`.
    `target`: the host that a run with this config goes to, as limits name it (lower case, without port); None if it
    goes nowhere, or cannot be told. It never raises. Templates are filled in by then, but a secret is some other text:
    a host that follows from one is refused when the job is saved.
    `permissions`: what its jobs need; `errors`: the kinds of failure beside COMMON_ERRORS; `limits`: sentences.
    """

    type: str
    config: ConfigModel
    title: str
    description: str
    calls_back: bool = False
    example: dict[str, Any] = field(default_factory=dict)
    target: Callable[[Mapping[str, Any]], str | None] = nowhere
    permissions: tuple[Permission, ...] = ()
    errors: tuple[ErrorKind, ...] = ()
    limits: tuple[str, ...] = ()
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def every_error(self) -> tuple[ErrorKind, ...]:
        """All kinds of failure that its jobs may end with, its own first."""
        more = CALLBACK_ERRORS if self.calls_back else ()
        return tuple(dict.fromkeys((*self.errors, *COMMON_ERRORS, *more)))

    def every_example(self) -> dict[str, dict[str, Any]]:
        """Whole definitions of jobs by their titles, the plain one first."""
        plain = {"name": self.type, "config": self.example, "schedule": {"kind": "manual"}}
        return {
            title: {"type": self.type, **job} for title, job in {self.title: plain, **self.examples}.items()
        }


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """What the operator decides for all executors.

    `allow_networks` are CIDRs that the outbound guard lets through although they are not public; at most
    `max_result_bytes` of an answer's body are kept; `ca_file` (PEM) has authorities to trust too. `mount` is the folder
    of a file system for jobs, with one below it for each tenant.
    """

    allow_networks: tuple[str, ...] = ()
    max_result_bytes: int = 8192
    ca_file: str | None = None
    mount: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the work calls back, and by when. `url` ends in a token: it goes to the other side, and nowhere else."""

    url: str = field(repr=False)
    by_ms: int
    heartbeat_ms: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt of a run. `config` is of the spec's model, `deadline` in monotonic seconds of `clock`.

    With a `callback`, what was accepted is Waiting, and not yet a success. `log`, `outputs`, `cloud`, `state` and
    `history` are this attempt's: see their ports. `sandbox` is where scripts run.
    """

    config: Any
    run_id: str
    job_id: str
    tenant: str
    attempt: int
    fence: int
    nominal_ms: int
    deadline: float
    clock: Clock
    settings: ExecutorSettings = ExecutorSettings()
    stop: Contact = field(default_factory=Contact)
    callback: Callback | None = None
    log: RunLog = field(default_factory=RunLog)
    outputs: Outputs = field(default_factory=NoOutputs)
    cloud: Cloud = field(default_factory=NoCloud)
    state: JobState = field(default_factory=NoJobState)
    history: RunHistory = field(default_factory=NoRunHistory)
    sandbox: Sandbox = field(default_factory=NoSandbox)
    trace: str | None = None
    """The traceparent of the request that asked for the run (`domain/trace.py`)."""

    def remaining(self) -> float:
        """Seconds until the deadline; zero or less when it has passed."""
        return self.deadline - self.clock.monotonic()

    def progress(self, percent: float, message: str | None = None) -> None:
        """Say how far the attempt has come, as often as wanted: the latest is stored, each ten seconds and at the end.

        What is out of 0 to 100, or over 200 characters, is cut.
        """
        self.stop.report(reported(percent, self.clock.now_ms(), message))


@dataclass(frozen=True, slots=True)
class Means:
    """What a deployment gives to attempts, made for each by its run, its deadline (monotonic seconds), its contact."""

    outputs: Callable[[Run, float, Contact], Outputs] = lambda _run, _deadline, _contact: NoOutputs()
    cloud: Callable[[Run, float, Contact], Cloud] = lambda _run, _deadline, _contact: NoCloud()
    state: Callable[[Run], JobState] = lambda _run: NoJobState()
    history: Callable[[Run], RunHistory] = lambda _run: NoRunHistory()
    sandbox: Sandbox = field(default_factory=NoSandbox)


Executor = Callable[[Call], Outcome]
"""Makes the effect of one attempt. It returns before the deadline, or very shortly after it; likewise if it is to stop:
any failure will do then, since the run is recorded as cancelled."""
Handle = dict[str, Any]
"""Small JSON by which work elsewhere is found again: at most 2 KB, and no secret."""


@dataclass(frozen=True, slots=True)
class Follower:
    """How a type looks after work that its executor has returned as Following.

    `follow` says how it is going, `stop` ends it; both within a few seconds. They raise what the call's ports raise.
    """

    follow: Callable[[Call, Handle], Outcome]
    stop: Callable[[Call, Handle], None]
