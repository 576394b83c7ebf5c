"""Queues as SQS has them: delays, visibility, receive counts, dead letters, and a source that fires a function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chalicelib.engine.message import Delivery
from chalicelib.ports.queue import Outgoing
from tests.simulation.chaos import Weather
from tests.simulation.history import History
from tests.simulation.kernel import Process

BATCH = 10
HOP_MS = 60


@dataclass(frozen=True)
class LaneSettings:
    """As in infra/lanes.yaml; `limit_seconds` is the function's time."""

    name: str
    visibility_seconds: int
    limit_seconds: int
    concurrency: int
    max_receives: int | None = 3


@dataclass(eq=False)
class Stored:
    """A message in a queue."""

    id: str
    body: str
    visible_ms: float
    receives: int = 0
    gone: bool = False


Work = Callable[[str, list[Delivery]], Process]
"""Begins the function of a lane with a batch; its result is the ids that must come again, None if it died."""


@dataclass(eq=False)
class Lane:
    """One queue with its function."""

    weather: Weather
    settings: LaneSettings
    work: Work
    history: History
    dead: "Lane | None" = None
    messages: list[Stored] = field(default_factory=list)
    sent: int = 0
    _busy: int = 0

    def send(self, messages: Sequence[Outgoing]) -> None:
        random, rates = self.weather.kernel.random, self.weather.rates
        for message in messages:
            delay_ms = message.delay_seconds * 1000.0
            if random.random() < rates.delay:
                self.weather.note("delayed", self.settings.name)
                delay_ms += random.uniform(5_000, 600_000)
            if random.random() < rates.vanish:
                self.weather.note("vanished", self.settings.name)
                continue
            self.put(message.body, delay_ms)
            if random.random() < rates.duplicate:
                self.weather.note("duplicated", self.settings.name)
                self.put(message.body, delay_ms + random.uniform(0, random.choice([30, 90_000])))

    def _note(self, stored: Stored, words: str) -> None:
        place = stored.body.find("run_")
        self.history.note(stored.body[place : place + 30], f"{stored.id} {words}")

    def put(self, body: str, delay_ms: float) -> None:
        self.sent += 1
        stored = Stored(f"{self.settings.name}-{self.sent}", body, self.weather.kernel.now_ms + delay_ms)
        self.messages.append(stored)
        self._look_at(stored.visible_ms)

    def _look_at(self, at_ms: float) -> None:
        """The source finds what is visible shortly after it is."""
        kernel = self.weather.kernel
        kernel.at(at_ms + HOP_MS * kernel.random.random() ** 2, self._poll)

    def _poll(self) -> None:
        now_ms, random = self.weather.kernel.now_ms, self.weather.kernel.random
        visible = [stored for stored in self.messages if stored.visible_ms <= now_ms]
        if not visible:
            return
        if self._busy >= self.settings.concurrency:
            self._look_at(now_ms + 500)
            return
        if random.random() < 0.2:
            random.shuffle(visible)
        batch = visible[: BATCH if random.random() < 0.8 else random.randint(1, BATCH)]
        self._receive(batch)
        if len(visible) > len(batch):
            self._look_at(now_ms)

    def _receive(self, batch: list[Stored]) -> None:
        now_ms = self.weather.kernel.now_ms
        taken = []
        for stored in batch:
            stored.receives += 1
            if self.dead is not None and stored.receives > (self.settings.max_receives or 0):
                self._remove(stored)
                self._note(stored, "is moved to the dead-letter queue")
                self.dead.put(stored.body, 0)
                continue
            stored.visible_ms = now_ms + self.settings.visibility_seconds * 1000
            self._look_at(stored.visible_ms)
            taken.append(stored)
        if not taken:
            return
        self._busy += 1
        process = self.work(self.settings.name, [Delivery(stored.id, stored.body) for stored in taken])
        for stored in taken:
            self._note(stored, f"is received by {process}, time {stored.receives}")
        late_ms = now_ms + self.settings.limit_seconds * 1000
        process.done = lambda process: self._done(process, taken, late_ms)

    def _done(self, process: Process, taken: list[Stored], late_ms: float) -> None:
        """What was worked off in time is deleted; all else comes again when it is visible."""
        self._busy -= 1
        if process.result is None or self.weather.kernel.now_ms > late_ms:
            return
        for stored in taken:
            if (
                stored.id not in process.result
                and self.weather.kernel.random.random() >= self.weather.rates.duplicate / 3
            ):
                self._remove(stored)

    def _remove(self, stored: Stored) -> None:
        if not stored.gone:
            stored.gone = True
            self.messages.remove(stored)
