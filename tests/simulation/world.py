"""A whole Chronos in virtual time: ticks, lanes and workers over the twins, each invocation with its own faults."""

from collections.abc import Callable
from typing import Any, cast

from chalicelib.domain.errors import ChronosError, Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.lanes import LANES
from chalicelib.domain.lanes import Lane as LaneName
from chalicelib.domain.outcome import Failed, Outcome, Succeeded, Waiting
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine, EngineSettings
from chalicelib.engine.message import Delivery
from chalicelib.engine.running.dead_letters import bury
from chalicelib.engine.running.signing import callback_url
from chalicelib.engine.running.work import Worker
from chalicelib.engine.tick import tick
from chalicelib.ports.contact import Contact
from chalicelib.ports.stop import Stop
from chalicelib.ports.table import Item, Key
from tests.simulation.chaos import Chaos, Rates, Weather
from tests.simulation.elsewhere import Elsewhere
from tests.simulation.history import Effect, History
from tests.simulation.kernel import Kernel, Process
from tests.simulation.lanes import Lane, LaneSettings
from tests.simulation.limits import target_of
from tests.simulation.ports import GreenFan, GreenPool, Silent, SimClock, SimIds, WatchedTable
from tests.support.faults import FaultyDatabase, FaultyQueue
from tests.support.memory import MemoryDatabase, MemorySecrets
from tests.support.world import PUBLIC_URL, SIGNING_KEYS

SHARDS = 2
SOON_MS, AUDITED_MS = 150_000, 300_000
MAX_SKEW_MS = 5_000
RESERVE_SECONDS = 2
TICK_SECONDS, API_SECONDS = 60, 29
MINUTE_MS = 60_000
PARTS = ("catalog", "timers", "runs", "transact", "send")
QUEUES = (
    LaneSettings("fast", 100, 90, 50),
    LaneSettings("urgent", 100, 90, 20),
    LaneSettings("long", 910, 900, 10),
    *(LaneSettings(name, 910, 900, 10) for name in ("data", "messaging", "report", "script")),
    LaneSettings("dead", 70, 60, 2, None),
)


