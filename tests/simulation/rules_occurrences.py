"""Rules about occurrences: none is lost, none runs that should not, none is skipped without cause."""

from collections.abc import Iterator

from tests.simulation import oracle
from tests.simulation.facts import FOREVER, MINUTE, SKEW_MS, Doc, Epoch, Facts, Record, jitter_ms
from tests.simulation.history import Effect
from tests.simulation.violations import Violation, moment

LEASE_AND_PATIENCE_MS = 260_000
"""The longest that a slot may outlast its run: a lease, its margin, and the patience between attempts."""
KEPT_MS = 900_000
"""Likewise of a run that has waited for its callback."""
SET_ASIDE = 50
"""Executions that batches may have set aside at one moment, and given back."""


def none_is_lost(facts: Facts) -> Iterator[Violation]:
    """Every occurrence of a job at work ends as a run or a skip, and is on record soon."""
    for job, epochs in facts.epochs.items():
        for epoch in epochs:
            until_ms = min(epoch.until_ms, facts.end_ms)
            for nominal_ms in oracle.occurrences(epoch.doc, epoch.after_ms + 1, int(until_ms)):
                by_ms = _recorded_by(facts, epoch, nominal_ms)
                at_ms = facts.recorded_ms(job, nominal_ms)
                if by_ms is not None and at_ms > by_ms:
                    what = (
                        "left no trace" if at_ms == FOREVER else f"is on record at {moment(at_ms)}, too late"
                    )
                    yield Violation("lost", job, f"the occurrence of {moment(nominal_ms)} {what}")


def _recorded_by(facts: Facts, epoch: Epoch, nominal_ms: int) -> float | None:
    """By when it must be on record; None if the job was not at work for so long, then or after that pause."""
    patience = facts.patience_minutes(epoch.doc)
    for stretch in epoch.stretches:
        until_ms = min(stretch.until_ms, facts.end_ms)
        if stretch.until_ms <= nominal_ms:
            continue
        if stretch.since_ms > nominal_ms and not _fell_into_pause(nominal_ms, stretch.rested_ms):
            return None
        due_ms = max(stretch.since_ms, nominal_ms + jitter_ms(epoch.doc))
        by_ms = facts.settled_by(due_ms, patience)
        return by_ms if by_ms <= until_ms else None
    return None


def _fell_into_pause(nominal_ms: int, rested_ms: float | None) -> bool:
    return rested_ms is not None and nominal_ms > rested_ms + SKEW_MS


def effects_are_wanted(facts: Facts) -> Iterator[Violation]:
    """Nothing starts but what the job, as it was when the start read it, wanted."""
    for run, effects in facts.effects.items():
        for effect in effects:
            if not any(facts.docs_at_start(effect)):
                yield Violation("after the end", run, f"it starts although its job {effect.job} is deleted")
        first = effects[0]
        if first.trigger == "schedule" and not any(
            doc and _wants(doc, first) for doc in facts.docs_at_begin(first)
        ):
            yield Violation("unwanted", run, "it starts although its job is paused or has no such occurrence")


def _wants(doc: Doc, effect: Effect) -> bool:
    nominal_ms = effect.nominal_ms
    if doc["status"] == "paused":
        wakes_ms = doc.get("paused_until_ms")
        if wakes_ms is None or wakes_ms > effect.started_ms + SKEW_MS:
            return False
    first, last = doc.get("skip_from_ms"), doc.get("skip_until_ms")
    if first is not None and last is not None and first <= nominal_ms <= last:
        return False
    return bool(oracle.occurrences(doc, nominal_ms, nominal_ms + 1))


def closed_days_rest(facts: Facts) -> Iterator[Violation]:
    """On a day that the job's calendar excludes, nothing of its schedule starts."""
    for run, effects in facts.effects.items():
        first = effects[0]
        if first.trigger != "schedule" or oracle.day_of(first.nominal_ms) not in facts.outcome.closed:
            continue
        if all(doc is None or doc.get("calendar") for doc in facts.docs_at_begin(first)):
            yield Violation(
                "closed", run, f"it starts on {oracle.day_of(first.nominal_ms)}, which is excluded"
            )


def one_run_each(facts: Facts) -> Iterator[Violation]:
    """The schedule makes one run of an occurrence, whoever computes it."""
    for (job, nominal_ms), records in facts.occurred.items():
        if sum(record.trigger == "schedule" for record in records) > 1:
            yield Violation("two runs", job, f"the occurrence of {moment(nominal_ms)} has several runs")


