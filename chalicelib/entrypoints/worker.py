"""The worker Lambdas: one for each lane, each driven by its queue."""

from typing import Any

from chalice.app import Blueprint

from chalicelib.domain.lanes import Lane
from chalicelib.entrypoints.batches import deadline_of, deliveries, partial_failure
from chalicelib.wiring import Wiring, wiring

blueprint = Blueprint(__name__)


def handle(event: dict[str, Any], context: Any, lane: Lane, parts: Wiring) -> dict[str, Any]:
    """Work off one batch of the lane."""
    batch = deliveries(event)
    deadline = deadline_of(context, parts.engine.clock)
    failed = parts.worker(lane).work(batch, deadline=deadline)
    parts.engine.telemetry.info("A batch is done.", lane=lane, messages=len(batch), again=len(failed))
    return partial_failure(failed)


@blueprint.lambda_function(name="fast_worker")
def fast_worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, "fast", wiring())


@blueprint.lambda_function(name="urgent_worker")
def urgent_worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, "urgent", wiring())


@blueprint.lambda_function(name="long_worker")
def long_worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, "long", wiring())


@blueprint.lambda_function(name="data_worker")
def data_worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, "data", wiring())


@blueprint.lambda_function(name="messaging_worker")
def messaging_worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, "messaging", wiring())


@blueprint.lambda_function(name="report_worker")
def report_worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, "report", wiring())


@blueprint.lambda_function(name="script_worker")
def script_worker(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return handle(event, context, "script", wiring())
