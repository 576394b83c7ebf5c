"""The dispatcher Lambda: EventBridge Scheduler fires it each minute, once for each group of shards."""

from typing import Any

from chalice.app import Blueprint

from chalicelib.entrypoints.batches import deadline_of
from chalicelib.wiring import Wiring, wiring

blueprint = Blueprint(__name__)


def handle(event: dict[str, Any], context: Any, parts: Wiring) -> dict[str, Any]:
    """One tick. The event is {"group": i, "groups": n}: the shards whose number is i modulo n."""
    from chalicelib.engine.tick import tick

    group, groups = int(event.get("group", 0)), max(1, int(event.get("groups", 1)))
    engine = parts.engine
    shards = range(group % groups, engine.settings.shards, groups)
    done = tick(
        engine, shards, group=group % groups, groups=groups, deadline=deadline_of(context, engine.clock)
    )
    engine.telemetry.info("A tick is done.", group=group, timers=done)
    return {"timers": done}


@blueprint.lambda_function(name="dispatcher")
def dispatcher(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, wiring())
