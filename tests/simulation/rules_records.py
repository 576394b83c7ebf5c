"""Rules about records: what is final stays so, attempts are numbered without holes, all that is due gets done."""

from collections import Counter
from collections.abc import Iterator

from chalicelib.domain.run import TRANSITIONS
from tests.simulation.facts import FINAL, MINUTE, SKEW_MS, Facts, Record
from tests.simulation.violations import Violation, moment

DRAWN = {(arrow.source, arrow.target) for arrow in TRANSITIONS}
KEPT = ("status", "attempts", "finished_ms", "attempt")
REVIVED = ("paused", "superseded")
NO_PLACE = ("overlap", "buffer_full")
MOST_RECEIVES = 12
STILL_MS = 20 * MINUTE
UNTIL = ("retry_ms", "callback_by_ms")
"""Until when a run may wait."""


def final_is_final(facts: Facts) -> Iterator[Violation]:
    """A run that is over does not change any more; only a skip gives way to a later revision, or finds no slot."""
    for run, changes in facts.history.changes.items():
        for change in changes:
            before, after = change.before, change.after
            if before is None or before["status"] not in FINAL:
                continue
            if (
                before["status"] == "SKIPPED"
                and before.get("skip_reason") in REVIVED
                and (after["status"] == "RUNNING" or after.get("skip_reason") in NO_PLACE)
            ):
                continue
            if any(before.get(name) != after.get(name) for name in KEPT):
                yield Violation(
                    "final", run, f"it was {before['status']} and {change.by} makes it {after['status']}"
                )


def transitions_are_drawn(facts: Facts) -> Iterator[Violation]:
    """Each change of a run's state is one that the domain has."""
    for run, changes in facts.history.changes.items():
        for change in changes:
            before = change.before and change.before["status"]
            after = change.after["status"]
            if before != after and (before, after) not in DRAWN:
                yield Violation("transition", run, f"{change.by} makes it {after}; it was {before}")


def starts_are_used(facts: Facts) -> Iterator[Violation]:
    """Whoever has started a run, and is well, carries it out."""
    for run, changes in facts.history.changes.items():
        for change in changes:
            before, process = change.before or {}, change.by
            if change.after["starts"] == before.get("starts", 0) or process.killed_ms is not None:
                continue
            if process.frozen or process.troubled or change.at_ms > facts.end_ms - MINUTE:
                continue
            if not any(effect.process is process for effect in facts.effects.get(run, [])):
                yield Violation("unused start", run, f"{process} started it, was well, and did not act")


def attempts_are_numbered(facts: Facts) -> Iterator[Violation]:
    """1, 2, 3, ... on record, no more than the policy allows, and each had an effect unless it was lost."""
    for record in facts.records.values():
        numbers = [attempt[0] for attempt in record.attempts]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Violation("numbering", record.id, f"its attempts are numbered {numbers}")
        yield from _acted(facts, record)
        docs = facts.docs_between(record.job, 0, facts.end_ms)
        most = max((doc["retry"]["max_attempts"] for doc in docs if doc), default=0)
        if len(numbers) > most:
            yield Violation(
                "numbering", record.id, f"it has {len(numbers)} attempts where {most} are allowed"
            )


def _acted(facts: Facts, record: Record) -> Iterator[Violation]:
    seen = {effect.attempt for effect in facts.effects.get(record.id, [])}
    recorded = {attempt[0] for attempt in record.attempts}
    without = {attempt[0] for attempt in record.attempts if attempt[3] not in ("lost", "cancelled")} - seen
    if without:
        yield Violation("made up", record.id, f"attempts {sorted(without)} are on record and never acted")
    if record.is_final and record.status != "CANCELLED" and seen - recorded:
        yield Violation(
            "unrecorded", record.id, f"attempts {sorted(seen - recorded)} acted and are not on record"
        )


def lost_workers_were_lost(facts: Facts) -> Iterator[Violation]:
    """A run is only given up if its workers died, stood still, or met failures."""
    for record in facts.records.values():
        outcomes = [attempt[3] for attempt in record.attempts]
        if "lost" in outcomes and facts.is_calm:
            yield Violation("given up", record.id, "a worker is said to have died where none did")


def all_is_done(facts: Facts) -> Iterator[Violation]:
    """In the end nothing is under way that should be over, and no message is left over."""
    for record in facts.records.values():
        changed_ms = facts.history.changes[record.id][-1].at_ms
        if (
            not record.is_final
            and max(changed_ms, *(record.item.get(name) or 0 for name in UNTIL)) < facts.end_ms - STILL_MS
        ):
            yield Violation("stuck", record.id, f"it is {record.status} since {moment(changed_ms)}")
    for name, lane in facts.outcome.world.lanes.items():
        for stored in lane.messages:
            if stored.visible_ms < facts.end_ms - MINUTE:
                yield Violation("stuck", name, f"a message is left in the lane: {stored.body}")
            elif stored.receives > MOST_RECEIVES:
                yield Violation(
                    "stuck", name, f"a message was received {stored.receives} times: {stored.body}"
                )


def triggers_run(facts: Facts) -> Iterator[Violation]:
    """An accepted trigger is a run that acts, unless its job was deleted or it was cancelled."""
    for told in facts.told("trigger"):
        record = facts.records.get(str(told.details["id"]))
        if record is None:
            yield Violation(
                "trigger", told.job, f"the run {told.details['id']} that was promised is not there"
            )
        elif record.status in ("SUCCEEDED", "FAILED") and not _has_acted(facts, record):
            yield Violation("trigger", record.id, f"it is {record.status} and never acted")


