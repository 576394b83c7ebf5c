"""Users of the API: each has a job, changes its mind about it through the day, and insists until it is answered."""

from collections.abc import Callable
from random import Random
from typing import Any

from chalicelib.domain import pause
from chalicelib.domain.calendars import CalendarDefinition
from chalicelib.domain.errors import ChronosError, Unavailable
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.domain.run import FINAL, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.wheel.calendars import read_calendars
from chalicelib.features.backfills import service as backfills
from chalicelib.features.backfills.views import BackfillRequest
from chalicelib.features.calendars import service as calendars
from chalicelib.features.idempotency import IdempotencyKey
from chalicelib.features.jobs import changes
from chalicelib.features.jobs import service as jobs
from chalicelib.features.jobs.trigger import trigger
from chalicelib.features.runs import service as runs
from chalicelib.features.runs.filters import JobRunsQuery
from chalicelib.features.timeline.service import told
from chalicelib.identity.principal import Principal
from tests.simulation import definitions
from tests.simulation.definitions import HOUR, MINUTE, Focus
from tests.simulation.history import Told
from tests.simulation.kernel import Process
from tests.simulation.world import World

TENANT = "local"
WHO = Principal(TENANT, "ada")
TRIES = 40
NOT_OVER = JobRunsQuery(status=",".join(status for status in RunStatus if status not in FINAL), limit=1)
Act = Callable[[Engine], Any]


