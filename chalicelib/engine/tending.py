"""The dispatcher's look at a gate, each minute while runs wait there: what got lost is made up for."""

from contextlib import suppress

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.gate_records import QUEUE, decode_state
from chalicelib.engine.flow.gatekeeper import Gatekeeper
from chalicelib.engine.flow.gates import Gate
from chalicelib.engine.flow.limits import KnownLimits
from chalicelib.engine.flow.passage import PAGE
from chalicelib.engine.message import decode
from chalicelib.engine.ringing.floor import end_restored, floor_for
from chalicelib.engine.wheel.timers import GateTimer, encode_timer, timer_key
from chalicelib.ports.table import ConditionFailed, Delete, Is


def tend(engine: Engine, timer: GateTimer) -> None:
    """Call who may come, since a worker may have died with a slot or a call; look again while anybody waits."""
    keeper, gate = Gatekeeper(engine, KnownLimits(engine)), Gate(timer.tenant, timer.gate)
    try:
        _end_restored(engine, gate, floor_for(engine, [timer]))
        keeper.call(timer.tenant, [timer.gate])
        now_ms = engine.clock.now_ms()
        following = keeper.timer(gate, now_ms, f"tick {now_ms}")
        goes_on = bool(keeper.read(gate, waiting=1).waiting)
        if goes_on:
            engine.db.timers.put_all([encode_timer(following)])
        if not goes_on or following.due_ms != timer.due_ms:
            with suppress(ConditionFailed):
                engine.db.timers.write(Delete(timer_key(timer), Is("writer", timer.writer)))
    except Unavailable as error:
        engine.telemetry.warning("A gate is left to the next tick.", gate=timer.gate, error=error.message)


def _end_restored(engine: Engine, gate: Gate, floor_ms: int) -> None:
    """End those in the queue that were due before the dispatch floor: nobody knows how they went on (0: no floor)."""
    after: str | None = None
    while floor_ms:
        page = engine.db.runs.query(gate.partition, low=QUEUE, limit=PAGE, after=after)
        waiting = [(each, decode(each.message)) for each in decode_state((), page.items).waiting]
        below = [(each, message) for each, message in waiting if message.due_ms < floor_ms]
        end_restored(engine, [message for _, message in below])
        engine.db.runs.delete_all((gate.partition, each.sort_key) for each, _ in below)
        after = page.next
        if after is None:
            return
