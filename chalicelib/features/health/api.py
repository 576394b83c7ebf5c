"""The route of health. It is public, and tells nothing of anyone's data."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.core import Engine
from chalicelib.features.base import VERSION, Answer, Request, Response, Route
from chalicelib.ports.table import Table

DISPATCHER_LATE_MS = 180_000
"""Three missed ticks: occurrences inside the horizon are rung, later ones wait."""
_PROBE = ("health", "probe")
_HEARTBEATS = "heartbeat"
_MAX_GROUPS = 64

TableState = Literal["ok", "unreachable"]


class Dispatcher(BaseModel):
    """The dispatcher's latest tick, of the group that ticked longest ago."""

    model_config = ConfigDict(defer_build=True)

    state: Literal["ok", "late", "not_seen", "unknown"]
    age_seconds: float | None = Field(description="Since that tick; null before the first.")


class Checks(BaseModel):
    """What was looked at."""

    model_config = ConfigDict(defer_build=True)

    tables: dict[str, TableState]
    dispatcher: Dispatcher


class Health(BaseModel):
    """`degraded`: jobs are kept, but may start late. `unavailable`: a table does not answer."""

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
    dispatcher = _dispatcher(engine)
    unreachable = "unreachable" in states.values()
    status: Literal["ok", "degraded", "unavailable"] = "degraded" if dispatcher.state == "late" else "ok"
    health = Health(
        status="unavailable" if unreachable else status,
        version=VERSION,
        checks=Checks(tables=states, dispatcher=dispatcher),
    )
    return Response(health, 503 if unreachable else 200)


def _state(table: Table) -> TableState:
    try:
        table.get(_PROBE)
    except Unavailable:
        return "unreachable"
    return "ok"


def _dispatcher(engine: Engine) -> Dispatcher:
    try:
        beats = engine.db.timers.query(_HEARTBEATS, limit=_MAX_GROUPS).items
    except Unavailable:
        return Dispatcher(state="unknown", age_seconds=None)
    if not beats:
        return Dispatcher(state="not_seen", age_seconds=None)
    age_ms = max(0, engine.clock.now_ms() - min(int(beat.get("at_ms", 0)) for beat in beats))
    return Dispatcher(state="late" if age_ms > DISPATCHER_LATE_MS else "ok", age_seconds=age_ms / 1000)


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