def _has_acted(facts: Facts, record: Record) -> bool:
    """Or was given up, since its workers died."""
    return record.id in facts.effects or "lost" in [attempt[3] for attempt in record.attempts]


def callbacks_count(facts: Facts) -> Iterator[Violation]:
    """What an accepted callback said of an attempt is on record, and stays so."""
    for told in facts.told("callback"):
        record = facts.records[str(told.details["run"])]
        said, number = told.details["verdict"], told.details["attempt"]
        outcomes = [attempt[3] for attempt in record.attempts if attempt[0] == number]
        if outcomes != [said]:
            yield Violation(
                "callback", record.id, f"attempt {number} has {said}, and its record says {outcomes}"
            )


def followed_work_is_what_became_of_it(facts: Facts) -> Iterator[Violation]:
    """An attempt whose work was followed ended like that work; and work that nobody wants any more was stopped."""
    for name, work in facts.outcome.world.elsewhere.works.items():
        run, _, number = name.rpartition("-")
        record = facts.records[run]
        known = [change for change in facts.history.changes[run] if name in str(change.after.get("handle"))]
        outcomes = [attempt for attempt in record.attempts if attempt[0] == int(number) and attempt[2]]
        if not known or not outcomes:
            continue
        _, _, finished_ms, outcome, error, *_ = outcomes[0]
        is_over = work.until_ms <= finished_ms + SKEW_MS and work.stopped_ms is None
        said = (error or {}).get("message", "")
        if outcome == "succeeded" and not (is_over and work.is_good):
            yield Violation("followed", run, f"{name} has succeeded, and its work {work}")
        elif outcome == "failed" and not (is_over and not work.is_good):
            yield Violation("followed", run, f"{name} has failed, and its work {work}: {said}")
        is_known = work.stopped_ms or is_over or "could not be stopped" in said
        if outcome == "timed_out" and not is_known:
            yield Violation("followed", run, f"{name} has timed out, and its work goes on: {work}")
        elif outcome == "cancelled" and not (is_known or _was_given_up(facts, run)):
            yield Violation("followed", run, f"{name} is cancelled, and its work goes on: {work}")


def _was_given_up(facts: Facts, run: str) -> bool:
    """Whether no worker could see to its end: its message was received too often."""
    return facts.history.changes[run][-1].by.kind == "dead"


def requests_count_once(facts: Facts) -> Iterator[Violation]:
    """However often a request with a key was sent, it made one thing."""
    names = Counter(
        versions[0].doc["name"] for versions in facts.history.versions.values() if versions[0].doc
    )
    for name, number in names.items():
        if number > 1:
            yield Violation("doubled request", name, f"one request has created {number} jobs")
    for job, records in facts.by_job.items():
        triggered = sum(record.trigger == "manual" for record in records)
        if triggered > facts.history.asked[job, "trigger"]:
            yield Violation("doubled request", job, f"it has {triggered} runs of fewer triggers")


def answers_hold(facts: Facts) -> Iterator[Violation]:
    """A revision that a user was told of was saved, before the answer."""
    for told in facts.history.told:
        revision = told.details.get("revision")
        if revision is None or told.kind == "calendar":
            continue
        saved = [v.at_ms for v in facts.history.versions[told.job] if v.doc and v.doc["revision"] == revision]
        if not saved or saved[0] > told.at_ms:
            yield Violation("answer", told.job, f"revision {revision} was promised and is not there")


def nothing_surprises(facts: Facts) -> Iterator[Violation]:
    """No function ends with an exception that it did not mean."""
    for process in facts.history.processes:
        if process.surprise is not None:
            kind = type(process.surprise).__name__
            yield Violation("surprise", str(process), f"{kind}: {process.surprise}")


def slots_are_free(facts: Facts) -> Iterator[Violation]:
    """In the end no run that is over holds a slot or a place."""
    for (pk, sk), item in facts.outcome.world.db.runs.items.items():
        if not pk.endswith("#slots") or int(item.get("until_ms", 0)) < facts.end_ms:
            continue
        record = facts.records.get(str(item.get("run")))
        if record is None:
            if "run" in item and int(item["until_ms"]) > facts.end_ms + MINUTE:
                yield Violation("leaked slot", pk.split("#")[1], f"{sk} is held by a run that has no record")
            continue
        changed_ms = facts.history.changes[record.id][-1].at_ms
        if record.is_final and changed_ms < facts.end_ms - MINUTE:
            yield Violation(
                "leaked slot", pk.split("#")[1], f"{sk} is held by {record.id}, which is {record.status}"
            )


def timers_live_and_die(facts: Facts) -> Iterator[Violation]:
    """In the end no timer lies in the past, and those of a job that are due soon are of its present revision."""
    now = {
        job: versions[-1].doc["schedule_revision"] if versions[-1].doc else None
        for job, versions in facts.history.versions.items()
    }
    for pk, sk in facts.outcome.world.db.timers.items:
        if not pk.startswith("shard#"):
            continue
        due, _, subject, revision = sk.split("#")
        if int(due) < facts.end_ms - 2 * MINUTE:
            yield Violation("timer", subject, f"its timer of {moment(int(due))} is still there")
        elif subject.startswith("job_") and int(due) < facts.end_ms and now.get(subject) != int(revision):
            yield Violation(
                "ghost timer", subject, f"a timer of revision {revision} is due, it has {now.get(subject)}"
            )
