"""What a million runs cost on AWS, step by step: units counted over the twins, times modelled, at list prices.

`full`: a thousand jobs due at one moment, ten a batch. `sparse`: a thousand due at moments of their own, each alone in
its batch. `alone`: the only job of its tick too. A model of times, since no machine of ours is Lambda: see Model.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from bench.jobs import NOON, jobs
from chalicelib.domain.cost import DISPATCH_SECONDS, DISPATCHER_GB, LOG_BYTES, Usage
from chalicelib.domain.job import Job
from chalicelib.domain.prices import PRICES, Architecture, Prices
from chalicelib.engine.audit.roster import ROUND_MS
from chalicelib.engine.core import EngineSettings
from chalicelib.engine.records import encode_job
from chalicelib.engine.ringing.journal import PARTITIONS
from chalicelib.engine.ringing.phase import PHASE_MS, sending_ms
from chalicelib.engine.wheel.arm import first_timer
from chalicelib.engine.wheel.timers import encode_timer
from chalicelib.features.jobs import service
from chalicelib.features.jobs.definition import definition_of
from chalicelib.ports.table import Put
from infra.project import defaults
from infra.template import infra_template
from tests.support.counting import CountingWorld, Meter
from tests.support.plans import subscribe

Scenario = Literal["full", "sparse", "alone"]
COUNT: dict[Scenario, int] = {"full": 1000, "sparse": 1000, "alone": 1}
VCPU_MB = 1769
"""Lambda gives a whole processor at so many MB, and shares in proportion."""
GROUPS, MINUTES = 4, 30 * 1440
POLLS_A_MINUTE = 15
"""Lambda polls each queue with five long polls of 20 s at a time, whether or not there is anything in it."""


@dataclass(frozen=True)
class Model:
    """Milliseconds. `cpu_*`: of a whole processor, for a batch of one and each further run, twice what `bench worker`
    measures; `call`: of DynamoDB; `hop`: how long after a message becomes visible it is held."""

    memory_mb: int
    lead: float = EngineSettings().lead_ms
    hop: float = 16
    call: float = 8
    cpu_batch: float = 3.0
    cpu_run: float = 0.8

    def batch_seconds(self, size: int, early_ms: float) -> dict[str, float]:
        """Seconds of one batch by step. Jobs are read during the hold."""
        cpu = (self.cpu_batch + self.cpu_run * (size - 1)) * VCPU_MB / self.memory_mb
        return {
            "hold": (self.lead + early_ms - self.hop) / 1000,
            "start": (self.call + cpu / 2) / 1000,
            "finish": (self.call + cpu / 2) / 1000,
        }


def memory_of(function: str) -> int:
    found: int = defaults()["lambda_functions"][function]["lambda_memory_size"]
    return found


def figures() -> Iterable[tuple[str, float, str]]:
    for architecture, prices in PRICES.items():
        for scenario in COUNT:
            usd = million_usd(scenario, prices)
            yield f"cost_usd_per_million_runs_{scenario}_{architecture}", sum(usd.values()), "USD"
    for scenario in COUNT:
        for step, usd_of_step in million_usd(scenario, PRICES["arm64"]).items():
            yield f"cost_usd_per_million_runs_{scenario}_{step}", usd_of_step, "USD"
    for unit, amount in sum(steps("full").values(), Usage()).usd(PRICES["arm64"]).items():
        yield f"cost_usd_per_million_runs_full_of_{unit}", amount * 1e6, "USD"
    for memory in (128, 256, 512, 1024):
        for scenario in COUNT:
            usd = million_usd(scenario, PRICES["arm64"], memory_mb=memory)
            yield f"cost_usd_per_million_runs_{scenario}_workers_{memory}_mb", sum(usd.values()), "USD"
    yield "cost_usd_per_million_runs_kept_30_days", kept_usd(PRICES["arm64"]), "USD"
    yield "repair_usd_per_month_per_million_jobs", repair_usd(PRICES["arm64"]), "USD"
    yield "cost_usd_per_million_jobs_saved", saved_usd(PRICES["arm64"]), "USD"
    for item, usd_a_month in idle_usd("arm64").items():
        yield f"idle_usd_per_month_{item}", usd_a_month, "USD"
    yield "idle_usd_per_month", sum(idle_usd("arm64").values()), "USD"


def million_usd(scenario: Scenario, prices: Prices, *, memory_mb: int | None = None) -> dict[str, float]:
    """USD of a million runs by step."""
    found = steps(scenario, memory_mb=memory_mb)
    return {step: usage.total_usd(prices) * 1e6 for step, usage in found.items()}


def steps(scenario: Scenario, *, memory_mb: int | None = None) -> dict[str, Usage]:
    """What one run uses, by step."""
    count, batch = COUNT[scenario], 10 if scenario == "full" else 1
    meter = counted(scenario)
    found: defaultdict[str, Usage] = defaultdict(Usage)
    for (call, unit), amount in meter.amounts.items():
        found[_step(call)] += replace(Usage(), **{unit: amount / count})
    model = Model(memory_mb or memory_of("fast_worker"))
    for step, seconds in model.batch_seconds(batch, _early_ms(scenario)).items():
        found[step] += Usage(gb_seconds=seconds * model.memory_mb / 1024 / batch)
    found["tick_compute"] += _tick_compute(scenario)
    found["receive"] += Usage(queue_requests=1 / batch, invocations=1 / batch)
    found["delete"] += Usage(queue_requests=1 / batch)
    found["log"] += Usage(log_bytes=LOG_BYTES / batch)
    return dict(found)


def _early_ms(scenario: Scenario) -> float:
    """How much earlier than the lead a message appears: the spread of the sends, or what is left of the second."""
    if scenario == "alone":
        return 500 + sending_ms(1)
    return sending_ms(COUNT[scenario]) + (PHASE_MS / 2 if scenario == "sparse" else 0)


def _tick_compute(scenario: Scenario) -> Usage:
    """A tick of a thousand waits half a second for its phase; what is alone rides on a tick that comes anyway."""
    if scenario == "alone":
        return Usage(gb_seconds=0.03 * DISPATCHER_GB)
    seconds = DISPATCH_SECONDS + 0.5 / COUNT[scenario]
    return Usage(gb_seconds=seconds * DISPATCHER_GB, invocations=1 / COUNT[scenario])


STEPS = {
    "audit": "audit",
    "tick query": "tick_query",
    "tick get": "tick_jobs",
    "tick put journal": "tick_journal",
    "tick put heartbeat": "tick_heartbeat",
    "tick put shard": "tick_advance",
    "tick delete shard": "tick_advance",
    "tick send": "tick_ring",
    "work get": "start",
    "work put": "start",
    "work update local of catalog": "count",
    "work update": "finish",
}


def _step(call: str) -> str:
    return next(step for prefix, step in STEPS.items() if call.startswith(prefix))


def counted(scenario: Scenario) -> Meter:
    """The units of a tick and of all the work that it gives."""
    world = CountingWorld(NOON)
    subscribe(world.db, "pro")
    for job in _due_jobs(scenario, world.engine.settings.shards):
        timer = first_timer(job, NOON)
        if timer is None:
            raise ValueError("an hourly job has a next occurrence")
        world.db.catalog.write(Put(encode_job(job)))
        world.db.timers.write(Put(encode_timer(timer)))
    world.meter.amounts.clear()
    world.tick()
    if scenario == "alone":
        _forget_what_every_tick_costs(world.meter)
    world.clock.ms = NOON + 110_000
    world.deliver(10 if scenario == "full" else 1)
    if len(world.executed) != COUNT[scenario]:
        raise ValueError(f"{len(world.executed)} of {COUNT[scenario]} jobs ran")
    _audit(world)
    return world.meter


def _audit(world: CountingWorld) -> None:
    """What the tick that looks at the journal takes more than one that has nothing to do."""
    amounts, looks = world.meter.amounts, []
    for at_ms in (NOON + 300_000, NOON + 360_000):
        before = Counter(amounts)
        world.clock.ms = at_ms
        world.tick()
        looks.append(Counter(amounts) - before)
        world.meter.amounts = amounts = before
    for (_, unit), amount in (looks[0] - looks[1]).items():
        amounts["audit", unit] += amount


def _due_jobs(scenario: Scenario, shards: int) -> Iterable[Job]:
    """Those of `full` at minute 1; the others at moments of their own in it."""
    for number, job in enumerate(jobs(COUNT[scenario], shards=shards)):
        if scenario == "full":
            yield job
        else:
            second = job.schedule.model_copy(update={"expression": f"{number % 50} 1 * * * *"})
            yield job.model_copy(update={"schedule": second})


def _forget_what_every_tick_costs(meter: Meter) -> None:
    for call, unit in list(meter.amounts):
        if call.startswith(("tick query", "tick put heartbeat")):
            del meter.amounts[call, unit]


def kept_usd(prices: Prices) -> float:
    """A million runs' records for 30 days, with their index and point-in-time recovery; 100 bytes an item are added."""
    stored_gb = 1e6 * (600 + 100 + 200) / 1e9
    return stored_gb * (prices.stored_gb_month + prices.backed_up_gb_month)


