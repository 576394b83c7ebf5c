"""One simulated day: a seed, some hours, some jobs; then the world heals, and everything due must get done."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from chalicelib.domain.plans import Plan
from tests.simulation.chaos import CALM, USUAL, Rates
from tests.simulation.definitions import Focus
from tests.simulation.history import History
from tests.simulation.limits import LIMITS
from tests.simulation.servers import Server
from tests.simulation.users import User, declare_calendar
from tests.simulation.world import MINUTE_MS, World
from tests.support.limited import limit
from tests.support.plans import spend

HOUR_MS = 3_600_000
PLAN: Plan = "pro"
HEALING_MINUTES = 75
"""How long the world is well before the end: the lane `long` hides a message for 15 minutes, up to three times."""
DAYS = (
    datetime(2027, 1, 15, 0, 0, tzinfo=UTC),
    datetime(2027, 3, 27, 14, 0, tzinfo=UTC),
    datetime(2027, 10, 30, 14, 0, tzinfo=UTC),
)
"""Where a simulation begins: a winter's day, and the days on which the clocks of Berlin are changed."""


@dataclass(frozen=True)
class Scenario:
    """What a seed is carried out with. `storm` multiplies the faults."""

    seed: int
    hours: float = 24
    jobs: int = 30
    storm: float = 1
    focus: Focus = field(default_factory=Focus)

    @property
    def is_limited(self) -> bool:
        """Every sixth seed lives under limits."""
        return self.seed % 6 == 5

    @property
    def left(self) -> int | None:
        """So many executions are left of the month for every sixth seed; None: its tenant has no plan."""
        return 5 * self.jobs if self.seed % 6 == 2 else None

    @property
    def rates(self) -> Rates:
        """Every tenth seed is without faults, so that what is never allowed to happen is seen sharply."""
        if self.seed % 10 == 0:
            return CALM
        usual = USUAL.scaled(self.storm * (0.3, 1, 1, 2.5)[self.seed % 4])
        return replace(usual, **self.focus.rates)


@dataclass(frozen=True)
class Outcome:
    """What happened: until `healed_ms` with faults, until `end_ms` without."""

    scenario: Scenario
    world: World
    start_ms: int
    healed_ms: float
    end_ms: float
    closed: frozenset[date]

    @property
    def history(self) -> History:
        return self.world.history


def simulate(scenario: Scenario) -> Outcome:
    """The whole day."""
    start = DAYS[scenario.seed % len(DAYS)]
    start_ms = round(start.timestamp() * 1000)
    world = World(scenario.seed, start_ms, scenario.rates)
    healed_ms = start_ms + scenario.hours * HOUR_MS
    closed = frozenset({start.date() + timedelta(days=1)})
    declare_calendar(world, [day.isoformat() for day in closed], healed_ms)
    world.accepted = Server(world, healed_ms, in_haste=scenario.is_limited).accept
    world.start(healed_ms)
    if scenario.is_limited:
        limit(world.db, **LIMITS)
    if scenario.left is not None:
        spend(world.db, PLAN, left=scenario.left, at_ms=start_ms)
    for number in range(1, scenario.jobs + 1):
        user = User(world, number, healed_ms, scenario.focus)
        world.kernel.at(start_ms + 10_000, lambda user=user: world.kernel.begin("user", user.live))
    world.kernel.run(healed_ms)
    world.heal()
    end_ms = healed_ms + HEALING_MINUTES * MINUTE_MS
    world.kernel.run(end_ms)
    return Outcome(scenario, world, start_ms, healed_ms, end_ms, closed)
