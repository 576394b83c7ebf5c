"""One scenario: a flow, the faults that its calls meet, and a client that gives up or asks again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.faults import trail
from tests.faults.checker import Evidence
from tests.faults.flow import Act, Flow, flows
from tests.faults.kinds import ABSORBED, DEADLY, OUTAGES, Kind
from tests.faults.system import System
from tests.faults.wire import Call
from tests.support.world import NOON

END_MS = NOON + 3_600_000
"""Long after everything; an hour, in which only what happens costs time."""
HEALED_MS = 600_000
PUNCTUAL_MS, RESCUED_MS = 15_000, 660_000
"""How much later than without faults: where nobody notices them, or where a message has to come again, or be missed."""
Plan = Mapping[int, Kind]


class Violated(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True)
class Prepared:
    """A flow that can be carried out again and again from the same point.

    `calls` are those it makes undisturbed, `moments` those at which its attempts (run, number) are carried out then;
    `unarmed` tells the jobs that lack a timer before; `records` are the audit records that it leaves then.
    """

    flow: Flow
    system: System
    act: Act
    saved: Any
    repeatable: set[tuple[str, int]]
    calls: list[Call] = field(default_factory=list)
    moments: dict[tuple[str, int], int] = field(default_factory=dict)
    unarmed: list[str] = field(default_factory=list)
    records: list[int] = field(default_factory=list)

    def sites(self) -> list[tuple[int, Call]]:
        return list(enumerate(self.calls, 1))


@dataclass(frozen=True)
class Aftermath:
    """How a scenario has ended. `answers` are the statuses of the requests, None where nobody answered.

    `unarmed` tells the jobs that had no timer when the faults were over.
    """

    system: System
    answers: list[int | None]
    calls: list[Call]
    struck: Mapping[int, Kind]
    unarmed: list[str]
    healed_ms: int
    entries_before: int

    @property
    def is_done_for_sure(self) -> bool:
        """Whether the client was told so, or there was none."""
        return not self.answers or any(each is not None and each < 500 for each in self.answers)


def prepared(flow: Flow, make: Callable[[], System] = System) -> Prepared:
    """The flow made ready and carried out once, without faults. Violated if not even that goes well."""
    system = make()
    act = flow.prepare(system)
    ready = Prepared(flow, system, act, system.saved(), set(system.unrecorded))
    ready.unarmed.extend(Evidence(system).unarmed())
    undisturbed = carried_out(ready, {})
    check(ready, {}, undisturbed, exactly=True)
    ready.calls.extend(undisturbed.calls)
    ready.moments.update(Evidence(system).latest())
    ready.records.append(trail.number_of_entries(system) - undisturbed.entries_before)
    return ready


@cache
def ready(name: str) -> Prepared:
    """The flow of this name, once a process."""
    return prepared(flows()[name])


def carried_out(
    ready: Prepared, plan: Plan, *, repeats: bool = False, outage_ms: int | None = None
) -> Aftermath:
    """The flow under these faults, then the healing, then the rest of an hour. A client who `repeats` asks once more.

    With `outage_ms` faults also meet what follows the flow, for ten minutes, and outages last that long; otherwise all
    is healed when the flow is over.
    """
    system, wire = ready.system, ready.system.wire
    system.restore(ready.saved)
    entries_before = trail.number_of_entries(system)
    wire.arm(plan, outage_ms)
    answer = ready.act()
    answers = [_status(answer)] if ready.flow.is_request else []
    calls = list(wire.calls)
    unarmed = [each for each in Evidence(system).unarmed() if each not in ready.unarmed]
    healed_ms = system.clock.now_ms()
    if outage_ms is None:
        wire.heal()
    if repeats and answers and not _is_success(answers[0]):
        answers.append(_status(ready.act()))
    if outage_ms is not None:
        system.pass_time(system.clock.now_ms() + HEALED_MS)
        wire.heal()
    system.pass_time(END_MS)
    return Aftermath(system, answers, calls, dict(wire.struck), unarmed, healed_ms, entries_before)


def check(ready: Prepared, plan: Plan, after: Aftermath, *, exactly: bool = False) -> None:
    """Violated if a promise does not hold after a single fault, or none."""
    kinds = set(plan.values())
    evidence = Evidence(after.system)
    problems = list(evidence.disorder())
    problems += evidence.repeated(after.system.unrecorded if kinds <= DEADLY | OUTAGES else ready.repeatable)
    problems += after.unarmed
    problems += _late(ready, after, evidence, PUNCTUAL_MS if kinds <= ABSORBED else RESCUED_MS)
    problems += _ended(ready.flow, evidence, after, exactly=exactly)
    problems += _answered(ready.flow, after, absorbed=kinds <= ABSORBED)
    problems += _recorded(ready, after)
    if not ready.flow.holds(after.system, after.is_done_for_sure):
        problems.append("what the flow has to bring about is not so")
    problems += [sentence for _, sentence, _ in after.system.telemetry.lines if "came too late" in sentence]
    if problems:
        raise Violated("; ".join(problems))


def check_leniently(ready: Prepared, after: Aftermath) -> None:
    """Violated if a promise does not hold after several faults. Some may be missed, or given up, and say so."""
    evidence = Evidence(after.system)
    problems = [*evidence.disorder(), *evidence.repeated(after.system.unrecorded), *after.unarmed]
    problems += _ended(ready.flow, evidence, after, lenient=True)
    problems += _answered(ready.flow, after, absorbed=False, healed=False)
    problems += _recorded(ready, after)
    if not ready.flow.holds(after.system, after.is_done_for_sure):
        problems.append("what the flow has to bring about is not so")
    if problems:
        raise Violated("; ".join(problems))


def _late(ready: Prepared, after: Aftermath, evidence: Evidence, allowed_ms: int) -> list[str]:
    """Attempts much later than without faults, and than the healing: what should have brought them about was lost."""
    return [
        f"attempt {attempt} of {run_id} came {(at_ms - ready.moments[run_id, attempt]) / 1000:.0f} s late"
        for (run_id, attempt), at_ms in evidence.latest().items()
        if (run_id, attempt) in ready.moments
        and at_ms > max(ready.moments[run_id, attempt], after.healed_ms) + allowed_ms
    ]


def _ended(flow: Flow, evidence: Evidence, after: Aftermath, **how: bool) -> list[str]:
    problems = evidence.ended_like(flow.ends, **how)
    if problems and not after.is_done_for_sure and flow.undone is not None:
        undone = evidence.ended_like(flow.undone, **how)
        return [f"neither done ({'; '.join(problems)}) nor undone ({'; '.join(undone)})"] if undone else []
    return problems


def _answered(flow: Flow, after: Aftermath, *, absorbed: bool, healed: bool = True) -> list[str]:
    """A request succeeds, or is told to come again; its repetition may find what the first has done."""
    if not after.answers:
        return []
    first, *again = after.answers
    expected = (None, 503) if not absorbed else ()
    problems = [] if _is_success(first) or first in expected else [f"the request was answered by {first}"]
    allowed = flow.repeated_as if healed else (None, 503, *flow.repeated_as)
    if again and not (_is_success(again[0]) or again[0] in allowed):
        problems.append(f"the repeated request was answered by {again[0]}")
    return problems


def _recorded(ready: Prepared, after: Aftermath) -> list[str]:
    """The trail is in one piece; a request that was done is in it, if it is of those that are."""
    count, problems = trail.sealed(after.system)
    is_due = after.answers and after.is_done_for_sure and any(ready.records)
    if is_due and count <= after.entries_before:
        problems.append("what was done is not in the audit trail")
    return problems


def _status(answer: Any) -> int | None:
    return None if answer is None else answer.status


def _is_success(status: int | None) -> bool:
    return status is not None and status < 400