class World:
    """`rates` are calmed when the world is to heal; `accepted` hears of work that is to be called back for."""

    def __init__(self, seed: int, start_ms: int, rates: Rates) -> None:
        self.kernel = Kernel(start_ms, seed)
        self.groups = 1 + seed % 2
        self.weather = Weather(self.kernel, rates)
        self.history = History(self.kernel)
        self.telemetry = Silent()
        self.secrets = MemorySecrets(signing_key=SIGNING_KEYS, public_url=PUBLIC_URL)
        self.elsewhere = Elsewhere(self.kernel, lambda: self.weather.rates.fault == 0)
        self.accepted: Callable[[Run, str], None] = lambda _run, _token: None
        self.settings = EngineSettings(shards=SHARDS, dispatchers=self.groups)
        self.db = MemoryDatabase()
        self.db.catalog = WatchedTable(self.history.catalog_written)
        self.db.runs = WatchedTable(self.history.runs_written)
        self.db.timers = WatchedTable(self._timers_written)
        self.db.audit = WatchedTable(lambda *_: None)
        self._paged_ms = self.kernel.now_ms
        lanes = {each.name: Lane(self.weather, each, self._received, self.history) for each in QUEUES}
        for name in LANES:
            lanes[name].dead = lanes["dead"]
        self.lanes = lanes

    def start(self, until_ms: float) -> None:
        """Tick until then, with the dark hours, outages and quirks that the rates give."""
        random, rates, start_ms = self.kernel.random, self.weather.rates, self.kernel.now_ms
        if random.random() < rates.dark_hours:
            since_ms = random.uniform(start_ms, until_ms)
            length_ms = random.choice([5, 20, 60, 180]) * MINUTE_MS
            self.history.dark.append((since_ms, since_ms + length_ms))
        for _ in range(int(random.random() * 2 * rates.outages)):
            part, seconds = random.choice(PARTS), random.choice([2, 20, 120])
            at_ms = random.uniform(start_ms, until_ms)
            self.kernel.at(at_ms, lambda part=part, seconds=seconds: self.weather.outage(part, seconds))
        self.kernel.at((start_ms // MINUTE_MS + 1) * MINUTE_MS, self._minute)

    def heal(self) -> None:
        """From now on nothing goes wrong; what is frozen stays so until it thaws."""
        self.weather.heal()
        now_ms = self.kernel.now_ms
        self.history.dark = [(since, min(until, now_ms)) for since, until in self.history.dark]

    def invoke(
        self, kind: str, act: Callable[[Engine], Any], *, limit_seconds: float, killed_within: float = 3
    ) -> Process:
        """A function's invocation: its engine over its own view of the ports. `killed_within` seconds, by chance."""
        kernel, rates = self.kernel, self.weather.rates
        skew_ms = (
            kernel.random.uniform(-MAX_SKEW_MS, MAX_SKEW_MS) if kernel.random.random() < rates.skew else 0
        )
        process = kernel.begin(
            kind, lambda process: act(self.engine(process)), skew_ms=skew_ms, limit_seconds=limit_seconds
        )
        if kernel.random.random() < rates.kill * (8 if kind == "api" else 1):
            at_ms = kernel.now_ms + kernel.random.uniform(0, killed_within * 1000)
            kernel.at(at_ms, lambda: self._kill(process))
        self.history.processes.append(process)
        return process

    def _kill(self, process: Process) -> None:
        if process.alive:
            self.weather.note("killed", process.kind)
            self.kernel.kill(process)

    def engine(self, process: Process) -> Engine:
        """The engine as this process has it."""
        chaos = Chaos(self.weather, process)
        return Engine(
            db=FaultyDatabase(self.db, chaos),  # type: ignore[arg-type]
            lanes={name: FaultyQueue(self.lanes[name], chaos) for name in LANES},
            clock=SimClock(self.kernel, process),
            ids=SimIds(self.kernel.random),
            telemetry=self.telemetry,
            settings=self.settings,
            fan=GreenFan(self.kernel),
            target_of=lambda job, _run: target_of(job.id),
            secrets=self.secrets,
        )

    def _minute(self) -> None:
        """EventBridge Scheduler: one tick of each group, or none, or two, now or later."""
        kernel, rates = self.kernel, self.weather.rates
        random, now_ms = kernel.random, kernel.now_ms
        kernel.at(now_ms + MINUTE_MS, self._minute)
        if any(since <= now_ms < until for since, until in self.history.dark):
            self.weather.note("dark", "ticks")
            return
        if self._is_idle() and random.random() < 0.8:
            return
        for group in range(self.groups):
            if self._happens("skipped", rates.skipped_tick):
                continue
            for _ in range(2 if self._happens("doubled", rates.doubled_tick) else 1):
                spread_ms = 50_000 if self._happens("late", rates.late_tick) else 1_500
                kernel.at(now_ms + random.uniform(0, spread_ms), lambda group=group: self._tick(group))

    def _timers_written(self, key: Key, _before: Item | None, _after: Item | None) -> None:
        if key[0].startswith("journal#"):
            self._paged_ms = self.kernel.now_ms

    def _is_idle(self) -> bool:
        """Nothing is due soon, and nothing is to be audited: most ticks of that kind are left out, to save time."""
        if self.kernel.now_ms < self._paged_ms + AUDITED_MS:
            return False
        soon = f"{int(self.kernel.now_ms + SOON_MS):015d}"
        firsts = (self.db.timers.items.partition(f"shard#{shard:03d}")[:1] for shard in range(SHARDS))
        return all(not first or first[0] > soon for first in firsts)

    def _happens(self, kind: str, chance: float) -> bool:
        """Something about a tick."""
        if self.kernel.random.random() >= chance:
            return False
        self.weather.note(kind, "tick")
        return True

    def _tick(self, group: int) -> None:
        def act(engine: Engine) -> Any:
            deadline = engine.clock.monotonic() + TICK_SECONDS - RESERVE_SECONDS
            try:
                shards = range(group, SHARDS, self.groups)
                return tick(engine, shards, group=group, groups=self.groups, deadline=deadline)
            except Unavailable:
                return None

        self.invoke("dispatcher", act, limit_seconds=TICK_SECONDS)

    def _received(self, lane: str, batch: list[Delivery]) -> Process:
        if lane == "dead":
            return self.invoke(lane, lambda engine: bury(engine, batch), limit_seconds=60)
        limit = self.lanes[lane].settings.limit_seconds
        name = cast("LaneName", lane)

        def act(engine: Engine) -> list[str]:
            deadline = engine.clock.monotonic() + limit - RESERVE_SECONDS
            worker = Worker(engine, name, lambda *args: self._effect(engine, *args), GreenPool(self.kernel))
            return worker.work(batch, deadline=deadline)

        return self.invoke(lane, act, limit_seconds=limit, killed_within=30)

    def _effect(self, engine: Engine, job: Job, run: Run, deadline: float, stop: Contact) -> Outcome:
        """An attempt's effect, seen by the history; it may be the last that its process does."""
        kernel, random = self.kernel, self.kernel.random
        if run.handle is not None:
            return self._looked(engine, run, deadline, stop)
        effect = Effect(
            job.id,
            run.id,
            run.attempt,
            run.trigger,
            run.nominal_ms,
            run.due_ms,
            kernel.current,
            kernel.now_ms,
            engine.clock.now_ms(),
        )
        self.history.acted(effect)
        dies_after = random.random() * 2 if random.random() < self.weather.rates.kill_effect else None
        outcome = self._carried_out(engine, job, deadline, stop, dies_after)
        if run.callback_by_ms is not None and isinstance(outcome, Succeeded):
            self.accepted(run, callback_url(self.secrets, run).rpartition("/")[2])
            outcome = Waiting({})
        elif job.config.get("outcome") == "follow" and isinstance(outcome, Succeeded):
            outcome = self.elsewhere.begin(job, run)
        self.history.ended(
            effect,
            f"failed: {outcome.kind}" if isinstance(outcome, Failed) else type(outcome).__name__.lower(),
        )
        if dies_after is not None:
            self.weather.note("died", "between effect and record")
            kernel.die()
        return outcome

    def _looked(self, engine: Engine, run: Run, deadline: float, stop: Contact) -> Outcome:
        """A look after an attempt's work; it may be the last that its process does."""
        dies = self.kernel.random.random() < self.weather.rates.kill_effect
        outcome = self.elsewhere.look(engine, run, deadline, stop)
        self.history.note(run.id, f"attempt {run.attempt} is looked after: {type(outcome).__name__.lower()}")
        if dies:
            self.weather.note("died", "in a look")
            self.kernel.die()
        return outcome

    def _carried_out(
        self, engine: Engine, job: Job, deadline: float, stop: Stop, dies_after: float | None
    ) -> Outcome:
        seconds = float(job.config.get("duration_seconds", 0))
        end = engine.clock.monotonic() + seconds
        while (left := min(end, deadline) - engine.clock.monotonic()) > 0:
            if stop.is_wanted:
                return Failed("unknown", "It was told to stop.")
            if dies_after is not None and dies_after < 1:
                self.weather.note("died", "in the effect")
                self.kernel.die()
            engine.clock.sleep(min(left, 1.0))
        if engine.clock.monotonic() < end:
            return Failed("timeout", "The time was up.")
        if self.kernel.random.random() < float(job.config.get("failure_rate", 0)):
            return Failed("unknown", "By chance.")
        return Succeeded({})

    def request(self, act: Callable[[Engine], Any]) -> Process:
        """An API request. Its result is what `act` returns, or the error that the user is told."""

        def answered(engine: Engine) -> Any:
            try:
                return act(engine)
            except ChronosError as error:
                return error

        return self.invoke("api", answered, limit_seconds=API_SECONDS, killed_within=0.4)