class User:
    """One job's owner. `job` is its id once it is created."""

    def __init__(self, world: World, number: int, end_ms: float, focus: Focus | None = None) -> None:
        self._focus = focus or Focus()
        self._world, self._kernel, self._number, self._end_ms = world, world.kernel, number, end_ms
        self._keys = 0
        self._paused = False
        self.job = ""

    @property
    def _random(self) -> Random:
        return self._kernel.random

    def live(self, _process: Process) -> None:
        """Create the job, then change it at times of one's own, until the day ends."""
        day_ms = self._end_ms - self._kernel.now_ms
        if self._random.random() < 0.5:
            self._kernel.sleep(self._random.random() * day_ms / 2)
        made = self._create()
        if not isinstance(made, Job):
            return
        self.job = made.id
        while True:
            self._kernel.sleep(self._random.expovariate(self._focus.hurry / (4 * HOUR)))
            if self._kernel.now_ms >= self._end_ms or not self._do_something():
                return

    def _do_something(self) -> bool:
        """One thing, or two at once; False once the job is deleted."""
        verbs = [
            self._edit,
            self._reschedule,
            self._rest,
            self._rest,
            self._skip,
            self._trigger,
            self._cancel,
        ]
        verbs += [self._trigger, self._backfill, self._look]
        if self._random.random() < 0.12 / self._focus.hurry:
            self._delete()
            return False
        verb = self._random.choice(verbs)
        if self._random.random() < 0.3:
            beside = self._random.choice(verbs)
            self._world.weather.note("raced", f"{verb.__name__} with {beside.__name__}")
            self._kernel.begin("user", lambda _process: self._aside(beside))
        verb()
        return True

    def _aside(self, verb: Callable[[], None]) -> None:
        self._kernel.sleep(self._random.random() * 300)
        verb()

    def ask(self, kind: str, act: Act, **details: Any) -> Any:
        """The answer to a request that is made again while nobody knows what became of it; None if it stays so."""
        asked_ms = self._kernel.now_ms
        self._world.history.asked[self.job, kind] += 1
        for _ in range(TRIES):
            answer = self._once(act)
            if answer is not None and not isinstance(answer, Unavailable):
                self._hear(kind, asked_ms, answer, details)
                return answer
            self._kernel.sleep(self._random.uniform(200, 8_000))
        return None

    def _once(self, act: Act) -> Any:
        process = self._world.request(act)
        wake = self._kernel.wake()
        process.done = lambda _process: self._kernel.at(self._kernel.now_ms, wake)
        self._kernel.stop()
        return process.result

    def _hear(self, kind: str, asked_ms: float, answer: Any, details: dict[str, Any]) -> None:
        known = {
            name: value for name in ("id", "revision", "status") if (value := getattr(answer, name, None))
        }
        if isinstance(answer, ChronosError):
            known = {"refused": answer.code}
        said = Told(
            self.job or known.get("id", ""), kind, asked_ms, self._kernel.now_ms, {**details, **known}
        )
        self._world.history.told.append(said)
        self._world.history.note(said.job, f"a user asked for {kind} and is told {said.details}")

    def _key(self, operation: str) -> IdempotencyKey:
        self._keys += 1
        return IdempotencyKey(operation, f"{self._number}-{self._keys}", "the same")

    def _wanted(self) -> dict[str, Any]:
        now_ms, end_ms = int(self._kernel.now_ms), int(self._end_ms)
        return {
            **definitions.definition(self._random, self._number, now_ms, end_ms),
            **self._focus.drawn(self._random),
        }

    def _create(self) -> Any:
        wanted, key = JobDefinition.model_validate(self._wanted()), self._key("jobs")
        return self.ask("create", lambda engine: jobs.create(engine, TENANT, wanted, key, actor=WHO.actor))

    def _change(self, kind: str, change: jobs.Change, **details: Any) -> Any:
        return self.ask(kind, lambda engine: jobs.change(engine, TENANT, self.job, None, change), **details)

    def _redefine(self, kind: str, fields: dict[str, Any]) -> None:
        def change(job: Job, now_ms: int) -> Job:
            document = {**job.definition.model_dump(mode="json", exclude_none=True), **fields}
            return changes.redefined(job, JobDefinition.model_validate(document), now_ms)

        self._change(kind, change)

    def _edit(self) -> None:
        """Anything but its times."""
        drawn = self._wanted()
        names = ("config", "retry", "timeout_seconds", "concurrency", "precision")
        self._redefine("edit", {name: drawn[name] for name in names if name in drawn})

    def _reschedule(self) -> None:
        drawn = self._wanted()
        self._redefine("reschedule", {"schedule": drawn["schedule"], "exclude": drawn.get("exclude", [])})

    def _rest(self) -> None:
        """Pause it, or let it go on."""
        if self._paused and self._random.random() < 0.8:
            self._paused = False
            self._change("resume", pause.resumed)
            return
        self._paused = True
        fields = pause.PauseFields(pause_note="rest")
        if self._random.random() < 0.5:
            until_ms = int(self._kernel.now_ms) + self._random.choice([1, 5, 60, 300]) * MINUTE + 7_000
            fields["paused_until_ms"] = until_ms
        self._change("pause", lambda job, now_ms: pause.paused(job, now_ms, fields))

    def _skip(self) -> None:
        count = self._random.choice([0, 1, 2, 5])

        def act(engine: Engine) -> Job:
            def change(job: Job, now_ms: int) -> Job:
                return changes.skipping(job, count, now_ms, read_calendars(engine, [job]))

            return jobs.change(engine, TENANT, self.job, None, change)

        self.ask("skip", act, count=count)

    def _trigger(self) -> None:
        key = self._key("trigger")
        self.ask("trigger", lambda engine: trigger(engine, TENANT, self.job, None, key))

    def _cancel(self) -> None:
        """The latest run that is not over, if the list shows one."""

        def latest(engine: Engine) -> Any:
            return runs.of_job(engine, TENANT, self.job, NOT_OVER, None)

        found = self.ask("list", latest)
        if isinstance(found, tuple) and found[0]:
            run_id = found[0][0].id
            self.ask("cancel", lambda engine: runs.cancel(engine, TENANT, run_id), run=run_id)

    def _delete(self) -> None:
        self.ask("delete", lambda engine: jobs.delete(engine, TENANT, self.job, None) or "deleted")

    def _backfill(self) -> None:
        """Some of the last hours, again or for the first time."""
        end_ms = int(self._kernel.now_ms) - 6_000
        start_ms = end_ms - self._random.choice([20, 90, 240]) * MINUTE
        request = BackfillRequest(
            start=rfc3339(start_ms),  # type: ignore[arg-type]
            end=rfc3339(end_ms),  # type: ignore[arg-type]
            limit=self._random.choice([3, 8]),
            max_active=self._random.choice([1, 2]),
            reprocess=self._random.choice(["none", "failed", "failed", "all"]),
        )
        key = self._key("backfill")
        self.ask("backfill", lambda engine: backfills.begin(engine, WHO, self.job, request, key))

    def _look(self) -> None:
        """Read the timeline: it must answer, whatever is going on."""
        now_ms = int(self._kernel.now_ms)
        self.ask(
            "timeline",
            lambda engine: told(
                engine, TENANT, self.job, start_ms=now_ms - 2 * HOUR, end_ms=now_ms + HOUR, limit=100
            ),
        )


def declare_calendar(world: World, closed: list[str], end_ms: float) -> None:
    """The calendar that the jobs refer to, before there are any."""
    definition = CalendarDefinition.model_validate(
        {"name": definitions.CALENDAR, "timezone": "UTC", "excluded": {"dates": closed}}
    )
    user = User(world, 0, end_ms)
    key = IdempotencyKey("calendars", "0", "the same")
    world.kernel.begin(
        "user",
        lambda _process: user.ask(
            "calendar", lambda engine: calendars.create(engine, TENANT, definition, key)
        ),
    )