def deadlines_are_kept(facts: Facts) -> Iterator[Violation]:
    """No run of the schedule is begun after its job's start deadline."""
    for run, effects in facts.effects.items():
        first = effects[0]
        limits = [doc.get("start_deadline_seconds") for doc in facts.docs_at_begin(first) if doc]
        if first.trigger != "schedule" or first.attempt > 1 or None in limits or not limits:
            continue
        begun_ms = facts.history.changes[run][0].at_ms
        if (
            begun_ms
            > first.due_ms + max(limits) * 1000 + facts.in_flight_ms(first.process, begun_ms) + SKEW_MS
        ):
            yield Violation("too late", run, "it starts after its start deadline")


def skips_have_a_cause(facts: Facts) -> Iterator[Violation]:
    """What a record gives as the reason of a skip must have been so."""
    for record in facts.records.values():
        if record.status == "SKIPPED" and record.reason is not None:
            written_ms = facts.history.changes[record.id][-1].at_ms
            if not _has_cause(facts, record, written_ms):
                yield Violation(
                    "groundless skip", record.id, f"nothing explains the reason {record.reason!r}"
                )


def _has_cause(facts: Facts, record: Record, written_ms: float) -> bool:
    low_ms = record.nominal_ms - 10 * MINUTE
    docs = facts.docs_between(record.job, low_ms, written_ms)
    known = [doc for doc in docs if doc is not None]
    match record.reason:
        case "overlap" | "buffer_full":
            return _was_crowded(facts, record, written_ms)
        case "paused":
            return any(doc["status"] == "paused" for doc in known)
        case "skip_next":
            return any(doc.get("skip_from_ms") is not None for doc in known)
        case "superseded":
            revisions = {doc["schedule_revision"] for doc in known}
            return None in docs or len(revisions) > 1
        case "start_deadline":
            return any(
                (limit := doc.get("start_deadline_seconds")) is not None
                and written_ms + SKEW_MS > record.nominal_ms + limit * 1000
                for doc in known
            )
        case "quota":
            return _is_used_up(facts)
    return False


def _is_used_up(facts: Facts) -> bool:
    """Whether the month has come near its end: what batches had set aside, and have given back since, counts too."""
    return facts.outcome.scenario.left is not None and facts.uncounted < SET_ASIDE


def _was_crowded(facts: Facts, record: Record, written_ms: float) -> bool:
    """Whether another run of the job was active, or may still have held its slot."""
    for other in facts.by_job[record.job]:
        changes = facts.history.changes[other.id]
        started_ms = next((each.at_ms for each in changes if each.after["status"] != "SKIPPED"), FOREVER)
        ended_ms = changes[-1].at_ms if other.is_final else FOREVER
        has_waited = any(each.after["status"] == "WAITING" for each in changes)
        slack_ms = 0 if facts.is_calm else KEPT_MS if has_waited else LEASE_AND_PATIENCE_MS
        if other is not record and started_ms <= written_ms <= ended_ms + slack_ms + 1000:
            return True
    return False


def misfires_follow_the_rule(facts: Facts) -> Iterator[Violation]:
    """Only what was seen late is a misfire; of those, what the job's policy keeps has a record of its own."""
    for job, spans in facts.history.spans.items():
        for span in spans:
            if span.reason != "misfire":
                continue
            docs = [doc for doc in facts.docs_between(job, span.last_ms - MINUTE, span.at_ms) if doc]
            grace_ms = min((doc["misfire"]["grace_seconds"] for doc in docs), default=0) * 1000
            if span.at_ms + SKEW_MS < span.last_ms + grace_ms:
                yield Violation(
                    "early misfire", job, f"{moment(span.last_ms)} is given up before its grace is over"
                )
            elif docs and all(doc["misfire"]["policy"] == "fire_once" for doc in docs):
                yield from _latest_runs(facts, job, docs[-1], span.last_ms, span.at_ms)


def _latest_runs(facts: Facts, job: str, doc: Doc, last_ms: int, at_ms: float) -> Iterator[Violation]:
    """With fire_once, a later occurrence has been, and it has a record or another range."""
    later = oracle.occurrences(doc, last_ms + 1, int(at_ms + SKEW_MS))
    if not later:
        yield Violation("misfire", job, f"{moment(last_ms)} was the latest that was missed, and did not run")
