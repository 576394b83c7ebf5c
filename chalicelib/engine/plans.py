"""The plans of tenants: read from their records, and remembered for a minute."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from chalicelib.domain.plans import PLANS, Plan
from chalicelib.ports.table import Item, Key

if TYPE_CHECKING:
    from chalicelib.engine.core import Engine

KEEP_SECONDS = 60
"""So long a process goes by what it has read: another plan holds everywhere when this has passed."""


def tenant_key(tenant: str) -> Key:
    """The tenant's own record, of which the engine knows the plan alone."""
    return f"{tenant}#tenant", "tenant"


class KnownPlans:
    """What a process remembers. None is the plan of a tenant without a record: it is held to nothing."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Plan | None]] = {}

    def of(self, engine: "Engine", tenant: str) -> Plan | None:
        """The tenant's plan: as it is known, or by a read. May be Unavailable."""
        keys = self.unknown(engine, [tenant])
        if keys:
            self.learn(engine, keys, engine.db.catalog.get_many(keys))
        return self._known[tenant][1]

    def unknown(self, engine: "Engine", tenants: Iterable[str]) -> set[Key]:
        """The keys to read, to know the plans of these tenants."""
        now = engine.clock.monotonic()
        return {tenant_key(tenant) for tenant in tenants if self._known.get(tenant, (0.0, None))[0] <= now}

    def learn(self, engine: "Engine", asked: Iterable[Key], found: Mapping[Key, Item]) -> None:
        """Remember what was found at `asked`."""
        until = engine.clock.monotonic() + KEEP_SECONDS
        for key in asked:
            self._known[key[0].rpartition("#")[0]] = until, _decoded(engine, found.get(key))


def _decoded(engine: "Engine", item: Item | None) -> Plan | None:
    """What cannot be read holds nobody, and is told."""
    if item is None:
        return None
    found = next((plan for plan in PLANS if plan == item.get("plan")), None)
    if found is None:
        engine.telemetry.warning("A tenant's plan is unknown.", plan=str(item.get("plan")))
    return found
