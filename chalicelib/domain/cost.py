"""What runs use of AWS, and what that costs. Pure; tests hold it to what the twins and `python -m bench cost` count."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from math import ceil

from chalicelib.domain.outcome import PART_BYTES
from chalicelib.domain.prices import Prices
from chalicelib.domain.run import Run

BATCH = 10
"""Messages that one invocation of a worker takes at most."""
TOGETHER = 1000
"""Runs of one tick, where there are many."""
SHARE = 1000
"""A whole invocation, in the thousandths in which runs record their shares."""
LOG_BYTES = 200
"""What a worker logs of a batch, with what CloudWatch adds to each line."""
READ_BYTES, WRITE_BYTES = 4096, 1024
"""Of an item: a started so much is a unit."""
DISPATCHER_GB, DISPATCH_SECONDS = 1.0, 0.0009
"""Of a tick, for each of 1,000 runs: some 200 calls, eight at a time, and twice the CPU time of `bench tick`."""
TIMER_BYTES, JOURNALLED_BYTES = 80, 30
"""Of a timer, and of a run's message on a journal page, compressed."""
SIDE_BY_SIDE = 160
"""So many runs of a tick lie side by side in their partitions: the auditor reads them as ranges, others one by one."""
RETRY_WRITES, RETRY_READS = 5, 2
"""What a retry takes beside its start: its attempt's end in a transaction with a timer, a journal page, a delete."""
ASKED_WRITES, ASKED_READS = 8, 4
"""What a run that was asked for takes more: the record and a timer in a transaction, a journal page, a delete.

And a look whether the month has executions left.
"""
TENANTS_READS, COUNTER_WRITES = 2, 1
"""Of a batch whose worker has not read the tenant's limits and plan of late; and of one that counts executions."""
RECORDING_MS = 10
"""What an invocation goes on for while it records a run's end: it cannot be in that record."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Amounts of what AWS counts. `gb_seconds`: of functions, by their memory; `log_bytes`: as ingested.

    `file_gb`: in files, kept as long as the deployment does.
    """

    write_units: float = 0
    read_units: float = 0
    queue_requests: float = 0
    invocations: float = 0
    gb_seconds: float = 0
    log_bytes: float = 0
    file_requests: float = 0
    file_gb: float = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def times(self, factor: float) -> "Usage":
        return Usage(*(amount * factor for amount in astuple(self)))

    def amounts(self) -> dict[str, float]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def shown(self) -> dict[str, float]:
        """The amounts, with as many digits as mean something."""
        return {name: round(amount, 9 if name == "file_gb" else 3) for name, amount in self.amounts().items()}

    def usd(self, prices: Prices) -> dict[str, float]:
        """USD by the name of the amount."""
        each = (
            prices.write_unit,
            prices.read_unit,
            prices.queue_request,
            prices.invocation,
            prices.gb_second,
            prices.log_byte,
            prices.file_request,
            prices.file_gb,
        )
        return {
            name: amount * price for (name, amount), price in zip(self.amounts().items(), each, strict=True)
        }

    def total_usd(self, prices: Prices) -> float:
        return sum(self.usd(prices).values())


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a job's record, and of a run's at its end, as DynamoDB counts them (`item_bytes`)."""

    job: int = 900
    run: int = 600


@dataclass(frozen=True, slots=True)
class Setting:
    """How a run comes about: of `together` in its tick, of `batch` in a worker's batch, which waits `hold_seconds`."""

    together: int
    batch: int
    hold_seconds: float
    work_seconds: float
    tick_seconds: float


CROWDED = Setting(TOGETHER, BATCH, hold_seconds=0.33, work_seconds=0.09, tick_seconds=DISPATCH_SECONDS)
LONELY = Setting(1, 1, hold_seconds=0.65, work_seconds=0.037, tick_seconds=0.03)
"""The cheapest and the dearest way to run, as `python -m bench cost` has them: full batches, and alone in a tick."""


