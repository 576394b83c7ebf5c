"""Carrying out `breaker.py`: what an attempt says about the health of its target. No write while all is well."""

from chalicelib.domain.breaker import ILL, Breaker, after
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.limits import BreakerRule
from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.gate_records import decode_state, encode_breaker
from chalicelib.engine.flow.gatekeeper import Gatekeeper
from chalicelib.engine.flow.gates import Gate
from chalicelib.engine.flow.limits import KnownLimits
from chalicelib.ports.table import Absent, ConditionFailed, Is, Put

METRIC = "breakers_opened"
TRIES = 5
"""Other attempts' failures that may be counted in between. Who loses them all goes uncounted: there are others."""


class Breakers:
    """The breakers of targets."""

    def __init__(self, engine: Engine, limits: KnownLimits) -> None:
        self._engine, self._limits = engine, limits
        self._keeper = Gatekeeper(engine, limits)

    def note(self, job: Job, run: Run, outcome: Outcome) -> None:
        """Count an attempt's failure, or end its trial. Best effort: a trial that nobody ends, ends with its lease."""
        if not run.trial and not (isinstance(outcome, Failed) and outcome.kind in ILL):
            return
        try:
            for gate in self._limits.gates(job, run):
                if gate.breaker is not None:
                    self._note(gate, gate.breaker, run, outcome)
        except Unavailable as error:
            self._engine.telemetry.warning(
                "A breaker does not know of an attempt.", run_id=run.id, error=error.message
            )

    def _note(self, gate: Gate, rule: BreakerRule, run: Run, outcome: Outcome) -> None:
        for _ in range(TRIES):
            item = self._engine.db.runs.get(gate.breaker_key)
            before = decode_state([item] if item else []).breaker
            now_ms = self._engine.clock.now_ms()
            now = after(before, rule, run.id, outcome, now_ms)
            if now is before:
                return
            unchanged = Is("version", before.version) if item else Absent()
            try:
                self._engine.db.runs.write(Put(encode_breaker(gate, now, now_ms), unchanged))
            except ConditionFailed:
                continue
            self._follow_up(gate, before, now, run)
            return

    def _follow_up(self, gate: Gate, before: Breaker, now: Breaker, run: Run) -> None:
        """Tell, and have those who wait called: all of them if it has closed, one to try if it is open."""
        if now.state == before.state:
            return
        told = {"tenant": gate.tenant, "target": gate.name, "failures": now.failures, "run_id": run.id}
        if now.state == "open":
            self._engine.telemetry.warning("A breaker has opened.", **told)
            self._engine.telemetry.count(METRIC, 1)
            self._keeper.wake(gate, now.until_ms + 1)
        else:
            self._engine.telemetry.info("A breaker has closed.", **told)
            self._keeper.call(gate.tenant, [gate.name])
