"""A tick: find a group's timers due before the horizon, dispatch them, the oldest last, and then keep watch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.audit.watch import RESERVE_SECONDS, Group, Watch
from chalicelib.engine.core import Engine
from chalicelib.engine.ringing.dispatch import dispatch
from chalicelib.engine.ringing.due import read_due, urgent_first
from chalicelib.engine.ringing.floor import floor_for
from chalicelib.engine.wheel.timers import GateTimer, TendedTimer, Timer

CHUNK = 1000
"""Timers dispatched together: one journal page, some ten calls for jobs, a hundred for messages."""
CHUNKS_AT_ONCE = 3
"""While one is planned, another is read and a third is sent."""


@dataclass(slots=True)
class _State:
    """What a tick has done so far. `deadline` is in monotonic seconds, `seen` the timers of the round before."""

    now_ms: int
    deadline: float
    done: int = 0
    is_cut_short: bool = False
    failures: list[Unavailable] = field(default_factory=list)
    tended: list[TendedTimer] = field(default_factory=list)
    seen: set[Timer] = field(default_factory=set)


def tick(engine: Engine, shards: Sequence[int], *, group: int, deadline: float, groups: int = 1) -> int:
    """Dispatch what is due in the shards, in rounds, then keep watch; the number dispatched.

    Begins nothing after `deadline` (monotonic seconds). `group` is the number of this dispatcher among `groups`. What
    is unavailable does not stop the rest. It is left to the next tick, and Unavailable is raised at the end.
    """
    state = _State(engine.clock.now_ms(), deadline - RESERVE_SECONDS)
    while _round(engine, shards, state):
        pass
    if state.is_cut_short:
        engine.telemetry.warning(
            "A tick ran out of time; the next one goes on.", group=group, dispatched=state.done
        )
    _look_after(engine, state)
    failures = state.failures
    Watch(engine, Group(group, groups), deadline=deadline).keep(state.done, failures)
    if failures:
        raise Unavailable(f"{len(failures)} parts of a tick are left to the next one: {failures[0].message}")
    return state.done


def _round(engine: Engine, shards: Sequence[int], state: _State) -> bool:
    """Dispatch some pages of the shards, several chunks at once; whether another round is of use."""
    due = read_due(engine, shards, now_ms=state.now_ms, deadline=state.deadline)
    state.failures += due.failures
    timers = [timer for timer in due.timers if timer not in state.seen]
    state.seen = set(due.timers) if due.is_more else set()
    state.tended += [timer for timer in timers if isinstance(timer, TendedTimer)]
    chunks, patient = _chunks(urgent_first(timers, state.now_ms)), len(timers) <= CHUNK
    answers = engine.fan(
        lambda chunk: _dispatched(engine, chunk, state.deadline, patient=patient),
        chunks,
        at_once=CHUNKS_AT_ONCE,
    )
    state.failures += [answer for answer in answers if isinstance(answer, Unavailable)]
    state.done += sum(answer for answer in answers if isinstance(answer, int))
    is_late = engine.clock.monotonic() >= state.deadline
    state.is_cut_short = None in answers or (due.is_more and is_late)
    return due.is_more and bool(timers) and not state.failures and not is_late


def _dispatched(
    engine: Engine, chunk: list[Timer], deadline: float, *, patient: bool
) -> int | Unavailable | None:
    """How many were dispatched, or what was unavailable; None if there was no time left."""
    if engine.clock.monotonic() >= deadline:
        return None
    try:
        timers = [timer for timer in chunk if not isinstance(timer, TendedTimer)]
        dispatch(engine, timers, patient=patient, floor_ms=floor_for(engine, timers))
    except Unavailable as error:
        return error
    return len(chunk)


def _look_after(engine: Engine, state: _State) -> None:
    """Backfills and gates come last: they never delay what is due."""
    if not state.tended:
        return
    from chalicelib.engine.backfills import look_after
    from chalicelib.engine.tending import tend

    for timer in state.tended:
        if engine.clock.monotonic() >= state.deadline:
            return
        if isinstance(timer, GateTimer):
            tend(engine, timer)
        else:
            look_after(engine, timer)


def _chunks(timers: list[Timer]) -> Iterator[list[Timer]]:
    for start in range(0, len(timers), CHUNK):
        yield timers[start : start + CHUNK]
