"""The history, sorted for the checker: what held when, what became of each occurrence, and which mishaps excuse what.

Like the checker, this shares no code with the engine: records are read as the JSON and numbers that they are.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chalicelib.domain.plans import PLANS
from tests.simulation import oracle
from tests.simulation.history import Effect, Told, Version
from tests.simulation.kernel import Process
from tests.simulation.simulation import PLAN, Outcome
from tests.support.plans import counted_executions

SECOND, MINUTE = 1_000, 60_000
SKEW_MS = 5_000
FOREVER = float("inf")
FINAL = ("SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED", "SKIPPED")
TIMING = ("schedule", "exclude", "calendar")
Doc = dict[str, Any]


@dataclass(frozen=True)
class Stretch:
    """A time in which a job with one schedule was at work; `rested_ms`: since when it had been paused before."""

    since_ms: float
    until_ms: float
    rested_ms: float | None


@dataclass(frozen=True)
class Epoch:
    """A time in which a job had one schedule, whether paused or not. Occurrences after `after_ms` are its own."""

    doc: Doc
    after_ms: int
    until_ms: float
    stretches: tuple[Stretch, ...]


class Record:
    """A run as its record is in the end."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item
        self.id: str = item["sk"]
        self.job: str = str(item["job"]).rpartition("#")[2]
        self.status: str = item["status"]
        self.trigger: str = item["trigger"]
        self.nominal_ms: int = item["nominal_ms"]
        self.reason: str | None = item.get("skip_reason")
        self.attempts: list[list[Any]] = json.loads(item.get("attempts", "[]"))

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


class Facts:
    """Everything that the rules ask for."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome, self.history = outcome, outcome.history
        self.end_ms = outcome.end_ms
        self.is_calm = outcome.scenario.rates.fault == 0
        self.records = {run: Record(changes[-1].after) for run, changes in self.history.changes.items()}
        self.effects: dict[str, list[Effect]] = defaultdict(list)
        for effect in self.history.effects:
            self.effects[effect.run].append(effect)
        self.by_job: dict[str, list[Record]] = defaultdict(list)
        for record in self.records.values():
            self.by_job[record.job].append(record)

    @cached_property
    def occurred(self) -> dict[tuple[str, int], list[Record]]:
        """The records of occurrences, by job and nominal time."""
        found: dict[tuple[str, int], list[Record]] = defaultdict(list)
        for record in self.records.values():
            if record.trigger in ("schedule", "backfill"):
                found[record.job, record.nominal_ms].append(record)
        return found

    @cached_property
    def epochs(self) -> dict[str, list[Epoch]]:
        return {job: list(_epochs(versions)) for job, versions in self.history.versions.items()}

    @property
    def uncounted(self) -> int:
        """How many executions are left of the month in the end, as the tenant's counter has it."""
        used = counted_executions(self.outcome.world.db, self.outcome.start_ms)
        return (PLANS[PLAN].executions or 0) - used

    def recorded_ms(self, job: str, nominal_ms: int) -> float:
        """When the occurrence was first on record: as a run, or in a range of skips."""
        runs = [self.history.changes[each.id][0].at_ms for each in self.occurred.get((job, nominal_ms), ())]
        spans = self.history.spans.get(job, ())
        skips = [span.at_ms for span in spans if span.first_ms <= nominal_ms <= span.last_ms]
        return min([*runs, *skips], default=FOREVER)

    def docs_between(self, job: str, low_ms: float, high_ms: float) -> list[Doc | None]:
        """What the job was at the moments of [low, high]; None for a time in which it was gone."""
        versions = self.history.versions.get(job, [])
        ends = [version.at_ms for version in versions[1:]] + [FOREVER]
        return [
            version.doc
            for version, end_ms in zip(versions, ends, strict=True)
            if version.at_ms <= high_ms and end_ms >= low_ms
        ]

    def told(self, kind: str) -> Iterator[Told]:
        return (each for each in self.history.told if each.kind == kind and "refused" not in each.details)

    def ended_by_callback_ms(self, run: str) -> float:
        """When a request ended the run, which is what callbacks do."""
        changes = self.history.changes.get(run, ())
        ends = [each.at_ms for each in changes if each.after["status"] in FINAL and each.by.kind == "api"]
        return min(ends, default=FOREVER)

    def settled_by(self, at_ms: float, patience_minutes: float) -> float:
        """By when what was due at a moment must be on record, given how long no tick came."""
        by_ms = at_ms + patience_minutes * MINUTE
        for since_ms, until_ms in sorted(self.history.dark):
            if (
                since_ms <= by_ms
                and until_ms + patience_minutes * MINUTE > by_ms
                and until_ms > at_ms - 3 * MINUTE
            ):
                by_ms = until_ms + patience_minutes * MINUTE
        return by_ms

    def patience_minutes(self, doc: Doc) -> float:
        """Three receptions by workers that die, and some ticks; with faults anywhere."""
        if self.is_calm:
            return 3
        storm = max(1, self.outcome.scenario.storm)
        return storm * (65 if doc["timeout_seconds"] > 60 else 25)

    def in_flight_ms(self, process: Process, at_ms: float) -> float:
        """How long before a start this process may have read the job."""
        stood_ms = sum(until - since for since, until in process.frozen if since <= at_ms)
        return (2 if self.is_calm else 15) * SECOND + stood_ms

    def docs_at_start(self, effect: Effect) -> list[Doc | None]:
        """What the job may have been when this attempt's start read it."""
        at_ms = effect.started_ms
        return self.docs_between(effect.job, at_ms - self.in_flight_ms(effect.process, at_ms), at_ms)

    def docs_at_begin(self, effect: Effect) -> list[Doc | None]:
        """Likewise when its run was begun: by the first start, or the first after a skip, whoever made it."""
        begun = [
            change
            for change in self.history.changes.get(effect.run, ())
            if change.at_ms <= effect.started_ms
            and change.after["status"] == "RUNNING"
            and (change.before is None or change.before["status"] in ("PENDING", "SKIPPED"))
        ]
        if not begun:
            return []
        at_ms, process = begun[-1].at_ms, begun[-1].by
        return self.docs_between(effect.job, at_ms - self.in_flight_ms(process, at_ms), at_ms)


