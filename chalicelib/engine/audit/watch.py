"""What a dispatcher does when all that is due is rung: it audits, repairs, and says that it is alive."""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.audit.auditor import audit
from chalicelib.engine.audit.findings import report
from chalicelib.engine.audit.pulse import Pulse, alive, read_pulses, save_pulse, verified_until
from chalicelib.engine.audit.repair import repair
from chalicelib.engine.audit.roster import begun, turns
from chalicelib.engine.core import Engine
from chalicelib.engine.ringing.journal import PARTITIONS

RESERVE_SECONDS = 10.0
"""Of a tick's time, kept for this, however much is due."""
METRIC = "dispatchers_alive"
"""How many groups tick, as each of them sees it. An alarm stands on it, also on its absence."""


@dataclass(frozen=True, slots=True)
class Group:
    """The dispatchers share the work: this one has the shards and partitions whose number is `number` modulo `of`."""

    number: int
    of: int

    def share(self, count: int) -> range:
        """Its part of the numbers 0 to `count` - 1."""
        return range(self.number, count, self.of)


class Watch:
    """One tick's look after everything."""

    def __init__(self, engine: Engine, group: Group, *, deadline: float) -> None:
        self._engine, self._group, self._deadline = engine, group, deadline

    def keep(self, dispatched: int, failures: list[Unavailable]) -> None:
        """Audit and repair; if nothing has failed here or before, the group is alive. Adds to `failures` what fails."""
        try:
            pulses = read_pulses(self._engine)
            own = self._own(pulses)
            self._audit(pulses, own, failures)
            self._repair(own, failures)
            if not failures:
                self._say_alive(pulses, own, dispatched)
        except Unavailable as error:
            failures.append(error)

    def _own(self, pulses: Iterable[Pulse]) -> Pulse:
        number = self._group.number
        return next((pulse for pulse in pulses if pulse.group == number), Pulse(number))

    def _audit(self, pulses: list[Pulse], own: Pulse, failures: list[Unavailable]) -> None:
        for partition in self._group.share(PARTITIONS):
            since = verified_until(pulses, partition)
            try:
                for looked in audit(self._engine, partition, since, deadline=self._deadline):
                    own.verified[partition] = looked.until
                    self._found(own, looked.found)
            except Unavailable as error:
                failures.append(error)

    def _repair(self, own: Pulse, failures: list[Unavailable]) -> None:
        """Carry out the turns that are due, as far as there is time."""
        now_ms = self._engine.clock.now_ms()
        shards = self._group.share(self._engine.settings.shards)
        if own.repaired_ms is None:
            own.repaired_ms = begun(shards, now_ms)
        for turn in turns(shards, own.repaired_ms, now_ms):
            try:
                findings = repair(self._engine, turn, deadline=self._deadline)
            except Unavailable as error:
                failures.append(error)
                return
            if findings is None:
                return
            report(self._engine, findings)
            own.repaired_ms = turn.until_ms
            self._found(own, len(findings))

    def _found(self, own: Pulse, number: int) -> None:
        """Saved at once: what was rung again is not rung a third time if this tick comes to grief."""
        own.found(number, self._engine.clock.now_ms())
        if number:
            save_pulse(self._engine, own)

    def _say_alive(self, pulses: list[Pulse], own: Pulse, dispatched: int) -> None:
        now_ms = self._engine.clock.now_ms()
        own.beat(now_ms, dispatched)
        save_pulse(self._engine, own)
        others = [pulse for pulse in pulses if pulse.group != own.group]
        self._engine.telemetry.count(METRIC, alive([own, *others], self._group.of, now_ms))