def estimated(setting: Setting, sizes: Sizes, *, seconds: float, memory_mb: int, a_tick: float = 1) -> Usage:
    """One run of a schedule, whose job has `a_tick` occurrences in a tick, with one attempt of `seconds`."""
    busy = setting.hold_seconds + setting.work_seconds + seconds
    gb_seconds = busy * memory_mb / 1024 / setting.batch
    dispatch = _dispatched(sizes, setting, a_tick)
    return dispatch + _worked(sizes, share=1 / setting.batch, gb_seconds=gb_seconds)


def of_run(run: Run, sizes: Sizes) -> Usage:
    """What a run has used so far: measured, where its record says it, else as Chronos works.

    Not in it are repeats after lost answers, heartbeats, and waiting for a slot.
    """
    if run.starts == 0:
        return Usage(write_units=_record(sizes) + 1)
    usage = _worked(
        sizes,
        share=run.shares / SHARE,
        gb_seconds=run.mb_ms / 1024 / 1000,
        starts=run.starts,
        ends=run.attempt,
    )
    usage += _left_behind(run)
    retries = max(0, run.attempt - 1)
    usage += Usage(RETRY_WRITES, RETRY_READS, queue_requests=1).times(retries)
    if run.trigger == "schedule":
        return usage + _dispatched(sizes, CROWDED, 1)
    return usage + Usage(ASKED_WRITES, ASKED_READS, queue_requests=1)


def item_bytes(item: Mapping[str, str | int | bytes]) -> int:
    """As DynamoDB counts them: names and values in UTF-8, numbers by their digits."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _left_behind(run: Run) -> Usage:
    """The lines and files of its attempts."""
    files = [file.bytes for attempt in run.attempts for file in attempt.outputs]
    return Usage(
        write_units=run.log_units, file_requests=sum(map(_requests, files)), file_gb=sum(files) / 1e9
    )


def _requests(file_bytes: int) -> int:
    """One, or a beginning, an end and one for each part."""
    return 1 if file_bytes < PART_BYTES else 2 + ceil(file_bytes / PART_BYTES)


def write_units(item: Mapping[str, str | int | bytes]) -> int:
    """What it takes to write an item."""
    return ceil(item_bytes(item) / WRITE_BYTES)


def _dispatched(sizes: Sizes, setting: Setting, a_tick: float) -> Usage:
    moves = 1 / max(1, a_tick)
    pages = max(1, ceil(JOURNALLED_BYTES * setting.together / WRITE_BYTES))
    record = sizes.run / READ_BYTES
    audited = record if setting.together >= SIDE_BY_SIDE else ceil(record)
    return Usage(
        write_units=2 * moves + pages / setting.together,
        read_units=moves * (ceil(sizes.job / READ_BYTES) + TIMER_BYTES / READ_BYTES) + audited,
        queue_requests=1 / min(BATCH, setting.together),
        gb_seconds=setting.tick_seconds * DISPATCHER_GB,
    )


def _worked(sizes: Sizes, *, share: float, gb_seconds: float, starts: int = 1, ends: int = 1) -> Usage:
    """`share`: how much of invocations, and of their requests and logs, is the run's. Its index entry is one write."""
    return Usage(
        write_units=starts + ends * _record(sizes) + 1 + COUNTER_WRITES * share / max(1, ends),
        read_units=starts * ceil(sizes.job / READ_BYTES) + TENANTS_READS * share / max(1, ends),
        queue_requests=2 * share,
        invocations=share,
        gb_seconds=gb_seconds,
        log_bytes=LOG_BYTES * share,
    )


def _record(sizes: Sizes) -> int:
    return ceil(sizes.run / WRITE_BYTES)


def _value_bytes(value: str | int | bytes) -> int:
    if isinstance(value, int):
        return ceil(len(str(abs(value))) / 2) + 1
    return len(value.encode()) if isinstance(value, str) else len(value)
