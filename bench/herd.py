"""The herd: 10,000 jobs due at one second. How late is the last, and what makes it so? A model of Lambda's scaling.

No machine of ours is Lambda, so this is arithmetic, by what AWS documents:

- an idle event source of SQS begins with 5 batches at once and adds up to 300 a minute, up to its maximum concurrency
  (docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html); in provisioned mode 10 a poller are ready;
- a new on-demand table sustains 4,000 write units a second, and later twice its earlier peak
  (docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html).

Assumed: times as in `bench cost` (8 ms a call, the workers' share of a processor), a second for the first batch of a
new process, messages that are there when a worker asks. Not modelled: SQS' own latency, retries after throttling.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from bench.cost import Model, memory_of, steps

COUNT, BATCH = 10_000, 10
JOB_SECONDS = {"noop": 0.0, "http_200_ms": 0.2}
COLD_SECONDS = 1.0


@dataclass(frozen=True)
class Lane:
    """How many batches are under way at once: `begins` when the first message appears, `a_second` more, at most `most`.

    `warm` processes are there; `write_units` a second is what the table of runs takes.
    """

    most: int = 50
    begins: int = 5
    a_second: float = 300 / 60
    warm: int = 0
    write_units: float = 4000
    jitter_seconds: float = 0


AS_DEPLOYED = Lane()
PREPARED = replace(AS_DEPLOYED, write_units=40_000)
LANES = {
    "as_deployed": AS_DEPLOYED,
    "table_prepared": PREPARED,
    "lane_busy_before": replace(PREPARED, begins=50, warm=50),
    "provisioned_20_pollers": replace(PREPARED, most=200, begins=200),
    "provisioned_100_pollers": replace(PREPARED, most=1000, begins=1000),
    "jitter_60_s": replace(AS_DEPLOYED, jitter_seconds=60),
}


def figures() -> Iterable[tuple[str, float, str]]:
    units = sum(usage.write_units for step, usage in steps("full").items() if step in ("start", "finish"))
    for name, lane in LANES.items():
        for job, seconds in JOB_SECONDS.items():
            late = sorted(lateness(lane, job_seconds=seconds, units_per_run=units))
            yield f"herd_late_s_p50_{name}_{job}", late[len(late) // 2], "s"
            yield f"herd_late_s_p99_{name}_{job}", late[len(late) * 99 // 100], "s"
            yield f"herd_late_s_last_{name}_{job}", late[-1], "s"


def lateness(
    lane: Lane, *, job_seconds: float, units_per_run: float, count: int = COUNT, model: Model | None = None
) -> list[float]:
    """Seconds from when each run was due until it was started."""
    model = model or Model(memory_of("fast_worker"))
    parts = model.batch_seconds(BATCH, 0)
    busy = parts["start"] + job_seconds + parts["finish"] + model.hop / 1000
    due = _due(count, lane.jitter_seconds)
    head, table_free, late = (model.lead - model.hop) / 1000, 0.0, list[float]()
    slots = _slots(lane, due[0] - head)
    free = [next(slots)]
    while due:
        if (coming := next(slots, None)) is not None:
            heapq.heappush(free, coming)
        at = max(heapq.heappop(free), due[0] - head)
        batch = [moment for moment in due[:BATCH] if moment - head <= at]
        due = due[len(batch) :]
        at = max(at + model.call / 1000, batch[-1], table_free)
        table_free = at + len(batch) * units_per_run / lane.write_units
        late += [at - moment for moment in batch]
        heapq.heappush(free, at + busy)
    return late


def _due(count: int, jitter_seconds: float) -> Sequence[float]:
    """The second 0, or spread over the jitter."""
    chance = Random(1)
    return sorted(chance.random() * jitter_seconds for _ in range(count))


def _slots(lane: Lane, first: float) -> Iterator[float]:
    """From when on each place for a batch can be used: those without a warm process later."""
    for number in range(lane.most):
        at = first + max(0, number + 1 - lane.begins) / lane.a_second
        yield at if number < lane.warm else at + COLD_SECONDS
