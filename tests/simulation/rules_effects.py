"""Rules about effects: never early, once, never beside another where that is forbidden, none after a cancel."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby, pairwise

from tests.simulation.facts import SKEW_MS, Facts
from tests.simulation.history import Effect
from tests.simulation.limits import AT_ONCE, target_of
from tests.simulation.violations import Violation, moment

TOUCH_MS = 50
"""Two effects may touch: one ends while the other begins."""
ON_TIME_MS = 1_500


def never_early(facts: Facts) -> Iterator[Violation]:
    """No attempt starts before it is due, by the clock of its worker; by the true time, its error apart.

    What somebody asked for was due by the clock of the request, which may differ as much again.
    """
    for effects in facts.effects.values():
        for effect in effects:
            due_ms = _due_ms(facts, effect) - (0 if effect.trigger == "schedule" else 2 * SKEW_MS)
            if effect.local_ms < due_ms or effect.started_ms < effect.nominal_ms - SKEW_MS:
                late = due_ms - effect.local_ms
                yield Violation(
                    "early", effect.run, f"attempt {effect.attempt} starts {late} ms before it is due"
                )


def _due_ms(facts: Facts, effect: Effect) -> int:
    """When the attempt was due: a first one as the run says, a later one as its retry was set."""
    if effect.attempt == 1:
        return effect.due_ms
    changes = facts.history.changes.get(effect.run, [])
    set_ms = [
        int(each.after["retry_ms"])
        for each in changes
        if each.after["status"] == "RETRYING" != (each.before or {}).get("status")
        and each.after["attempt"] == effect.attempt - 1
        and each.at_ms <= effect.started_ms
    ]
    return max(set_ms, default=effect.due_ms)


def once(facts: Facts) -> Iterator[Violation]:
    """An attempt acts once; again only where the worker died, or could not write down what it had done."""
    for run, effects in facts.effects.items():
        for attempt, group in groupby(
            sorted(effects, key=lambda each: each.attempt), lambda each: each.attempt
        ):
            acted = list(group)
            for earlier, later in pairwise(acted):
                if not is_excused(earlier) and not is_excused(later):
                    sentence = f"attempt {attempt} acts in {earlier.process} and again in {later.process}"
                    yield Violation("double", run, sentence)


def is_excused(effect: Effect) -> bool:
    """Whether its worker was killed, stood still, or had calls that failed while it was to be recorded."""
    process = effect.process
    return process.killed_ms is not None or bool(process.frozen) or process.troubled > 1


def limits_are_kept(facts: Facts) -> Iterator[Violation]:
    """No more runs of a job act at once than its policy allows."""
    by_job: dict[str, list[Effect]] = defaultdict(list)
    for effect in facts.history.effects:
        by_job[effect.job].append(effect)
    for effects in by_job.values():
        for effect, beside in _with_company(facts, effects):
            limit = _limit(facts, effect) if beside else None
            if limit is not None and len(beside) >= limit:
                names = ", ".join(sorted({other.run for other in beside}))
                yield Violation(
                    "overlap", effect.run, f"it starts while as many as allowed are active: {names}"
                )


def gates_are_kept(facts: Facts) -> Iterator[Violation]:
    """Under limits, no more runs act at once than the tenant's and their targets' allow."""
    by_gate: dict[str, list[Effect]] = defaultdict(list)
    for effect in facts.history.effects if facts.outcome.scenario.is_limited else ():
        by_gate["tenant"].append(effect)
        by_gate[target_of(effect.job)].append(effect)
    for gate, limit in AT_ONCE.items():
        for effect, beside in _with_company(facts, by_gate[gate]):
            if len(beside) >= limit:
                names = ", ".join(sorted({other.run for other in beside}))
                yield Violation("gate", effect.run, f"{gate}: it starts while so many act as may: {names}")


def _with_company(facts: Facts, effects: list[Effect]) -> Iterator[tuple[Effect, list[Effect]]]:
    """Each effect, in order, and those that act as it starts. What has stood still before does not count.

    Nor does one whose run a callback has ended: the worker who repeats it is told to stop with its next heartbeat.
    """
    active: list[Effect] = []
    for effect in sorted(effects, key=lambda each: each.started_ms):
        active = [
            other
            for other in active
            if effect.started_ms < min(other.until_ms - TOUCH_MS, facts.ended_by_callback_ms(other.run))
        ]
        if not _had_stood_still(effect):
            yield effect, list(active)
            active.append(effect)


def _limit(facts: Facts, effect: Effect) -> int | None:
    """How many at once, None if anything goes or went shortly before."""
    low_ms = effect.started_ms - facts.in_flight_ms(effect.process, effect.started_ms) - 300_000
    docs = [doc for doc in facts.docs_between(effect.job, low_ms, effect.started_ms) if doc]
    rules = [doc["concurrency"] for doc in docs]
    if not rules or any(rule["policy"] == "allow" for rule in rules):
        return None
    return max(int(rule["limit"]) for rule in rules)


def _had_stood_still(effect: Effect) -> bool:
    return any(since <= effect.started_ms for since, _ in effect.process.frozen)


def executions_are_counted(facts: Facts) -> Iterator[Violation]:
    """No more runs start than the month has room for; where nothing goes wrong, exactly those are counted."""
    left = facts.outcome.scenario.left
    if left is None:
        return
    started = sum(changes[-1].after["starts"] > 0 for changes in facts.history.changes.values())
    if started > left:
        yield Violation("quota", "the month", f"{started} runs have started where {left} were left")
    counted = left - facts.uncounted
    if counted < started or (facts.is_calm and counted > started):
        yield Violation("quota", "the month", f"{started} runs have started, and {counted} are counted")


def never_beside_itself(facts: Facts) -> Iterator[Violation]:
    """No run is carried out by two workers at once."""
    for run, effects in facts.effects.items():
        for effect, beside in _with_company(facts, effects) if len(effects) > 1 else ():
            for other in beside:
                if other.process is not effect.process:
                    yield Violation(
                        "two at once", run, f"{effect.process} acts while {other.process} still does"
                    )


def cancelled_stay_so(facts: Facts) -> Iterator[Violation]:
    """After a cancel was answered, no attempt starts any more, and the run ends."""
    for told in facts.told("cancel"):
        run = told.details["run"]
        for effect in facts.effects.get(run, []):
            if effect.started_ms > told.at_ms + facts.in_flight_ms(effect.process, effect.started_ms):
                yield Violation("after a cancel", run, f"an attempt starts at {moment(effect.started_ms)}")
        if told.details["status"] == "CANCELLED" and facts.records[run].status != "CANCELLED":
            yield Violation("after a cancel", run, f"it was cancelled, and is {facts.records[run].status}")


def on_time(facts: Facts) -> Iterator[Violation]:
    """Where nothing goes wrong, or not any more for ten minutes, first attempts start as they are due.

    Under limits they wait for others, who are many after the dark hours.
    """
    if facts.outcome.scenario.is_limited:
        return
    well_ms = facts.outcome.start_ms if facts.is_calm else facts.outcome.healed_ms + 600_000
    for run, effects in facts.effects.items():
        first, late_ms = effects[0], effects[0].started_ms - effects[0].due_ms
        if first.due_ms < well_ms or late_ms <= ON_TIME_MS or first.trigger != "schedule":
            continue
        docs = facts.docs_between(first.job, first.due_ms - 300_000, first.started_ms)
        is_plain = all(
            doc and doc["concurrency"]["policy"] == "allow" and doc["status"] == "active" for doc in docs
        )
        if is_plain and len(docs) == 1:
            yield Violation("late", run, f"it starts {round(late_ms)} ms after it is due, in good weather")
