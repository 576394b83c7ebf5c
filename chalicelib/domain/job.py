"""A job: what its owner defines, and what Chronos adds to it."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from chalicelib.domain.access import Access
from chalicelib.domain.calendar_use import Calendar
from chalicelib.domain.exclusions import MAX_EXCLUSIONS, Exclusion
from chalicelib.domain.limits import Priority, Rate
from chalicelib.domain.model import Value
from chalicelib.domain.retry import RetryPolicy
from chalicelib.domain.schedule import ManualSchedule
from chalicelib.domain.schedules import Schedules

JobStatus = Literal["active", "paused"]
MAX_SLOTS = 100
MAX_TAGS = 50
GONE = "(deleted)"
"""In the place of the type of a job that was deleted: no type is called so."""
PauseCause = Literal["request", "failures"]
MAX_TIMEOUT_SECONDS = 840
"""A minute under Lambda's limit of 15 minutes, for the start, the hold and the record."""
MAX_CALLBACK_SECONDS = 1_209_600
MIN_HEARTBEAT_SECONDS = 10

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w.:/=+@ -]+$")]
TagValue = Annotated[str, StringConstraints(max_length=256)]


class Misfire(Value):
    """What becomes of occurrences that the dispatcher sees more than `grace_seconds` late."""

    policy: Literal["fire_once", "fire_all", "skip"] = "fire_once"
    grace_seconds: int = Field(60, ge=1, le=86_400)
    window_seconds: int = Field(86_400, ge=0, le=2_592_000)
    limit: int = Field(100, ge=1, le=1_000, description="With fire_all: at most this many, the latest ones.")


class Concurrency(Value):
    """What happens to a run that is due while `limit` runs of the job are active (running, or between attempts)."""

    policy: Literal["allow", "forbid", "replace", "queue"] = Field(
        "allow",
        description="allow: it starts anyway. forbid: it is skipped. replace: the oldest active run is cancelled, "
        "and it starts when that one has stopped. queue: it waits; if `buffer` runs wait already, it is skipped.",
    )
    limit: int = Field(
        1, ge=1, le=MAX_SLOTS, description="So many runs at once. It means nothing with `allow`."
    )
    buffer: int = Field(1, ge=1, le=MAX_SLOTS, description="With `queue`: at most this many wait.")


class Callback(Value):
    """The work goes on elsewhere after the attempt's request was accepted, and calls back when it is done."""

    deadline_seconds: int = Field(
        ge=1,
        le=MAX_CALLBACK_SECONDS,
        strict=True,
        description="From the start of an attempt until it must have called back, up to 14 days.",
    )
    heartbeat_seconds: int | None = Field(
        None,
        ge=MIN_HEARTBEAT_SECONDS,
        le=MAX_CALLBACK_SECONDS,
        strict=True,
        description="It must give a sign of life at least this often. null: only the deadline counts.",
    )


class JobDefinition(Value):
    """What the owner of a job decides."""

    name: Name
    description: Annotated[str, StringConstraints(max_length=1024)] = ""
    type: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    config: dict[str, Any] = Field(
        default_factory=dict,
        description="What the job's type needs: see its schema. Strings may hold templates and name secrets: "
        "`${{ run.nominal | date('%Y-%m-%d') }}`, `${{ secrets.name }}`; one that is a template and nothing else may "
        "stand for a value of another type.",
    )
    schedule: Schedules = Field(default_factory=lambda: ManualSchedule(kind="manual"))
    exclude: tuple[Exclusion, ...] = Field(
        (), max_length=MAX_EXCLUSIONS, description="Moments that are no occurrences of any of the schedules."
    )
    calendar: Calendar | None = Field(
        None, description="For each schedule that names no calendar of its own."
    )
    retry: RetryPolicy = Field(default_factory=RetryPolicy)
    timeout_seconds: float = Field(
        30, ge=0.1, le=MAX_TIMEOUT_SECONDS, description="For one attempt, all of it."
    )
    callback: Callback | None = Field(
        None,
        description="An attempt that was accepted waits for its callback. null: it ends with its answer.",
    )
    precision: Literal["exact", "relaxed"] = Field(
        "exact", description="`relaxed` starts up to about a second late, and costs less."
    )
    concurrency: Concurrency = Field(default_factory=Concurrency)
    rate: Rate | None = Field(
        None, description="How often attempts of its runs start, retries included. What is too early waits."
    )
    priority: Priority = Field(
        "normal",
        description="`low` goes after the others. It decides who is next where runs wait for a limit.",
    )
    misfire: Misfire = Field(default_factory=Misfire)
    start_deadline_seconds: int | None = Field(
        None,
        ge=1,
        le=2_592_000,
        strict=True,
        description="What could not start within this of its due time is skipped. null: it starts however late.",
    )
    pause_after_failures: int | None = Field(
        None,
        ge=1,
        le=1_000,
        strict=True,
        description="So many runs of the schedule that fail for good, one after another, pause the job.",
    )
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, max_length=MAX_TAGS)

    @property
    def timing(self) -> tuple[Any, ...]:
        """All that decides when the job runs: where it differs, older messages and timers are stale."""
        return self.schedule, self.exclude, self.calendar


class Job(JobDefinition):
    """A stored job. `revision` counts every change, `schedule_revision` those after which older messages are stale.

    The latest pause lasts from `paused_ms` to `paused_until_ms` (None: it has no end); `status` stays "paused" when
    that moment has passed, so ask `pause.is_paused`. `schedule_ms` is when the schedule was last edited. Occurrences
    from `skip_from_ms` to `skip_until_ms`, both included, are not wanted. `owner`: whom it was
    given to; None as long as it is its creator's.
    """

    id: str
    tenant: str
    shard: int
    status: JobStatus = "active"
    revision: int = 1
    schedule_revision: int = 1
    created_ms: int
    updated_ms: int
    updated_by: str = ""
    created_by: str | None = None
    schedule_ms: int | None = None
    paused_ms: int | None = None
    paused_until_ms: int | None = None
    pause_note: str | None = None
    pause_cause: PauseCause | None = None
    skip_from_ms: int | None = None
    skip_until_ms: int | None = None
    owner: str | None = None
    access: Access | None = None

    @property
    def owned_by(self) -> str | None:
        """The id of a user or of a key. None: nobody noted who created it."""
        return self.owner or self.created_by

    @property
    def is_gone(self) -> bool:
        """Whether this only stands for a job that was deleted."""
        return self.type == GONE

    @property
    def definition(self) -> JobDefinition:
        return JobDefinition.model_construct(
            **{name: getattr(self, name) for name in JobDefinition.model_fields}
        )


def gone(tenant: str, job_id: str, shard: int) -> Job:
    """What stands for a deleted job while the work of its runs is stopped: its runs are not tried again."""
    return Job(
        name="deleted",
        type=GONE,
        schedule=ManualSchedule(),
        retry=RetryPolicy(max_attempts=1),
        id=job_id,
        tenant=tenant,
        shard=shard,
        created_ms=0,
        updated_ms=0,
    )
