"""The runs of a tenant by their time: of named jobs by the index, of all jobs from the partitions that hold them.

A query of a partition reads whole records one after another, some seven for a read unit; those that an index names are
read one by one, a unit each. So the index serves only where it leaves out the other jobs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from chalicelib.domain.ids import ulid
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.records import (
    decode_job,
    decode_run,
    job_key,
    run_key,
    run_partitions,
    runs_of_job,
    usage_of,
)
from chalicelib.engine.retention import is_shown
from chalicelib.ports.run_history import MAX_LOOKED_AT, PastRun, TooManyRuns, WantedRuns
from chalicelib.ports.table import Item

PAGE = 100
"""Runs read in one call, and handed on together."""
Names = dict[str, str | None]
"""Of the jobs seen so far, by their ids; None for one that is deleted."""


@dataclass(frozen=True, slots=True)
class StoredRunHistory:
    """The port RunHistory, for the tenant of one run."""

    engine: Engine
    run: Run

    def pages(self, wanted: WantedRuns) -> Iterator[Sequence[PastRun]]:
        items = self._items(wanted)
        names, left_out, looked_at = Names(), set[str](), 0
        while page := list(islice(items, PAGE)):
            looked_at += len(page)
            if looked_at > MAX_LOOKED_AT:
                raise TooManyRuns
            runs = [
                run for item in page if is_shown(self.engine, item) and _fits(run := decode_run(item), wanted)
            ]
            self._learn({run.job_id for run in runs} - names.keys(), wanted, names, left_out)
            yield [self._past(run, names[run.job_id]) for run in runs if run.job_id not in left_out]

    def _items(self, wanted: WantedRuns) -> Iterator[Item]:
        """Latest first."""
        if wanted.end_ms <= wanted.start_ms:
            return iter(())
        low, high = f"run_{ulid(wanted.start_ms, b'')}", f"run_{ulid(wanted.end_ms, b'')}"
        if wanted.jobs:
            streams = [self._of_job(job_id, low, high) for job_id in dict.fromkeys(wanted.jobs)]
        else:
            streams = [self._of_partition(pk, low, high) for pk in run_partitions(self.run.tenant)]
        return merge(*streams, key=lambda item: str(item["sk"]), reverse=True)

    def _of_partition(self, pk: str, low: str, high: str) -> Iterator[Item]:
        after: str | None = None
        while True:
            page = self.engine.db.runs.query(pk, low=low, high=high, limit=PAGE, backwards=True, after=after)
            yield from page.items
            after = page.next
            if after is None:
                return

    def _of_job(self, job_id: str, low: str, high: str) -> Iterator[Item]:
        value, (pk, sk) = runs_of_job(self.run.tenant, job_id), run_key(self.run.tenant, high)
        following: Item | None = {"pk": pk, "sk": sk, "job": value}
        while following is not None:
            keys, following = self.engine.db.runs.query_index(
                "by_job", value, limit=PAGE, backwards=True, after=following
            )
            inside = [key for key in keys if key[1] >= low]
            found = self.engine.db.runs.get_many(inside)
            yield from (found[key] for key in inside if key in found)
            if len(inside) < len(keys):
                return

    def _learn(self, unknown: set[str], wanted: WantedRuns, names: Names, left_out: set[str]) -> None:
        """The jobs' names, and which of them are not wanted."""
        keys = {job_id: job_key(self.run.tenant, job_id) for job_id in sorted(unknown)}
        items = self.engine.db.catalog.get_many(keys.values())
        for job_id, key in keys.items():
            job = decode_job(items[key]) if key in items else None
            names[job_id] = job.name if job else None
            if not _is_wanted(job, wanted):
                left_out.add(job_id)

    def _past(self, run: Run, name: str | None) -> PastRun:
        return PastRun(run, name, usage_of(run).total_usd(self.engine.settings.prices))


def _fits(run: Run, wanted: WantedRuns) -> bool:
    return (not wanted.statuses or run.status in wanted.statuses) and (
        not wanted.triggers or run.trigger in wanted.triggers
    )


def _is_wanted(job: Job | None, wanted: WantedRuns) -> bool:
    if not wanted.names and not wanted.tags:
        return True
    if job is None:
        return False
    named = {name.strip().casefold() for name in wanted.names}
    tagged = all(name in job.tags and value in (None, job.tags[name]) for name, value in wanted.tags.items())
    return tagged and (not named or job.name.casefold() in named)