def repair_usd(prices: Prices) -> float:
    """A month of hourly comparisons of a million stored jobs with their timers."""
    world, count = CountingWorld(NOON), 1000
    for job in jobs(count, shards=world.engine.settings.shards):
        timer = first_timer(job, NOON + 86_400_000)
        if timer is None:
            raise ValueError("an hourly job has a next occurrence")
        world.db.catalog.write(Put(encode_job(job)))
        world.db.timers.write(Put(encode_timer(timer)))
    world.tick()
    world.meter.amounts.clear()
    for minute in range(1, 61):
        world.clock.ms = NOON + minute * 60_000
        world.tick()
    idle = 60 * (world.engine.settings.shards + 1 + PARTITIONS)
    units = world.meter.total("read_units") - idle
    return units / count * 24 * 30 * 1e6 * prices.read_unit


def saved_usd(prices: Prices) -> float:
    """A million jobs saved by the API: its writes, and 30 ms of its function. API Gateway's own price is not in it."""
    world = CountingWorld(NOON)
    subscribe(world.db, "pro")
    engine = world.engine
    engine.plans.of(engine, "local")
    world.meter.amounts.clear()
    definition = {"name": "hourly", "type": "dummy", "schedule": "30 4 * * *"}
    service.create(engine, "local", definition_of(definition))
    units = Usage(write_units=world.meter.total("write_units"), read_units=world.meter.total("read_units"))
    compute = Usage(invocations=1, gb_seconds=0.03 * memory_of("api_handler") / 1024, log_bytes=300)
    return (units + compute).total_usd(prices) * 1e6


def idle_usd(architecture: Architecture) -> dict[str, float]:
    """A month in which nothing is due, by what costs it. A tick also reads the pulses and the journal, and sweeps."""
    prices, shards = PRICES[architecture], 64 / GROUPS
    sweeps = shards * 60_000 / ROUND_MS
    tick = Usage(
        write_units=1,
        read_units=shards + 1 + PARTITIONS / GROUPS + sweeps * 1.5,
        invocations=1,
        gb_seconds=0.15 * memory_of("dispatcher") / 1024,
        log_bytes=LOG_BYTES,
    )
    polls = ceil(_count("AWS::SQS::Queue") * POLLS_A_MINUTE * MINUTES)
    return {
        "ticks": tick.total_usd(prices) * GROUPS * MINUTES + prices.schedule * GROUPS * MINUTES,
        "polls": polls * prices.queue_request,
        "alarms": _count("AWS::CloudWatch::Alarm") * prices.alarm_month + prices.metric_month,
    }


def _count(kind: str) -> int:
    """Resources of a type in a stage."""
    return sum(1 for each in infra_template("dev")["Resources"].values() if each["Type"] == kind)
