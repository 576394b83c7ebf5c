"""The auditor: looks at the journal's pages when all of it should be on record, and rings again what is not.

Where it got to is a sort key for each partition of the journal: pages before it are done with. A page that is looked at
twice rings twice at worst, which the runs' records make harmless.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.job import Job
from chalicelib.domain.run import Run
from chalicelib.engine.audit.audit_page import AtGate, Leased, Lost, RangeRead, is_over, reads_of, verdict
from chalicelib.engine.audit.findings import Finding, report
from chalicelib.engine.core import Engine
from chalicelib.engine.message import RunMessage
from chalicelib.engine.records import decode_job, decode_run, job_key, run_key
from chalicelib.engine.ringing.floor import end_restored, read_floor
from chalicelib.engine.ringing.journal import (
    SPAN_MS,
    JournalPage,
    decode_page,
    encode_pages,
    journal_partition,
)
from chalicelib.engine.ringing.ring import ring_all
from chalicelib.engine.wheel.plan import Ring
from chalicelib.engine.wheel.timers import due_bound
from chalicelib.ports.table import Item, Key, Page

_JUST_AFTER = " "
"""Appended to a sort key: before every other key that sorts after it."""
PAGES = 20
"""Pages that are looked at together: at most 20,000 messages."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A part of a partition's pages: those before the sort key `until` are done with. `found`: how many findings."""

    until: str
    found: int


def audit(engine: Engine, partition: int, since: str, *, deadline: float) -> Iterator[Looked]:
    """Look at the pages of a partition whose moment has come, from a sort key on, until `deadline` (monotonic seconds).

    Unavailable may be raised: what was not yielded is to be looked at again.
    """
    pk, high = journal_partition(partition), due_bound(engine.clock.now_ms())
    while since < high and engine.clock.monotonic() < deadline:
        page = engine.db.timers.query(pk, low=since, high=high, limit=PAGES)
        found = _look_at(engine, page.items)
        since = high if page.next is None else page.next + _JUST_AFTER
        yield Looked(since, found)


def _look_at(engine: Engine, items: Sequence[Item]) -> int:
    """Look at some pages: how many findings there were."""
    pages, findings = _readable(items)
    rounds: dict[RunMessage, int] = {}
    for page in pages:
        rounds |= {message: max(page.round, rounds.get(message, 0)) for message in page.messages}
    records = _records(engine, rounds)
    open_ = [message for message in rounds if not is_over(records.get(_key(message)))]
    if open_:
        findings += _follow_up(engine, {message: rounds[message] for message in open_}, records)
    report(engine, findings)
    return len(findings)


def _readable(items: Iterable[Item]) -> tuple[list[JournalPage], list[Finding]]:
    pages, findings = [], []
    for item in items:
        where = "/".join(str(item[name]) for name in ("pk", "sk"))
        try:
            pages.append(decode_page(item))
        except (ValueError, KeyError) as error:
            findings.append(Finding("", "page.unreadable", where, {"error": type(error).__name__}))
        else:
            if pages[-1].unreadable:
                told = {"messages": pages[-1].unreadable}
                findings.append(Finding("", "page.unreadable", where, told))
    return pages, findings


def _key(message: RunMessage) -> Key:
    return run_key(message.tenant, message.run_id)


def _records(engine: Engine, messages: Iterable[RunMessage]) -> dict[Key, Item]:
    """The runs' records, those that there are."""
    ranges, keys = reads_of({_key(message) for message in messages})

    def read(each: RangeRead) -> Page:
        low, high = each.wanted[0], each.wanted[-1] + "~"
        return engine.db.runs.query(each.pk, low=low, high=high, limit=each.limit)

    records: dict[Key, Item] = {}
    for each, page in zip(ranges, engine.fan(read, ranges), strict=True):
        records |= {(each.pk, str(item["sk"])): item for item in page.items}
        keys += each.beyond(page.next)
    return records | (engine.db.runs.get_many(keys) if keys else {})


