"""A run: one occurrence carried out, its states and who moves it between them, and its attempts."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from chalicelib.domain.outcome import StoredOutput
from chalicelib.domain.progress import Progress

Trigger = Literal["schedule", "manual", "backfill", "redrive", "workflow"]
SkipReason = Literal[
    "overlap",
    "misfire",
    "calendar",
    "paused",
    "skip_next",
    "policy",
    "quota",
    "superseded",
    "start_deadline",
    "buffer_full",
    "restored",
]


class RunStatus(StrEnum):
    """`docs/state-machine.md` draws them."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    RETRYING = "RETRYING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"


DEAD = (RunStatus.FAILED, RunStatus.TIMED_OUT)
"""What ends here has a dead letter."""
FINAL = (
    RunStatus.SUCCEEDED,
    RunStatus.FAILED,
    RunStatus.TIMED_OUT,
    RunStatus.CANCELLED,
    RunStatus.SKIPPED,
)


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow: `source` is None for a run that does not exist yet."""

    source: RunStatus | None
    target: RunStatus
    mover: str
    when: str


_S = RunStatus
TRANSITIONS = (
    Transition(None, _S.PENDING, "api", "a trigger or a redrive is accepted"),
    Transition(None, _S.PENDING, "backfill", "an occurrence of its time is claimed"),
    Transition(None, _S.RUNNING, "worker", "a scheduled occurrence starts"),
    Transition(None, _S.PENDING, "worker", "a scheduled occurrence waits for a slot, or for its turn"),
    Transition(
        None,
        _S.SKIPPED,
        "worker",
        "the job was paused, edited or deleted after dispatch, skips it, has no slot, or no executions are left",
    ),
    Transition(None, _S.SKIPPED, "dispatcher", "the tables were restored to before it was dispatched"),
    Transition(_S.PENDING, _S.SKIPPED, "dispatcher", "the tables were restored: it may have run since"),
    Transition(
        _S.RETRYING, _S.SKIPPED, "dispatcher", "the tables were restored: how it went on is not known"
    ),
    Transition(_S.RUNNING, _S.SKIPPED, "dispatcher", "the tables were restored: how it ended is not known"),
    Transition(
        _S.WAITING, _S.SKIPPED, "dispatcher", "the tables were restored to before its callback was due"
    ),
    Transition(_S.PENDING, _S.RUNNING, "worker", "the first attempt starts"),
    Transition(
        _S.PENDING,
        _S.SKIPPED,
        "worker",
        "the job was deleted, its start deadline passed, it has no slot, or no executions are left",
    ),
    Transition(_S.RETRYING, _S.SKIPPED, "worker", "the job was deleted between attempts"),
    Transition(_S.RETRYING, _S.RUNNING, "worker", "the next attempt starts"),
    Transition(_S.RUNNING, _S.RUNNING, "worker", "the lease of a dead worker has run out"),
    Transition(_S.SKIPPED, _S.RUNNING, "worker", "a later revision of the schedule has the occurrence too"),
    Transition(
        _S.SKIPPED, _S.SKIPPED, "worker", "a later revision of the schedule has it too, and it finds no slot"
    ),
    Transition(_S.RUNNING, _S.SUCCEEDED, "worker", "the attempt succeeded"),
    Transition(_S.RUNNING, _S.RETRYING, "worker", "the attempt failed and another one is due"),
    Transition(_S.RUNNING, _S.FAILED, "worker", "the last attempt failed"),
    Transition(_S.RUNNING, _S.TIMED_OUT, "worker", "the last attempt ran out of time"),
    Transition(
        _S.RUNNING,
        _S.WAITING,
        "worker",
        "its work goes on elsewhere, which will call back or is looked after",
    ),
    Transition(
        _S.WAITING, _S.RUNNING, "worker", "it looks how the work that it follows is going, or stops it"
    ),
    Transition(_S.WAITING, _S.SUCCEEDED, "callback", "it reported a success"),
    Transition(_S.WAITING, _S.RETRYING, "callback", "it reported a failure, and another attempt is due"),
    Transition(_S.WAITING, _S.FAILED, "callback", "it reported that the last attempt failed"),
    Transition(_S.RUNNING, _S.SUCCEEDED, "callback", "it came before the answer to its request"),
    Transition(_S.RUNNING, _S.RETRYING, "callback", "it reported a failure before the answer to its request"),
    Transition(_S.RUNNING, _S.FAILED, "callback", "it reported a last failure before the answer"),
    Transition(_S.RUNNING, _S.CANCELLED, "callback", "it reported a failure of what had been asked to stop"),
    Transition(_S.WAITING, _S.RETRYING, "worker", "the callback is overdue, and another attempt is due"),
    Transition(_S.WAITING, _S.TIMED_OUT, "worker", "the callback of the last attempt is overdue"),
    Transition(_S.WAITING, _S.TIMED_OUT, "dlq", "the callback is overdue, and no worker could say so"),
    Transition(_S.WAITING, _S.CANCELLED, "api", "somebody cancelled it while it waited for its callback"),
    Transition(_S.WAITING, _S.CANCELLED, "worker", "a newer run of the job replaces it while it waits"),
    Transition(_S.PENDING, _S.CANCELLED, "api", "somebody cancelled it before it started"),
    Transition(_S.RETRYING, _S.CANCELLED, "api", "somebody cancelled it between attempts"),
    Transition(
        _S.RUNNING, _S.CANCELLED, "worker", "it was stopped, since somebody or a newer run asked for that"
    ),
    Transition(_S.RUNNING, _S.CANCELLED, "dlq", "it had been asked to stop, and its workers died"),
    Transition(_S.RETRYING, _S.CANCELLED, "worker", "a newer run of the job replaces it between attempts"),
    Transition(None, _S.FAILED, "dlq", "no worker could start it"),
    Transition(_S.PENDING, _S.FAILED, "dlq", "no worker could start it"),
    Transition(_S.RETRYING, _S.FAILED, "dlq", "no worker could start the next attempt"),
    Transition(_S.RUNNING, _S.FAILED, "dlq", "its workers died, and the lease has run out"),
)
"""Every arrow there is; each is one conditional write."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt; `number` counts from 1. `error` is {"kind", "message", "status"?}.

    Stored when it has ended, or while its work goes on elsewhere: then with what is known of that as the `result`.
    `outputs` are the files that it has stored.
    """

    number: int
    started_ms: int
    finished_ms: int | None
    outcome: Literal["running", "waiting", "succeeded", "failed", "timed_out", "lost", "cancelled"]
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    outputs: tuple[StoredOutput, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is stored. `starts` counts every start, also those of an attempt whose worker died."""

    id: str
    tenant: str
    job_id: str
    status: RunStatus
    trigger: Trigger
    nominal_ms: int
    due_ms: int
    schedule_revision: int
    attempt: int = 0
    starts: int = 0
    fence: int = 0
    owner: str = ""
    lease_ms: int = 0
    first_started_ms: int | None = None
    started_ms: int | None = None
    finished_ms: int | None = None
    retry_ms: int | None = None
    skip_reason: SkipReason | None = None
    attempts: tuple[Attempt, ...] = ()
    redriven_as: str | None = None
    redrive_of: str | None = None
    slot: int | None = None
    """The number of the slot that it holds, or held when it was active last."""
    leases: tuple[tuple[str, int], ...] = ()
    """The slots that it holds, or held when it ran last, at the gates of its target and tenant: gate and number."""
    waits: str | None = None
    """Its place in the queue of a gate, where it waits to be called."""
    trial: bool = False
    """Whether this attempt tries if its target is well again."""
    cancel_ms: int | None = None
    """When it was asked to stop."""
    looked_ms: int | None = None
    """When a worker last put it off, together with the timer that rings it again."""
    callback_by_ms: int | None = None
    """By when its latest attempt must have called back, or what it follows must be over; None if it does neither."""
    heartbeat_ms: int | None = None
    """How long it may be silent while it waits for its callback; None: until the deadline."""
    handle: dict[str, Any] | None = None
    """By what the work is found that its latest attempt follows; None if it follows none."""
    backfill: str | None = None
    """The backfill that made it."""
    note: str | None = None
    """Why somebody triggered it."""
    request_id: str | None = None
    """The request that asked for it, if one did."""
    trace: str | None = None
    """The traceparent that came with that request."""
    overrides: dict[str, Any] | None = field(default=None, repr=False)
    """A merge patch of the job's config for this run alone. It may hold a secret, so no log shows it."""
    mb_ms: int = 0
    """What its attempts took of workers: megabytes of memory by milliseconds."""
    shares: int = 0
    """Its parts of invocations, in thousandths."""
    log_units: int = 0
    """What the lines of its attempts took to be written: units of DynamoDB."""
    dead: bool = False
    """Whether it still lies among the dead letters."""
    progress: Progress | None = None
    """How far its latest attempt said that it had come."""

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def has_room(self) -> bool:
        """Whether it takes up room, a slot or a place, that is to be left when it is over."""
        return self.slot is not None or bool(self.leases) or self.waits is not None

    @property
    def drift_ms(self) -> int | None:
        """How late the first attempt started; never negative."""
        return None if self.first_started_ms is None else self.first_started_ms - self.due_ms
