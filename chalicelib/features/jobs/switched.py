"""Job types whose lane the operator has switched off: what is not polled costs nothing, and nothing is done there."""

from chalicelib.domain.errors import Invalid
from chalicelib.engine.core import Engine


def check_lane(engine: Engine, type_: str) -> None:
    """Invalid if nobody would run a job of the type."""
    lane = engine.class_of(type_)
    if lane not in engine.settings.lanes_on:
        told = f"Jobs of this deployment may not be of the type {type_}: its operator has to add {lane} to LANES."
        raise Invalid.field("/type", told, "lane_is_off")
