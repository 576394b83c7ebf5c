"""Work that runs follow: begun by name, under way for a while, over well or badly; asked and stopped by workers."""

from dataclasses import dataclass
from typing import Any

from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Following, Outcome, Succeeded
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.executors.base import Call, Follower
from chalicelib.executors.following import looked_after
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.contact import Contact
from tests.simulation.kernel import Kernel

GOOD, SILENT = 0.7, 0.08


@dataclass
class Work:
    """Work of an attempt. It ends by itself at `until_ms` (true time), unless it is stopped before."""

    until_ms: float
    is_good: bool
    stopped_ms: float | None = None


class Elsewhere:
    """A service that carries out work. Who begins the same again gets what is there already."""

    def __init__(self, kernel: Kernel, is_well: Any) -> None:
        self._kernel, self._is_well = kernel, is_well
        self.works: dict[str, Work] = {}

    def begin(self, job: Job, run: Run) -> Following:
        """The outcome of an attempt whose work goes on here."""
        random, name = self._kernel.random, f"{run.id}-{run.attempt}"
        if name not in self.works:
            seconds = random.choice([0, 4, 30, 200, 800])
            self.works[name] = Work(self._kernel.now_ms + seconds * 1000, random.random() < GOOD)
        deadline = float(job.config.get("follow_deadline_seconds", 60))
        return Following({"type": "dummy", "work": {"name": name}}, {}, deadline)

    def look(self, engine: Engine, run: Run, deadline: float, contact: Contact) -> Outcome:
        """A worker's look, some of which meet nobody."""
        handle = run.handle or {}
        engine.clock.sleep(self._kernel.random.choice([0, 0.1, 2]))
        call = Call(None, run.id, run.job_id, run.tenant, run.attempt, run.fence, 0, deadline, engine.clock)
        outcome = looked_after(call, Follower(self._follow, self._stop), run, handle["work"])
        if contact.is_wanted or not isinstance(outcome, Following):
            return outcome
        return Following(handle, outcome.result, outcome.deadline_seconds)

    def _follow(self, _call: Call, handle: dict[str, Any]) -> Outcome:
        work = self._asked(handle)
        if work.stopped_ms is not None:
            return Failed("cloud", "It was stopped.")
        if self._kernel.now_ms < work.until_ms:
            return Following(handle, {}, 0)
        return Succeeded({}) if work.is_good else Failed("cloud", "By chance.")

    def _stop(self, _call: Call, handle: dict[str, Any]) -> None:
        work = self._asked(handle)
        if work.stopped_ms is None and self._kernel.now_ms < work.until_ms:
            work.stopped_ms = self._kernel.now_ms

    def _asked(self, handle: dict[str, Any]) -> Work:
        if self._is_well() or self._kernel.random.random() >= SILENT:
            return self.works[handle["name"]]
        raise CloudError("timeout", "Nobody answers.", retryable=True)
