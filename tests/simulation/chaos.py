"""What goes wrong at the calls of the ports, by the seed's chance: each process has its own view of the ports."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TypeVar

from chalicelib.domain.errors import Unavailable
from chalicelib.ports.table import ConditionFailed
from tests.simulation.kernel import Kernel, Process
from tests.support.faults import Faults, Mode

T = TypeVar("T")
KINDS = (
    "crash before",
    "crash after",
    "throttled",
    "lost response",
    "sent twice",
    "partial batch",
    "frozen",
    "outage",
)
"""What can strike a call. A lost response, and a call that is done but answers with an error, look the same here."""
BATCHES = ("put_all", "delete_all", "write_each", "send")
_MODES = {
    "throttled": Mode.BEFORE,
    "lost response": Mode.AFTER,
    "sent twice": Mode.TWICE,
    "partial batch": Mode.HALFWAY,
}
RARE = 2
SLOW_MS, LONGEST_FREEZE_MS = 400, 200_000


@dataclass(frozen=True)
class Rates:
    """Chances: `fault` of each call, the others of each process, message, tick or day."""

    fault: float = 0.0
    kill: float = 0.0
    kill_effect: float = 0.0
    skew: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    vanish: float = 0.0
    late_tick: float = 0.0
    skipped_tick: float = 0.0
    doubled_tick: float = 0.0
    dark_hours: float = 0.0
    outages: float = 0.0

    def scaled(self, factor: float) -> "Rates":
        return Rates(**{each.name: getattr(self, each.name) * factor for each in fields(self)})


CALM = Rates()
USUAL = Rates(
    fault=0.006,
    kill=0.01,
    kill_effect=0.02,
    skew=0.5,
    duplicate=0.03,
    delay=0.01,
    vanish=0.01,
    late_tick=0.1,
    skipped_tick=0.05,
    doubled_tick=0.05,
    dark_hours=0.4,
    outages=3.0,
)


class Weather:
    """The faults of all processes: how often each kind struck which call, and what is out of reach until when."""

    def __init__(self, kernel: Kernel, rates: Rates) -> None:
        self.kernel, self.rates = kernel, rates
        self.struck: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[str] = Counter()
        self.out_until: dict[str, float] = {}
        self._turns: dict[str, int] = {}

    def outage(self, part: str, seconds: float) -> None:
        """A table, a lane or `transact` refuses everything for so long."""
        self.out_until[part] = self.kernel.now_ms + seconds * 1000

    def heal(self) -> None:
        self.rates = CALM
        self.out_until.clear()

    def is_out(self, name: str) -> bool:
        return self.out_until.get(name.partition(".")[0], 0) > self.kernel.now_ms

    def note(self, kind: str, name: str) -> None:
        self.struck[kind, name] += 1

    def draw(self, name: str) -> str | None:
        """What strikes this call, if anything."""
        random = self.kernel.random
        if self.is_out(name):
            return "outage"
        if random.random() >= self._chance(name):
            return None
        self._turns[name] = turn = self._turns.get(name, int(random.random() * 7)) + 1
        kind = KINDS[turn % 7]
        is_batch = name.rpartition(".")[2] in BATCHES
        return "throttled" if kind == "partial batch" and not is_batch else kind

    def _chance(self, name: str) -> float:
        """Calls that are rare are struck more often, so that each kind of fault meets each of them."""
        rate = self.rates.fault
        return rate and max(rate, min(0.2, RARE / self.calls[name]))

    def latency_ms(self) -> float:
        chance = self.kernel.random.random()
        return SLOW_MS * self.kernel.random.random() if chance < 0.01 else 1 + 20 * chance


class Chaos(Faults):
    """The faults that one process meets."""

    def __init__(self, weather: Weather, process: Process) -> None:
        super().__init__()
        self._weather, self._kernel, self._process = weather, weather.kernel, process

    def around(self, name: str, call: Callable[[], T], half: Callable[[], object] = lambda: None) -> T:
        """The call, some time later, and whatever happens to it."""
        weather, kernel = self._weather, self._kernel
        weather.calls[name] += 1
        kernel.sleep(weather.latency_ms())
        kind = weather.draw(name)
        if kind is None:
            return call()
        weather.note(kind, name)
        if kind == "crash before":
            kernel.die()
        if kind == "frozen":
            kernel.freeze(LONGEST_FREEZE_MS * kernel.random.random() ** 3)
            return call()
        if kind == "crash after":
            with suppress(ConditionFailed):
                call()
            kernel.die()
        return self._failing(name, _MODES.get(kind, Mode.BEFORE), call, half)

    def _failing(self, name: str, mode: Mode, call: Callable[[], T], half: Callable[[], object]) -> T:
        with suppress(ConditionFailed):
            if mode in (Mode.AFTER, Mode.TWICE):
                call()
            elif mode is Mode.HALFWAY:
                half()
        self._kernel.sleep(self._weather.latency_ms() * 10)
        if mode is Mode.TWICE:
            return call()
        self._process.troubled += 1
        raise Unavailable(f"{name} failed.")
