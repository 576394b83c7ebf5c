"""Gates: what a run has to pass before it starts. A job's, its target's, its tenant's. Pure."""

from dataclasses import dataclass

from chalicelib.domain.job import Job
from chalicelib.domain.limits import BreakerRule, Limits, Rate
from chalicelib.ports.table import Key

TENANT_GATE = "tenant"
TARGET = "target:"
KINDS = ("job", "tenant", "target")
"""In the order in which their rates are passed: the target's last, so that its rate is kept to the letter."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate, and what limits the runs that pass it: at least one of the three."""

    tenant: str
    name: str
    concurrency: int | None = None
    rate: Rate | None = None
    breaker: BreakerRule | None = None

    @property
    def partition(self) -> str:
        return gate_partition(self.tenant, self.name)

    @property
    def kind(self) -> str:
        """One of KINDS."""
        if self.name == TENANT_GATE:
            return "tenant"
        return "target" if self.name.startswith(TARGET) else "job"

    @property
    def rate_key(self) -> Key:
        return self.partition, "rate"

    @property
    def breaker_key(self) -> Key:
        return self.partition, "breaker"

    @property
    def has_queue(self) -> bool:
        """Whether runs may have to wait here until they are called."""
        return self.concurrency is not None or self.breaker is not None


def gate_partition(tenant: str, name: str) -> str:
    """Where a gate's state lies in the table of runs: slots, places in the queue, next free moment, breaker."""
    return f"{tenant}#{name}#slots"


def target_gate(host: str) -> str:
    return TARGET + host


def gates_of(job: Job, target: str | None, limits: Limits) -> tuple[Gate, ...]:
    """The gates of a run, from the narrowest to the widest; none for most runs.

    The job's own concurrency rule is none of them: it may skip runs, and has its own door (`slots.py`).
    """
    found = []
    if job.rate:
        found.append(Gate(job.tenant, job.id, rate=job.rate))
    its = limits.targets.get(target) if target else None
    if target and its and (its.concurrency or its.rate or its.breaker):
        found.append(Gate(job.tenant, target_gate(target), its.concurrency, its.rate, its.breaker))
    everyone = limits.tenant
    if everyone.concurrency or everyone.rate:
        found.append(Gate(job.tenant, TENANT_GATE, everyone.concurrency, everyone.rate))
    return tuple(found)


def gate_named(tenant: str, name: str, limits: Limits) -> Gate:
    """A tenant's or target's gate as it is now; without limits if nothing limits it any more."""
    if name == TENANT_GATE:
        return Gate(tenant, name, limits.tenant.concurrency, limits.tenant.rate)
    its = limits.targets.get(name.removeprefix(TARGET))
    return Gate(tenant, name, its.concurrency, its.rate, its.breaker) if its else Gate(tenant, name)
