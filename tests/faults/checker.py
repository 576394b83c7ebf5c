"""What has to be so in the end: judged by definitions, by the effects that were seen, and by what is written down."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.domain.job import Job
from chalicelib.domain.occurrences import timetable
from chalicelib.domain.run import DEAD, Run
from chalicelib.engine.records import decode_job
from chalicelib.engine.wheel.timers import JobTimer
from tests.faults.flow import GIVEN_UP, End, Ends
from tests.faults.system import System
from tests.support.world import NOON

SECOND_MS = 1000


@dataclass(frozen=True, slots=True)
class Skipped:
    """A stored range of occurrences that were left out."""

    job_id: str
    first_ms: int
    last_ms: int
    reason: str


class Evidence:
    """What the scenario has left behind."""

    def __init__(self, system: System) -> None:
        self.system, self.now_ms = system, system.clock.now_ms()
        stored = (item for item in system.aws.items("catalog") if item["sk"] == "job")
        self.jobs: dict[str, Job] = {job.id: job for job in map(decode_job, stored)}
        self.names = {**system.names, **{job.id: job.name for job in self.jobs.values()}}
        self.runs: list[Run] = system.runs()
        self.skips = [
            Skipped(job_id, int(first), int(item["last_ms"]), reason)
            for item in system.aws.items("runs")
            if str(item["pk"]).endswith("#skips")
            for job_id, first, reason in [(str(item["pk"]).split("#")[1], *str(item["sk"]).split("#"))]
        ]

    def ended_like(self, ends: Ends, *, exactly: bool = False, lenient: bool = False) -> list[str]:
        """What is not as these ends have it: nothing lost, nothing that nobody asked for.

        `exactly`: no other ends than the first are allowed. `lenient`: what was missed for long, and what was given up
        with its workers, is allowed too.
        """
        problems: list[str] = []
        by_name: dict[str, list[str]] = defaultdict(list)
        for job_id, name in self.names.items():
            by_name[name].append(job_id)
        for name, expected in ends.items():
            job_ids = by_name.pop(name, [])
            if len(job_ids) > 1 or (expected and not job_ids):
                problems.append(f"there are {len(job_ids)} jobs {name!r}")
                continue
            for job_id in job_ids:
                first_only = [(place, first) for place, first, *_ in expected]
                wanted = (
                    first_only
                    if exactly
                    else [(*each, "misfire", GIVEN_UP) for each in expected]
                    if lenient
                    else expected
                )
                problems += self._of_job(name, job_id, wanted)
        return problems + [f"nobody asked for the job {name!r}" for name in by_name]

    def _of_job(self, name: str, job_id: str, expected: Sequence[End]) -> Iterable[str]:
        runs = sorted((run for run in self.runs if run.job_id == job_id), key=lambda run: run.id)
        rest = list(runs)
        for place, *allowed in expected:
            here = [run for run in rest if _place(run) == place]
            run = next((run for run in here if _end(run) in allowed), here[0] if here else None)
            if run is not None:
                rest.remove(run)
                found = _end(run)
            else:
                found = self._skip_at(job_id, place) or "nothing"
            if found not in allowed:
                yield f"{name!r} at {place}: {found}, and not {' or '.join(sorted(allowed))}"
        yield from (f"{name!r} has a run more: {_place(run)}: {run.status}" for run in rest)
        places = [place for place, *_ in expected if isinstance(place, int)]
        for skip in self.skips:
            if skip.job_id == job_id and not any(_covers(skip, place) for place in places):
                yield f"{name!r} has skipped what it never had: {skip}"

    def _skip_at(self, job_id: str, place: int | str) -> str | None:
        found = [
            skip.reason
            for skip in self.skips
            if skip.job_id == job_id and isinstance(place, int) and _covers(skip, place)
        ]
        return " and ".join(found) or None

    def disorder(self) -> Iterable[str]:
        """Whatever must never be, in any scenario."""
        yield from self._unfinished()
        yield from self._too_early()
        yield from self._unrecorded()
        yield from self._ghosts()
        yield from self._leaks()
        yield from self._dead_letters()

    def repeated(self, allowed: set[tuple[str, int]]) -> Iterable[str]:
        """Attempts that were carried out more often than a death between effect and record explains."""
        counts = Counter((effect.run.id, effect.run.attempt) for effect in self.system.effects)
        for (run_id, attempt), count in counts.items():
            if count > 1 and (run_id, attempt) not in allowed:
                yield f"attempt {attempt} of {run_id} was carried out {count} times"

    def _unfinished(self) -> Iterable[str]:
        yield from (f"{run.id} is still {run.status}" for run in self.runs if not run.is_final)

    def _too_early(self) -> Iterable[str]:
        for effect in self.system.effects:
            if effect.run.trigger == "schedule" and effect.at_ms < effect.run.nominal_ms:
                yield f"{effect.run.id} was {effect.run.nominal_ms - effect.at_ms} ms too early"

    def _unrecorded(self) -> Iterable[str]:
        """Effects of which the records know nothing, and records of what never was."""
        known = {run.id: run for run in self.runs}
        seen = {(effect.run.id, effect.run.attempt) for effect in self.system.effects}
        for run_id, attempt in seen:
            run = known.get(run_id)
            if run is None or attempt not in {each.number for each in run.attempts}:
                yield f"attempt {attempt} of {run_id} has left no trace"
        for run in self.runs:
            for each in run.attempts:
                is_told = each.outcome in ("succeeded", "failed", "timed_out")
                if is_told and (run.id, each.number) not in seen:
                    yield f"attempt {each.number} of {run.id} is recorded, and never was"

    def _ghosts(self) -> Iterable[str]:
        """Each active job has one timer, of its present schedule, for what is to come; and there are no others."""
        wanted = {
            (job.id, job.schedule_revision) for job in self.jobs.values() if self._goes_on(job, self.now_ms)
        }
        found: Counter[tuple[str, int]] = Counter()
        for timer in self.system.timers():
            if isinstance(timer, JobTimer) and timer.due_ms > self.now_ms:
                found[timer.job_id, timer.schedule_revision] += 1
            else:
                yield f"a timer stays behind: {timer}"
        yield from (f"{self.names[job_id]!r} has no timer" for job_id, _ in wanted - found.keys())
        for (job_id, revision), count in found.items():
            if count > 1 or (job_id, revision) not in wanted:
                yield f"{count} timers of {job_id}, schedule revision {revision}"

    def unarmed(self) -> Iterable[str]:
        """At any moment a job has a timer for what no tick can have rung yet."""
        armed = {timer.job_id for timer in self.system.timers() if isinstance(timer, JobTimer)}
        after_ms = self.now_ms + self.system.engine.settings.horizon_ms
        for job in self.jobs.values():
            if job.id not in armed and self._goes_on(job, after_ms):
                yield f"{job.name!r} has lost its timer"

    def latest(self) -> dict[tuple[str, int], int]:
        """When each attempt was carried out last, by run and number."""
        return {(effect.run.id, effect.run.attempt): effect.at_ms for effect in self.system.effects}

    def _goes_on(self, job: Job, from_ms: int) -> bool:
        if job.status == "paused" and job.paused_until_ms is None:
            return False
        after_ms = max(from_ms, job.paused_until_ms or 0)
        table = timetable(job.schedule, job_id=job.id, created_ms=job.created_ms, exclude=job.exclude)
        return table.next_after(after_ms) is not None

    def _leaks(self) -> Iterable[str]:
        for item in self.system.aws.items("runs"):
            if str(item["pk"]).endswith("#slots") and int(item["until_ms"]) >= self.now_ms:
                yield f"a slot is taken for ever: {item}"

    def _dead_letters(self) -> Iterable[str]:
        """Who has failed for good lies among the dead letters, unless somebody took it off; nobody else does."""
        for run in self.runs:
            if run.dead and run.status not in DEAD:
                yield f"{run.id} is {run.status}, and a dead letter"


def _place(run: Run) -> int | str:
    return (run.nominal_ms - NOON) // SECOND_MS if run.trigger in ("schedule", "backfill") else run.trigger


def _end(run: Run) -> str:
    """How a run ended: its state, the reason of a skip, or that it was given up with its workers."""
    if run.status in DEAD and run.attempts[-1].outcome == "lost":
        return GIVEN_UP
    return str(run.skip_reason or run.status.value)


def _covers(skip: Skipped, place: int) -> bool:
    return skip.first_ms <= NOON + place * SECOND_MS <= skip.last_ms