def _follow_up(
    engine: Engine, rounds: Mapping[RunMessage, int], records: Mapping[Key, Item]
) -> list[Finding]:
    """Decide about the messages whose runs are not simply over, and carry it out; what was lost."""
    jobs = _jobs(engine, rounds)
    now_ms = engine.clock.now_ms()
    lost: dict[RunMessage, Lost] = {}
    leased: dict[RunMessage, Leased] = {}
    queued: list[RunMessage] = []
    unreadable: list[Finding] = []
    for message in rounds:
        job = jobs.get(job_key(message.tenant, message.job_id))
        try:
            existing = _existing(records.get(_key(message)))
        except (KeyError, ValueError) as error:
            told = {"error": type(error).__name__}
            unreadable.append(Finding(message.tenant, "run.unreadable", message.run_id, told))
            continue
        match verdict(job, existing, message, now_ms=now_ms, horizon_ms=engine.settings.horizon_ms):
            case Lost() as found:
                lost[message] = found
            case Leased() as found:
                leased[message] = found
            case AtGate():
                queued.append(message)
    floor_ms = read_floor(engine) if lost else 0
    restored = [message for message in lost if message.at_ms < floor_ms]
    if restored:
        end_restored(engine, restored)
    lost = {message: found for message, found in lost.items() if message.at_ms >= floor_ms}
    _put_off(engine, leased, rounds, now_ms)
    for look_round, together in _by_round(queued, rounds):
        _note(engine, together, look_round + 1, now_ms)
    _ring_again(engine, lost, rounds, jobs, now_ms)
    return unreadable + [
        Finding(
            message.tenant,
            "run.rung_again",
            message.run_id,
            {"job_id": message.job_id, "cause": found.cause, "look": rounds[message] + 1},
        )
        for message, found in lost.items()
    ]


def _existing(record: Item | None) -> Run | None:
    return decode_run(record) if record else None


def _put_off(
    engine: Engine, leased: Mapping[RunMessage, Leased], rounds: Mapping[RunMessage, int], now_ms: int
) -> None:
    """What somebody works on comes onto new pages, for when the last of the leases is over."""
    spans: dict[int, list[RunMessage]] = {}
    for message, found in leased.items():
        spans.setdefault(found.until_ms // SPAN_MS, []).append(message)
    for span, messages in spans.items():
        for look_round, together in _by_round(messages, rounds):
            _note(engine, together, look_round, now_ms, (span + 1) * SPAN_MS)


def _ring_again(
    engine: Engine,
    lost: Iterable[RunMessage],
    rounds: Mapping[RunMessage, int],
    jobs: Mapping[Key, Job],
    now_ms: int,
) -> None:
    """Onto new pages first, then onto the lanes."""
    rings = []
    for look_round, together in _by_round(lost, rounds):
        _note(engine, together, look_round + 1, now_ms)
        for message in together:
            job = jobs.get(job_key(message.tenant, message.job_id))
            rings.append(Ring(engine.lane_of(job) if job else "fast", message))
    ring_all(engine.lanes, rings, now_ms=now_ms, lead_ms=engine.settings.lead_ms)


def _note(
    engine: Engine, messages: list[RunMessage], look_round: int, now_ms: int, not_before_ms: int = 0
) -> None:
    nonce = engine.ids.random_bytes(8)
    pages = encode_pages(
        messages, now_ms=now_ms, nonce=nonce, look_round=look_round, not_before_ms=not_before_ms
    )
    engine.db.timers.put_all(pages)


def _by_round(
    messages: Iterable[RunMessage], rounds: Mapping[RunMessage, int]
) -> Iterable[tuple[int, list[RunMessage]]]:
    found: dict[int, list[RunMessage]] = {}
    for message in messages:
        found.setdefault(rounds[message], []).append(message)
    return found.items()


def _jobs(engine: Engine, messages: Iterable[RunMessage]) -> dict[Key, Job]:
    """The jobs that can be read. For the others the worker decides."""
    jobs = {}
    keys = {job_key(message.tenant, message.job_id) for message in messages}
    for key, item in engine.db.catalog.get_many(keys).items():
        try:
            jobs[key] = decode_job(item)
        except ValueError as error:
            engine.telemetry.warning("A job cannot be read.", key=key, error=type(error).__name__)
    return jobs
