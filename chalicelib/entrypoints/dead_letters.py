"""The dead-letter Lambda: it settles what the lanes' queues have given up."""

from typing import Any

from chalice.app import Blueprint

from chalicelib.entrypoints.batches import deliveries, partial_failure
from chalicelib.wiring import Wiring, wiring

blueprint = Blueprint(__name__)


def handle(event: dict[str, Any], parts: Wiring) -> dict[str, Any]:
    """Settle one batch."""
    from chalicelib.engine.running.dead_letters import bury

    batch = deliveries(event)
    failed = bury(parts.engine, batch)
    parts.engine.telemetry.info("Dead letters are settled.", messages=len(batch), again=len(failed))
    return partial_failure(failed)


@blueprint.lambda_function(name="dead_letters")
def dead_letters(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return handle(event, wiring())
