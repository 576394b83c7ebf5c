"""What the engine works with: the ports and a few numbers, passed in as one value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chalicelib.domain.lanes import LANES, ClassOf, Lane, lane_for, ordinary
from chalicelib.domain.plans import PLANS, Plan, Retention
from chalicelib.domain.prices import PRICES, Architecture, Prices
from chalicelib.engine.plans import KnownPlans
from chalicelib.ports.clock import Clock
from chalicelib.ports.fan import Fan, one_by_one
from chalicelib.ports.hashing import Hashing, NoHashing
from chalicelib.ports.ids import Ids
from chalicelib.ports.job_secrets import JobSecrets, NoJobSecrets
from chalicelib.ports.mail import Mailer
from chalicelib.ports.outputs import Links, NoLinks
from chalicelib.ports.queue import Queue
from chalicelib.ports.secrets import NoSecrets, Secrets
from chalicelib.ports.table import Database
from chalicelib.ports.telemetry import Telemetry
from chalicelib.ports.web import NoWeb, Web
from chalicelib.ports.witness import NoWitness, Witness

if TYPE_CHECKING:
    from chalicelib.domain.job import Job
    from chalicelib.domain.run import Run

TargetOf = Callable[["Job", "Run"], str | None]
"""The target of a run as its job's type and config say it, None if it has none. It never raises."""


def no_target(_job: "Job", _run: "Run") -> None:
    """Nothing has a target."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """`horizon_ms`: how far ahead a tick rings. `lead_ms`: how much earlier than due a message becomes visible.

    The horizon covers two ticks of a minute each, so that one may fail. `hold_limit_ms` is the longest wait inside a
    worker: who is earlier rings again. `beat_ms`: how often an attempt's lease is renewed, and a wish to stop noticed.
    `plan`, the stage's, says how long records are kept at most.
    `memory_mb` and `architecture` are this function's, for what its time costs.
    `job_roles` are the AWS roles (ARNs) that jobs may name; `lanes_on`, the lanes whose workers are at work.
    `dispatchers`: how many groups there should be; each is told by its own event which it is. `open_to_all`: whether
    anybody may register. `app_url`: where links in mails lead; empty: they hold the bare token.
    Pages of the `origins` may use the API from a browser.
    """

    lead_ms: int = 150
    horizon_ms: int = 120_000
    hold_limit_ms: int = 5_000
    shards: int = 64
    dispatchers: int = 4
    plan: Plan = "pro"
    lease_margin_ms: int = 10_000
    beat_ms: int = 10_000
    memory_mb: int = 256
    job_roles: tuple[str, ...] = ()
    lanes_on: frozenset[Lane] = frozenset(LANES)
    architecture: Architecture = "arm64"
    open_to_all: bool = False
    app_url: str = ""
    origins: tuple[str, ...] = ()

    @property
    def prices(self) -> Prices:
        return replace(PRICES[self.architecture], file_days=self.retention.file_days)

    @property
    def retention(self) -> Retention:
        return PLANS[self.plan].retention

    def expires_at(self, now_ms: int) -> int:
        """The epoch second at which a run or a skip that is recorded now may be deleted."""
        return now_ms // 1000 + self.retention.stored_days * 86_400

    def audit_expires_at(self, now_ms: int) -> int:
        """As `expires_at`, for an audit record."""
        return now_ms // 1000 + self.retention.audit * 86_400


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that the engine's steps need. `witness`: who hears what the request at hand changes.

    Without a `mailer` nobody is written to.
    """

    db: Database
    lanes: Mapping[Lane, Queue]
    clock: Clock
    ids: Ids
    telemetry: Telemetry
    settings: EngineSettings
    secrets: Secrets = field(default_factory=NoSecrets)
    fan: Fan = one_by_one
    target_of: TargetOf = no_target
    class_of: ClassOf = ordinary
    links: Links = field(default_factory=NoLinks)
    plans: KnownPlans = field(default_factory=KnownPlans)
    witness: Witness = field(default_factory=NoWitness)
    hashing: Hashing = field(default_factory=NoHashing)
    mailer: Mailer | None = None
    web: Web = field(default_factory=NoWeb)
    tenant_secrets: JobSecrets = field(default_factory=NoJobSecrets)

    def lane_of(self, job: "Job") -> Lane:
        """The lane of the job's runs."""
        return lane_for(self.class_of(job.type), job.timeout_seconds, job.priority)
