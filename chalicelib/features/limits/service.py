"""Limits in the catalog: all of a tenant's lie in one item, so that a worker reads them beside its jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.errors import Conflict, NotFound, Unavailable
from chalicelib.domain.limits import MAX_TARGETS, NO_LIMITS, Limits, TargetLimits, TenantLimits
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.gate_records import QUEUE
from chalicelib.engine.flow.gatekeeper import Gatekeeper
from chalicelib.engine.flow.gates import TENANT_GATE, Gate, gate_named, target_gate
from chalicelib.engine.flow.limits import KnownLimits, decode_limits, limits_key
from chalicelib.engine.flow.passage import GateState
from chalicelib.features.conditional import require_match
from chalicelib.ports.table import Absent, ConditionFailed, Is, Item, Put

TRIES = 5
COUNTED = 1000
"""Those who wait are counted up to so many."""


@dataclass(frozen=True, slots=True)
class Stored:
    """All limits of a tenant. `revision` counts every change, 0: there never were any."""

    limits: Limits = NO_LIMITS
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Live:
    """A gate, and how things stand there now. `waiting` is counted up to COUNTED."""

    gate: Gate
    state: GateState
    waiting: int


Change = Callable[[Limits], Limits]


def read(engine: Engine, tenant: str) -> Stored:
    """The tenant's limits; none is no error."""
    item = engine.db.catalog.get(limits_key(tenant))
    return Stored(decode_limits(item), int(item["revision"])) if item else Stored()


def target(stored: Stored, host: str) -> TargetLimits:
    """NotFound if the host has no limits."""
    found = stored.limits.targets.get(host)
    if found is None:
        raise NotFound("There are no limits on this target.")
    return found


def live(engine: Engine, tenant: str, name: str, limits: Limits) -> Live:
    """How things stand at a gate."""
    gate = gate_named(tenant, name, limits)
    waiting = engine.db.runs.query(gate.partition, low=QUEUE, limit=COUNTED).items
    keeper = Gatekeeper(engine, KnownLimits(engine))
    return Live(gate, keeper.read(gate), len(waiting))


def set_tenant(engine: Engine, tenant: str, wanted: TenantLimits, if_match: str | None) -> Stored:
    """What holds for all runs of the tenant from now on. PreconditionFailed; Conflict if others keep changing it."""
    return _changed(
        engine,
        tenant,
        if_match,
        TENANT_GATE,
        lambda before: before.model_copy(update={"tenant": wanted}),
    )


def set_target(engine: Engine, tenant: str, host: str, wanted: TargetLimits, if_match: str | None) -> Stored:
    """What holds for all runs to the host. As `set_tenant`; Conflict also if too many targets have limits."""

    def change(before: Limits) -> Limits:
        if host not in before.targets and len(before.targets) >= MAX_TARGETS:
            raise Conflict(f"{MAX_TARGETS} targets have limits already.")
        return before.model_copy(update={"targets": {**before.targets, host: wanted}})

    return _changed(engine, tenant, if_match, target_gate(host), change)


def drop_target(engine: Engine, tenant: str, host: str, if_match: str | None) -> None:
    """NotFound if there are none; else as `set_tenant`."""

    def change(before: Limits) -> Limits:
        target(Stored(before), host)
        rest = {name: limits for name, limits in before.targets.items() if name != host}
        return before.model_copy(update={"targets": rest})

    _changed(engine, tenant, if_match, target_gate(host), change)


def _changed(engine: Engine, tenant: str, if_match: str | None, gate: str, change: Change) -> Stored:
    for _ in range(TRIES):
        before = read(engine, tenant)
        require_match(if_match, before.revision)
        after = Stored(change(before.limits), before.revision + 1)
        if after.limits == before.limits:
            return before
        pk, sk = limits_key(tenant)
        doc = after.limits.model_dump_json(exclude_none=True)
        unchanged = Is("revision", before.revision) if before.revision else Absent()
        try:
            item: Item = {"pk": pk, "sk": sk, "revision": after.revision, "doc": doc}
            engine.db.catalog.write(Put(item, unchanged))
        except ConditionFailed:
            continue
        engine.witness.changed("limits", gate, _shown(before, gate), _shown(after, gate))
        _call(engine, tenant, gate)
        return after
    raise Conflict("Others keep changing these limits; try again.")


def _shown(stored: Stored, gate: str) -> dict[str, Any] | None:
    """What holds at the gate; None if nothing does."""
    limits = stored.limits.model_dump(mode="json", exclude_none=True)
    host = next((name for name in stored.limits.targets if target_gate(name) == gate), None)
    found: dict[str, Any] = limits["tenant"] if gate == TENANT_GATE else limits["targets"].get(host)
    return found or None


def _call(engine: Engine, tenant: str, gate: str) -> None:
    """Those who wait need not wait for the dispatcher's look, if there is room for them now."""
    try:
        Gatekeeper(engine, KnownLimits(engine)).call(tenant, [gate])
    except Unavailable as error:
        engine.telemetry.warning("A gate is left to the dispatcher.", gate=gate, error=error.message)
