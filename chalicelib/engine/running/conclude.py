"""Recording how attempts ended: the runs' ends many a call, the next attempts with their timers one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Following, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.flow.limits import KnownLimits
from chalicelib.engine.flow.slot_records import PATIENCE_MS
from chalicelib.engine.ledger import record
from chalicelib.engine.ledger.settle import settle, stopped
from chalicelib.engine.ledger.streak import is_counted, write_end
from chalicelib.engine.records import decode_attempts, encode_attempts, run_key
from chalicelib.engine.ringing.dispatch import dispatch
from chalicelib.engine.wheel.timers import RunTimer
from chalicelib.ports.table import ConditionFailed, Item

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


def is_ours(run: Run, stored: Item | None) -> bool:
    """After a refusal: whether it came from an earlier try of ours, whose answer was lost."""
    if stored is None or stored.get("owner") != run.owner:
        return False
    return str(stored.get("attempts", "[]")) == encode_attempts(run.attempts)


def is_recorded(run: Run, stored: Item | None) -> bool:
    """Likewise, or from its callback, which has come first, and speaks for the attempt with more right."""
    if is_ours(run, stored):
        return True
    if stored is None or stored.get("owner") != run.owner or run.callback_by_ms is None:
        return False
    attempts = decode_attempts(str(stored.get("attempts", "[]")))
    return run.attempt in [each.number for each in attempts if each.finished_ms is not None]


class Concluder:
    """Writes results, again and again while the tables are away and there is time."""

    def __init__(self, engine: Engine, limits: KnownLimits | None = None) -> None:
        self._engine = engine
        self._admission = Admission(engine, limits)

    def settled(self, job: Job, run: Run, outcome: Outcome, *, cancelled: bool = False) -> Ended:
        """How the run goes on after its current attempt. What succeeded has succeeded, also when asked to stop.

        Work that goes on elsewhere is stopped by the next look, at once.
        """
        now_ms, fraction = self._engine.clock.now_ms(), self._engine.ids.fraction()
        if cancelled and not isinstance(outcome, Succeeded):
            if isinstance(outcome, Following):
                outcome = replace(outcome, look_after_seconds=0)
            elif run.handle is not None:
                outcome = Following(run.handle, {}, 0, look_after_seconds=0)
            else:
                return Ended(job, run, stopped(run, now_ms=now_ms))
        elif run.cancel_ms is not None and not isinstance(outcome, Succeeded | Following):
            return Ended(job, run, stopped(run, now_ms=now_ms, outcome=outcome))
        return Ended(job, run, settle(run, outcome, job.retry, now_ms=now_ms, fraction=fraction))

    def try_once(self, ended: Ended) -> bool:
        """Record an end, or that another attempt follows; False if the run has gone on since it was read.

        Unavailable if the tables are away: then nobody knows. Who leaves a slot has yet to do so.
        """
        try:
            if ended.is_retried:
                timer = record.retry_timer(ended.after, ended.job.shard)
                self._engine.db.transact(*record.going_on(ended.after, ended.before, timer))
                self._keep_and_ring(ended, timer)
            else:
                write_end(self._engine, ended.job, ended.after, record.ending(ended.after, ended.before))
        except ConditionFailed:
            return False
        return True

    def record(self, ended: Sequence[Ended], *, deadline: float) -> None:
        """Record ends. Unavailable if the tables stay away until `deadline` (monotonic seconds)."""
        left: list[Ended] = []
        for each, recorded in zip(ended, self._written(ended, deadline), strict=True):
            if not (recorded or is_recorded(each.after, self._stored(each.after, deadline))):
                self._tell_late(each)
            elif each.before.has_room:
                left.append(each)
        self._admission.leave_all([(each.job, each.before) for each in left])

    def retry(self, ended: Ended, *, deadline: float) -> None:
        """Record that another attempt follows, and ring it if it is near; as `record`."""
        timer = record.retry_timer(ended.after, ended.job.shard)
        if self._is_going_on(ended, timer, deadline):
            self._keep_and_ring(ended, timer)

    def wait(self, ended: Ended, *, deadline: float) -> None:
        """Record that the run waits for its work elsewhere, with the timer for the next look; as `record`.

        Its slot is held on to before: who dies in between leaves a run that starts again in this very slot.
        """
        now_ms = self._engine.clock.now_ms()
        timer = record.wait_timer(ended.after, ended.job.shard, now_ms)
        kept_until = self._engine.settings.expires_at(ended.after.callback_by_ms or now_ms)
        looked_ms = min(now_ms, timer.due_ms - 1)  # before the next look's moment: the auditor asks for that
        more: Item = {"lease_ms": ended.after.lease_ms, "looked_ms": looked_ms, "expires_at": kept_until}
        if ended.after.callback_by_ms is not None:
            more["callback_by_ms"] = ended.after.callback_by_ms
        until_ms = now_ms + record.KEEP_SLOT_MS
        self._persist(lambda: self._admission.keep(ended.job, ended.before, until_ms), deadline)
        if self._is_going_on(ended, timer, deadline, more):
            self._ring_if_near(timer)

    def _is_going_on(self, ended: Ended, timer: RunTimer, deadline: float, more: Item | None = None) -> bool:
        writes = record.going_on(ended.after, ended.before, timer, more)
        try:
            self._persist(lambda: self._engine.db.transact(*writes), deadline)
        except ConditionFailed:
            stored = self._stored(ended.after, deadline)
            if not is_recorded(ended.after, stored):
                self._stop_or_tell(ended, deadline)
            return is_ours(ended.after, stored)
        return True

    def _keep_and_ring(self, ended: Ended, timer: RunTimer) -> None:
        try:
            self._admission.rest(ended.job, ended.before, timer.due_ms + PATIENCE_MS)
        except Unavailable as error:
            self._engine.telemetry.warning("A slot may be lost.", run_id=ended.after.id, error=error.message)
        self._ring_if_near(timer)

    def _stop_or_tell(self, ended: Ended, deadline: float) -> None:
        """Another attempt was refused: the run was asked to stop, or it is not ours any more."""
        if ended.after.handle is not None:
            self._tell_late(ended)
            return
        now_ms = self._engine.clock.now_ms()
        if ended.after.status is RunStatus.WAITING:
            over = stopped(ended.after, now_ms=now_ms)
        else:
            over = replace(ended.after, status=RunStatus.CANCELLED, retry_ms=None, finished_ms=now_ms)
        self.record([replace(ended, after=over)], deadline=deadline)

    def _written(self, ended: Sequence[Ended], deadline: float) -> list[bool]:
        """Whether each end was taken: many a call, but those that a job counts one by one."""
        simple = [each for each in ended if not is_counted(each.job, each.after)]
        writes = [record.ending(each.after, each.before) for each in simple]
        taken = self._persist(lambda: self._engine.db.runs.write_each(writes), deadline) if writes else []
        rest = iter(taken)
        return [
            self._counted(each, deadline) if is_counted(each.job, each.after) else next(rest)
            for each in ended
        ]

    def _counted(self, ended: Ended, deadline: float) -> bool:
        write = record.ending(ended.after, ended.before)
        try:
            self._persist(lambda: write_end(self._engine, ended.job, ended.after, write), deadline)
        except ConditionFailed:
            return False
        return True

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

    def _stored(self, run: Run, deadline: float) -> Item | None:
        return self._persist(lambda: self._engine.db.runs.get(run_key(run.tenant, run.id)), deadline)

    def _tell_late(self, ended: Ended) -> None:
        self._engine.telemetry.warning(
            "A result came too late: the run has gone on without this worker.",
            run_id=ended.before.id,
            fence=ended.before.fence,
        )

    def _ring_if_near(self, timer: RunTimer) -> None:
        """The timer is stored: if this fails, the dispatcher rings it."""
        if timer.due_ms >= self._engine.clock.now_ms() + self._engine.settings.horizon_ms:
            return
        try:
            dispatch(self._engine, [timer])
        except Unavailable as error:
            self._engine.telemetry.warning("A ring is left to the dispatcher.", error=error.message)