def _epochs(versions: list[Version]) -> Iterator[Epoch]:
    """Versions joined while they have the same schedule."""
    start = 0
    while start < len(versions):
        doc = versions[start].doc
        end = start + 1
        while doc and end < len(versions) and _timing(versions[end].doc) == _timing(doc):
            end += 1
        if doc is not None:
            until_ms = versions[end].at_ms if end < len(versions) else FOREVER
            yield Epoch(doc, doc["updated_ms"], until_ms, tuple(_stretches(versions[start:end], until_ms)))
        start = end


def _timing(doc: Doc | None) -> Any:
    return doc and [doc.get(name) or None for name in TIMING]


def _stretches(versions: list[Version], until_ms: float) -> Iterator[Stretch]:
    """When the job was at work, as its versions have it; a pause may end by itself."""
    since_ms: float | None = None
    rested_ms: float | None = None
    for place, version in enumerate(versions):
        assert version.doc is not None
        end_ms = versions[place + 1].at_ms if place + 1 < len(versions) else until_ms
        if version.doc["status"] == "active":
            since_ms = version.at_ms if since_ms is None else since_ms
            continue
        if since_ms is not None:
            yield Stretch(since_ms, version.at_ms, rested_ms)
            since_ms = None
        rested_ms = version.doc["paused_ms"]
        wakes_ms = version.doc.get("paused_until_ms")
        if wakes_ms is not None and wakes_ms < end_ms:
            since_ms = max(wakes_ms, version.at_ms)
    if since_ms is not None:
        yield Stretch(since_ms, until_ms, rested_ms)


def jitter_ms(doc: Doc) -> int:
    return oracle.jitter_ms(doc)
