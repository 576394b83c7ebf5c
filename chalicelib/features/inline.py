"""What the api does right after a commit: ring what is due before the next tick, by the dispatcher's own function."""

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.core import Engine
from chalicelib.engine.wheel.timers import DispatchedTimer


def ring_if_near(engine: Engine, timer: DispatchedTimer | None) -> None:
    """The commit stands whatever happens here: a timer that could not be rung is left to the dispatcher."""
    if timer is None or timer.due_ms >= engine.clock.now_ms() + engine.settings.horizon_ms:
        return
    from chalicelib.engine.ringing.dispatch import dispatch
    from chalicelib.engine.ringing.floor import floor_for

    try:
        dispatch(engine, [timer], floor_ms=floor_for(engine, [timer]))
    except Unavailable as error:
        engine.telemetry.warning(
            "A near timer was not rung inline; the dispatcher will.", error=error.message
        )
