"""What a million runs cost on AWS: units counted over the twins, at published prices."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil

from bench.jobs import NOON, jobs
from chalicelib.aws.sqs import BATCH
from chalicelib.engine.arm import first_timer
from chalicelib.engine.records import encode_job
from chalicelib.engine.timers import encode_timer
from chalicelib.ports.queue import Outgoing
from chalicelib.ports.table import Item, Key, Page, Put, Update, Write
from tests.support.memory import FakeClock, MemoryQueue, MemoryTable
from tests.support.world import World

# USD, us-east-1, on demand, x86, as published in November 2026; before any free tier.
PRICES = {
    "dynamodb_write_unit": 0.625e-6,
    "dynamodb_read_unit": 0.125e-6,
    "sqs_request": 0.40e-6,
    "lambda_request": 0.20e-6,
    "lambda_gb_second": 16.6667e-6,
    "scheduler_invocation": 1.0e-6,
    "log_gb": 0.50,
}
COUNT = 1000
LEAD_SECONDS, MEAN_ROUNDING_SECONDS = 0.25, 0.5
"""A message becomes visible `lead` before its moment, and up to a second earlier: delays are whole seconds."""
WORKER_GB, WORKER_SECONDS = 0.5, 0.06
"""Beside the hold: two batches of statements and a read at 5 to 10 ms, and the CPU that `worker` measures, doubled."""
DISPATCHER_GB, DISPATCHER_SECONDS = 1.0, 0.9
"""For 1,000 jobs: some 200 calls, eight at a time, at 5 to 10 ms, and the CPU that `tick` measures, doubled."""
LOG_BYTES = 900
"""An invocation's own lines, and Lambda's START, END and REPORT."""
INDEX_OF = {"job": "by_job", "dead_pk": "dead", "lpk": "lists"}


class CountingTable(MemoryTable):
    """Counts capacity as DynamoDB does: a write unit a started KB, a read unit a started 4 KB, indexes apart."""

    def __init__(self, units: Counter[str]) -> None:
        super().__init__()
        self._units = units

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        found = super().get_many(keys)
        self._units["dynamodb_read_unit"] += sum(ceil(_size(item) / 4096) for item in found.values())
        return found

    def query(self, pk: str, **arguments: object) -> Page:  # type: ignore[override]
        page = super().query(pk, **arguments)  # type: ignore[arg-type]
        self._units["dynamodb_read_unit"] += max(1, ceil(sum(map(_size, page.items)) / 4096))
        return page

    def apply(self, write: Write) -> Item:
        key = (str(write.item["pk"]), str(write.item["sk"])) if isinstance(write, Put) else write.key
        before = dict(self.items.get(key, {}))
        after = super().apply(write)
        self._units["dynamodb_write_unit"] += max(1, ceil(max(_size(before), _size(after)) / 1024))
        names = set(write.set) | set(write.remove) if isinstance(write, Update) else set(before) | set(after)
        self._units["dynamodb_write_unit"] += sum(
            1 for name in INDEX_OF if name in names and before.get(name) != after.get(name)
        )
        return after


class CountingQueue(MemoryQueue):
    """Counts requests: a send for each ten messages, and the event source's receive and delete for each batch."""

    def __init__(self, clock: FakeClock, units: Counter[str]) -> None:
        super().__init__(clock)
        self._units = units

    def send(self, messages: Sequence[Outgoing]) -> None:
        super().send(messages)
        self._units["sqs_request"] += ceil(len(messages) / BATCH)


def figures() -> Iterable[tuple[str, float, str]]:
    full, sparse = _units(per_batch=10), _units(per_batch=1)
    for name, units in (("", full), ("_sparse", sparse)):
        yield f"cost_usd_per_million_runs{name}", _usd(units), "USD"
    for unit, price in PRICES.items():
        yield f"cost_usd_per_million_runs_{unit}", full[unit] / COUNT * 1e6 * price, "USD"
    yield "idle_usd_per_month", _idle_usd(), "USD"


def _units(*, per_batch: int) -> Counter[str]:
    """What 1,000 runs use: jobs due at one moment in full batches, or each alone."""
    units: Counter[str] = Counter()
    world = World(NOON)
    for name in ("catalog", "timers", "runs"):
        setattr(world.db, name, CountingTable(units))
    queue = CountingQueue(world.clock, units)
    world.engine.lanes["fast"] = queue  # type: ignore[index]
    for job in jobs(COUNT, shards=world.engine.settings.shards):
        timer = first_timer(job, NOON)
        if timer is None:
            raise ValueError("an hourly job has a next occurrence")
        world.db.catalog.items[f"local#{job.id}", "job"] = encode_job(job)
        world.db.timers.write(Put(encode_timer(timer)))
    units.clear()
    world.tick()
    world.clock.ms = NOON + 60_000
    world.queue = queue
    world.deliver(per_batch)
    if len(world.executed) != COUNT:
        raise ValueError(f"{len(world.executed)} of {COUNT} jobs ran")
    batches = COUNT / per_batch
    hold = LEAD_SECONDS + MEAN_ROUNDING_SECONDS + WORKER_SECONDS
    units["sqs_request"] += ceil(batches * 2)
    units["lambda_request"] = ceil(batches) + 1
    units["scheduler_invocation"] = 1
    gb_seconds = batches * hold * WORKER_GB + DISPATCHER_SECONDS * DISPATCHER_GB
    units["lambda_gb_second"] = gb_seconds  # type: ignore[assignment]
    units["log_gb"] = (batches + 1) * LOG_BYTES / 1e9  # type: ignore[assignment]
    return units


def _usd(units: Counter[str]) -> float:
    return sum(PRICES[unit] * amount for unit, amount in units.items()) / COUNT * 1e6


def _idle_usd() -> float:
    """A month in which nothing is due: four dispatchers a minute, 64 shards queried, four heartbeats."""
    minutes = 30 * 1440
    gb_seconds = 4 * 0.15 * DISPATCHER_GB
    return minutes * (
        64 * PRICES["dynamodb_read_unit"]
        + 4 * (PRICES["dynamodb_write_unit"] + PRICES["lambda_request"] + PRICES["scheduler_invocation"])
        + gb_seconds * PRICES["lambda_gb_second"]
        + 4 * LOG_BYTES / 1e9 * PRICES["log_gb"]
    )


def _size(item: Item) -> int:
    """Bytes as DynamoDB counts them: names and values in UTF-8, numbers by their digits."""
    return sum(len(name) + _value_size(value) for name, value in item.items())


def _value_size(value: str | int | bytes) -> int:
    if isinstance(value, int):
        return ceil(len(str(abs(value))) / 2) + 1
    return len(value.encode()) if isinstance(value, str) else len(value)
