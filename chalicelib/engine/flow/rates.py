"""Carrying out `pace.py`: conditional writes that reserve the next moments at a gate, many with one."""

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.pace import floor_us, moments_ms
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.gates import Gate
from chalicelib.ports.table import PRESENT, Below, ConditionFailed, Item, Lacks, Update, any_of

KEEP_SECONDS = 90 * 86_400
"""A gate that nobody has passed for so long is forgotten."""


class Rates:
    """Reservations. A moment that its owner never uses, because it died, harms nobody."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: dict[str, int] = {}

    def reserve(self, gate: Gate, count: int, at_ms: int) -> list[int]:
        """The next `count` free moments (epoch ms, ascending) of a gate with a rate, for runs due at `at_ms`.

        One that lies before `at_ms` is free at once. A call, or two where the gate was not as it was seen last.
        """
        assert gate.rate is not None
        low_us, ahead_us = floor_us(gate.rate, at_ms), count * gate.rate.interval_us
        kept: Item = {"expires_at": at_ms // 1000 + KEEP_SECONDS}
        quiet = any_of(Below("next_us", low_us), Lacks("next_us"))
        first = Update(gate.rate_key, {**kept, "next_us": low_us + ahead_us}, when=quiet)
        behind = Update(gate.rate_key, kept, add={"next_us": ahead_us}, when=PRESENT)
        is_busy = self._seen.get(gate.partition, 0) >= low_us
        for write in (behind, first, behind) if is_busy else (first, behind, first):
            try:
                next_us = int(self._engine.db.runs.write(write)["next_us"])
            except ConditionFailed:
                continue
            self._seen[gate.partition] = next_us
            return moments_ms(gate.rate, next_us, count)
        raise Unavailable("A gate's next free moment changes faster than it can be moved.")
