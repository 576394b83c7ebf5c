"""Worlds under limits: the limits themselves, targets, attempts that take time, and what the gates hold."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from chalicelib.domain.job import Job
from chalicelib.domain.limits import Limits
from chalicelib.domain.outcome import Outcome, Succeeded
from chalicelib.domain.run import Run
from chalicelib.engine.flow.limits import limits_key
from chalicelib.engine.message import decode
from chalicelib.ports.table import Put
from tests.support.memory import MemoryDatabase
from tests.support.world import NOON, TENANT, World


def limit(db: MemoryDatabase, **limits: Any) -> None:
    """The tenant's limits from now on."""
    pk, sk = limits_key(TENANT)
    doc = Limits.model_validate(limits).model_dump_json(exclude_none=True)
    db.catalog.write(Put({"pk": pk, "sk": sk, "doc": doc}))


def with_targets(world: World) -> World:
    """The world, in which a job's config names its target."""
    object.__setattr__(world.engine, "target_of", lambda job, _run: job.config.get("target"))
    return world


def at(second: int) -> dict[str, str]:
    return {
        "kind": "once",
        "at": f"2027-01-15T{12 + second // 3600}:{second // 60 % 60:02}:{second % 60:02}Z",
    }


def starts(world: World) -> list[int]:
    """When attempts began, in milliseconds after noon."""
    return sorted(moment - NOON for _, moment in world.executed)


def lasting(world: World, seconds: Callable[[Run], float]) -> Counter[str]:
    """Attempts last so long, while the world goes on; the most that were under way at once, by target and in all.

    And the most slots of gates that were taken at once.
    """
    active, most = Counter[str](), Counter[str]()

    def attempt(job: Job, run: Run) -> Outcome:
        names = ["all", str(job.config.get("target"))]
        active.update(names)
        most["slots"] = max(most["slots"], sum(" slot " in each for each in taken_up(world)))
        for name in names:
            most[name] = max(most[name], active[name])
        if (lasts := seconds(run)) > 0:
            world.advance(lasts)
        active.subtract(names)
        return Succeeded({})

    world.outcome = attempt
    return most


def counted_deliveries(world: World) -> Counter[str]:
    """From now on, how often each run's message is delivered."""
    deliveries = Counter[str]()
    work = world.worker.work

    def counted(batch: Any, *, deadline: float) -> list[str]:
        deliveries.update(decode(each.body).run_id for each in batch)
        return work(batch, deadline=deadline)

    world.worker.work = counted  # type: ignore[method-assign]
    return deliveries


def taken_up(world: World) -> list[str]:
    """The slots and places of all gates, by the runs that have them."""
    return sorted(
        f"{pk.split('#')[1]} {sk.split('#')[0]} {item['run']}"
        for (pk, sk), item in world.db.runs.items.items()
        if pk.endswith("#slots") and "run" in item
    )
