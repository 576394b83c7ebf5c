"""Recording how attempts ended: the runs' ends many a call, the next attempts with their timers one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Outcome
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine import record
from chalicelib.engine.core import Engine
from chalicelib.engine.dispatch import dispatch
from chalicelib.engine.records import encode_attempts, run_key
from chalicelib.engine.settle import settle
from chalicelib.engine.timers import RunTimer
from chalicelib.ports.table import ConditionFailed

FIRST_PAUSE_SECONDS = 0.2
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that has ended: its run as it was started, and as it goes on."""

    job: Job
    before: Run
    after: Run

    @property
    def is_retried(self) -> bool:
        return self.after.status is RunStatus.RETRYING


class Concluder:
    """Writes results, again and again while the tables are away and there is time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def settled(self, job: Job, run: Run, outcome: Outcome) -> Ended:
        """How the run goes on after this outcome of its current attempt."""
        now_ms, fraction = self._engine.clock.now_ms(), self._engine.ids.fraction()
        return Ended(job, run, settle(run, outcome, job.retry, now_ms=now_ms, fraction=fraction))

    def record(self, ended: Sequence[Ended], *, deadline: float) -> None:
        """Record ends. Unavailable if the tables stay away until `deadline` (monotonic seconds)."""
        writes = [record.ending(each.after, each.before) for each in ended]
        held = self._persist(lambda: self._engine.db.runs.write_each(writes), deadline)
        for each, recorded in zip(ended, held, strict=True):
            if not recorded:
                self._look_why(each, deadline)

    def retry(self, ended: Ended, *, deadline: float) -> None:
        """Record that another attempt follows, and ring it if it is near; as `record`."""
        timer = record.retry_timer(ended.after, ended.job.shard)
        writes = record.retrying(ended.after, ended.before, timer)
        try:
            self._persist(lambda: self._engine.db.transact(*writes), deadline)
        except ConditionFailed:
            if not self._look_why(ended, deadline):
                return
        self._ring_if_near(timer)

    def _persist(self, write: Callable[[], T], deadline: float) -> T:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return write()
            except Unavailable:
                if self._engine.clock.monotonic() + pause >= deadline:
                    raise
                self._engine.clock.sleep(pause)
                pause *= 2

    def _look_why(self, ended: Ended, deadline: float) -> bool:
        """After a refusal: True if it came from an earlier try of ours, whose answer was lost; a zombie is told of."""
        run = ended.after
        item = self._persist(lambda: self._engine.db.runs.get(run_key(run.tenant, run.id)), deadline)
        ours = {"owner": run.owner, "attempts": encode_attempts(run.attempts)}
        if item is not None and ours.items() <= item.items():
            return True
        self._engine.telemetry.warning(
            "A result came too late: the run has gone on without this worker.",
            run_id=ended.before.id,
            fence=ended.before.fence,
        )
        return False

    def _ring_if_near(self, timer: RunTimer) -> None:
        """The timer is stored: if this fails, the dispatcher rings it."""
        if timer.due_ms >= self._engine.clock.now_ms() + self._engine.settings.horizon_ms:
            return
        try:
            dispatch(self._engine, [timer])
        except Unavailable as error:
            self._engine.telemetry.warning("A ring is left to the dispatcher.", error=error.message)
