"""What was seen: effects, definitions as they were committed, records as they changed, and what users were told."""

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from chalicelib.ports.table import Item, Key
from tests.simulation.kernel import Kernel, Process


@dataclass(eq=False)
class Effect:
    """One attempt as the outside world saw it. Moments are true times; `local_ms` is the worker's own clock.

    `ended_ms` is None while it lasts, or if its process died in it.
    """

    job: str
    run: str
    attempt: int
    trigger: str
    nominal_ms: int
    due_ms: int
    process: Process
    started_ms: float
    local_ms: int
    ended_ms: float | None = None
    how: str = "under way"

    @property
    def until_ms(self) -> float:
        """When it stopped acting: as its process ended, died, or first stood still."""
        ends = [self.ended_ms, self.process.killed_ms]
        ends += [since for since, _ in self.process.frozen if since >= self.started_ms]
        return min((end for end in ends if end is not None), default=float("inf"))


@dataclass(frozen=True)
class Version:
    """A job as a commit made it; None: deleted."""

    at_ms: float
    doc: dict[str, Any] | None


@dataclass(frozen=True)
class Change:
    """A run's record after a write."""

    at_ms: float
    before: Item | None
    after: Item
    by: Process


@dataclass(frozen=True)
class SkippedSpan:
    """A recorded range of skipped occurrences, and when it was (last) written."""

    first_ms: int
    last_ms: int
    reason: str
    at_ms: float


@dataclass(frozen=True)
class Told:
    """An answer that a user got: from the first request to it."""

    job: str
    kind: str
    asked_ms: float
    at_ms: float
    details: dict[str, Any]


@dataclass(eq=False)
class History:
    """Everything that the checker may look at. `lines` is the same, in words, for people and for the hash.

    `asked` counts requests by job and kind, however often each was sent.
    """

    kernel: Kernel
    effects: list[Effect] = field(default_factory=list)
    versions: dict[str, list[Version]] = field(default_factory=lambda: defaultdict(list))
    changes: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    spans: dict[str, list[SkippedSpan]] = field(default_factory=lambda: defaultdict(list))
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    told: list[Told] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    dark: list[tuple[float, float]] = field(default_factory=list)
    lines: list[tuple[float, str, str]] = field(default_factory=list)

    def note(self, subject: str, words: str) -> None:
        """One line: what happened now, to which job or run."""
        self.lines.append((self.kernel.now_ms, subject, words))

    def digest(self) -> str:
        """A hash of all that happened."""
        return hashlib.sha256(repr(self.lines).encode()).hexdigest()

    def catalog_written(self, key: Key, before: Item | None, after: Item | None) -> None:
        if key[1] != "job":
            return
        job = key[0].rpartition("#")[2]
        doc = None if after is None else json.loads(str(after["doc"]))
        if before is None and after is None:
            return
        self.versions[job].append(Version(self.kernel.now_ms, doc))
        what = "deleted" if doc is None else f"revision {doc['revision']}: {doc['status']}, {doc['schedule']}"
        self.note(job, f"the job is now {what}")

    def runs_written(self, key: Key, before: Item | None, after: Item | None) -> None:
        pk, sk = key
        if pk.endswith("#skips") and after is not None:
            first, _, reason = sk.partition("#")
            span = SkippedSpan(int(first), int(after["last_ms"]), reason, self.kernel.now_ms)
            job = pk.split("#")[1]
            self.spans[job].append(span)
            self.note(job, f"skipped from {span.first_ms} to {span.last_ms}: {reason}")
        elif sk.startswith("run_") and after is not None:
            process = self.kernel.current
            self.changes[sk].append(Change(self.kernel.now_ms, before, after, process))
            state = f"{before and before['status']} -> {after['status']}"
            self.note(sk, f"{state} {after.get('skip_reason', '')} attempt {after['attempt']} by {process}")
        elif pk.endswith("#slots"):
            self.note(pk.split("#")[1], f"{sk} is {_said(after)} by {self.kernel.current}")

    def acted(self, effect: Effect) -> None:
        self.effects.append(effect)
        self.note(effect.run, f"attempt {effect.attempt} acts in {effect.process}, job {effect.job}")

    def ended(self, effect: Effect, how: str) -> None:
        effect.ended_ms, effect.how = self.kernel.now_ms, how
        self.note(effect.run, f"attempt {effect.attempt} has {how} in {effect.process}")


def _said(item: Item | None) -> str:
    """Who holds a slot or place, or what else a gate's item says."""
    return "free" if item is None else str(item.get("run") or item.get("state") or item.get("next_us"))
