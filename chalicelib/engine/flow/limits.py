"""A tenant's limits as they lie in the catalog, and what a process remembers of them for a few seconds."""

from collections.abc import Iterable, Mapping

from chalicelib.domain.job import Job
from chalicelib.domain.limits import NO_LIMITS, Limits
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.gates import Gate, gates_of
from chalicelib.ports.table import Item, Key

KEEP_SECONDS = 10
"""So long a process goes by what it has read: another limit holds everywhere when this has passed."""


def limits_key(tenant: str) -> Key:
    return f"{tenant}#limits", "limits"


def decode_limits(item: Item | None) -> Limits:
    """NO_LIMITS itself where there are none."""
    limits = NO_LIMITS if item is None else Limits.model_validate_json(str(item["doc"]))
    return NO_LIMITS if limits == NO_LIMITS else limits


class KnownLimits:
    """The limits of tenants. What a worker reads beside its jobs costs it no call of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, tuple[float, Limits]] = {}

    def unknown(self, tenants: Iterable[str]) -> set[Key]:
        """The keys to read, to know the limits of these tenants."""
        now = self._engine.clock.monotonic()
        return {limits_key(tenant) for tenant in set(tenants) if self._until(tenant) <= now}

    def learn(self, asked: Iterable[Key], found: Mapping[Key, Item]) -> None:
        """Remember what was found at `asked`; what cannot be read limits nothing, and is told."""
        until = self._engine.clock.monotonic() + KEEP_SECONDS
        for key in asked:
            self._known[key[0].rpartition("#")[0]] = until, self._decoded(found.get(key))

    def of(self, tenant: str) -> Limits:
        """The tenant's limits: as they are known, or by a read."""
        if self._until(tenant) <= self._engine.clock.monotonic():
            key = limits_key(tenant)
            item = self._engine.db.catalog.get(key)
            self.learn([key], {} if item is None else {key: item})
        return self._known[tenant][1]

    def is_free(self, job: Job) -> bool:
        """Whether no run of the job has any gate to pass: that is so for most, and quickly said."""
        return job.rate is None and self.of(job.tenant) is NO_LIMITS

    def gates(self, job: Job, run: Run) -> tuple[Gate, ...]:
        """The gates of a run."""
        if self.is_free(job):
            return ()
        limits = self.of(job.tenant)
        target = self._engine.target_of(job, run) if limits.targets else None
        return gates_of(job, target, limits)

    def _until(self, tenant: str) -> float:
        return self._known[tenant][0] if tenant in self._known else 0.0

    def _decoded(self, item: Item | None) -> Limits:
        try:
            return decode_limits(item)
        except ValueError as error:
            self._engine.telemetry.warning("A tenant's limits cannot be read.", error=type(error).__name__)
            return NO_LIMITS
