"""The route of health. It is public, and tells nothing of anyone's data."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.audit.pulse import read_pulses
from chalicelib.engine.core import Engine
from chalicelib.features.base import VERSION, Answer, Request, Response, Route
from chalicelib.features.health.watch import (
    UNKNOWN_AUDITOR,
    Auditor,
    Dispatcher,
    auditor_at,
    dispatcher_at,
    unknown_dispatcher,
)
from chalicelib.ports.table import Table

_PROBE = ("health", "probe")

TableState = Literal["ok", "unreachable"]


class Checks(BaseModel):
    """What was looked at."""

    model_config = ConfigDict(defer_build=True)

    tables: dict[str, TableState]
    dispatcher: Dispatcher
    auditor: Auditor


class Health(BaseModel):
    """`degraded`: jobs are kept, but may start late, or be made up late. `unavailable`: a table does not answer."""

    model_config = ConfigDict(defer_build=True)

    status: Literal["ok", "degraded", "unavailable"]
    version: str
    checks: Checks


def get_health(engine: Engine, _request: Request) -> Response:
    tables: dict[str, Table] = {
        "catalog": engine.db.catalog,
        "timers": engine.db.timers,
        "runs": engine.db.runs,
    }
    states = {name: _state(table) for name, table in tables.items()}
    dispatcher, auditor = _watch(engine)
    unreachable = "unreachable" in states.values()
    is_late = dispatcher.state == "late" or auditor.state == "behind"
    status: Literal["ok", "degraded", "unavailable"] = "degraded" if is_late else "ok"
    health = Health(
        status="unavailable" if unreachable else status,
        version=VERSION,
        checks=Checks(tables=states, dispatcher=dispatcher, auditor=auditor),
    )
    return Response(health, 503 if unreachable else 200)


def _state(table: Table) -> TableState:
    try:
        table.get(_PROBE)
    except Unavailable:
        return "unreachable"
    return "ok"


def _watch(engine: Engine) -> tuple[Dispatcher, Auditor]:
    groups, now_ms = engine.settings.dispatchers, engine.clock.now_ms()
    try:
        pulses = read_pulses(engine)
    except Unavailable:
        return unknown_dispatcher(groups), UNKNOWN_AUDITOR
    return dispatcher_at(pulses, groups, now_ms), auditor_at(pulses, now_ms)


ROUTES = (
    Route(
        method="GET",
        path="/health",
        handler=get_health,
        summary="Whether Chronos works",
        tag="service",
        public=True,
        answers=(
            Answer(description="It works, perhaps late.", model=Health),
            Answer(description="A table does not answer.", status=503, model=Health),
        ),
    ),
)
