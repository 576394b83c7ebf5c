"""What the auditor decides by the record of a run, and how it reads the records."""

from typing import Any

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.audit.audit_page import (
    DENSE,
    SPARSE_FACTOR,
    AtGate,
    Leased,
    Lost,
    is_over,
    reads_of,
    verdict,
)
from chalicelib.engine.message import RunMessage
from chalicelib.engine.records import encode_run, run_key
from chalicelib.engine.ringing.journal import (
    GRACE_MS,
    PAGE_MESSAGES,
    SPREAD_FROM,
    decode_page,
    encode_pages,
    grace_ms,
)
from tests.support.jobs import some_job
from tests.support.world import NOON

JOB: Job = some_job()
NOW, HORIZON = NOON + 130_000, 120_000
S = RunStatus


def message(nominal_ms: int = NOON, **fields: Any) -> RunMessage:
    values = {"due_ms": nominal_ms, "schedule_revision": JOB.schedule_revision, **fields}
    return RunMessage(
        tenant=JOB.tenant, job_id=JOB.id, run_id=run_id(JOB.id, nominal_ms), nominal_ms=nominal_ms, **values
    )


def run(status: RunStatus, **fields: Any) -> Run:
    values = {"attempt": 1, "starts": 1, "fence": 1, "owner": "w" if status is S.RUNNING else "", **fields}
    return Run(
        id=run_id(JOB.id, NOON),
        tenant=JOB.tenant,
        job_id=JOB.id,
        status=status,
        trigger="schedule",
        nominal_ms=NOON,
        due_ms=NOON,
        schedule_revision=values.pop("schedule_revision", JOB.schedule_revision),
        **values,
    )


VANISHED, STALLED = Lost("vanished"), Lost("stalled")


@pytest.mark.parametrize(
    ("existing", "sent", "expected", "why"),
    [
        (None, {}, VANISHED, "nobody began it"),
        (run(S.SUCCEEDED), {}, None, "it is over"),
        (run(S.CANCELLED, attempt=0), {}, None, "it is over before it began"),
        (run(S.SKIPPED, attempt=0, skip_reason="overlap"), {}, None, "it has its reason"),
        (
            run(S.SKIPPED, attempt=0, skip_reason="superseded", schedule_revision=0),
            {},
            VANISHED,
            "the present revision of the schedule revives it",
        ),
        (run(S.PENDING, attempt=0), {}, VANISHED, "a trigger whose message is gone"),
        (run(S.PENDING, attempt=0, looked_ms=NOON), {}, None, "it was put off when it came"),
        (
            run(S.PENDING, attempt=0, looked_ms=NOON - 1),
            {},
            VANISHED,
            "it was put off, and has not come since",
        ),
        (
            run(S.PENDING, attempt=0, retry_ms=NOW + 1),
            {},
            Leased(NOW + 1),
            "a rate has put it off, and rung it itself",
        ),
        (
            run(S.PENDING, attempt=0, retry_ms=NOW + HORIZON),
            {},
            None,
            "a rate has put it off, and set a timer",
        ),
        (run(S.PENDING, attempt=0, retry_ms=NOW - 1), {}, VANISHED, "its moment has passed"),
        (
            run(S.PENDING, attempt=0, looked_ms=NOON + 9),
            {"not_before_ms": NOON + 10},
            VANISHED,
            "it was put off before this message was to come",
        ),
        (run(S.PENDING, attempt=0, waits="tenant#wait#1"), {}, AtGate(), "nobody would miss the gate's call"),
        (run(S.RETRYING, waits="tenant#wait#1"), {"attempt": 2}, AtGate(), "likewise between attempts"),
        (run(S.RETRYING), {}, None, "the attempt is over, and the next has a timer"),
        (run(S.RETRYING), {"attempt": 2}, VANISHED, "the second attempt has not begun"),
        (run(S.RETRYING, looked_ms=NOON + 5), {"attempt": 2}, None, "it waits for its slot"),
        (run(S.WAITING, lease_ms=NOW, looked_ms=NOON + 5), {}, None, "a timer looks after its callback"),
        (run(S.WAITING, lease_ms=NOW - 1, looked_ms=NOON - 1), {}, VANISHED, "nobody says it is overdue"),
        (
            run(S.WAITING, lease_ms=NOW - 1, looked_ms=NOON + 5),
            {},
            VANISHED,
            "it was overdue when it began to wait",
        ),
        (run(S.WAITING, lease_ms=NOW, looked_ms=NOON - 1), {}, VANISHED, "nobody has looked at it since"),
        (run(S.WAITING, lease_ms=NOW, attempt=2), {}, None, "an older message of one that waits"),
        (run(S.RUNNING, lease_ms=NOW), {}, Leased(NOW + 1), "somebody works on it"),
        (run(S.RUNNING, lease_ms=NOW - 1), {}, STALLED, "its worker is dead"),
        (run(S.RUNNING, lease_ms=NOW - 1, attempt=2), {}, None, "an older message"),
        (run(S.RUNNING, lease_ms=NOW - 1, cancel_ms=NOON), {}, STALLED, "somebody must write down its end"),
    ],
)
def test_the_record_tells_what_became_of_a_message(
    existing: Run | None, sent: dict[str, Any], expected: object, why: str
) -> None:
    assert verdict(JOB, existing, message(**sent), now_ms=NOW, horizon_ms=HORIZON) == expected, why


@pytest.mark.parametrize("status", RunStatus)
def test_what_is_over_by_its_status_is_over_by_the_verdict(status: RunStatus) -> None:
    record = encode_run(run(status, lease_ms=0), expires_at=0)
    assert not is_over(None)
    if is_over(record):
        assert verdict(JOB, run(status), message(), now_ms=NOW, horizon_ms=HORIZON) is None
    else:
        assert status in (S.PENDING, S.RUNNING, S.WAITING, S.RETRYING, S.SKIPPED)


def test_records_that_lie_close_together_are_read_as_a_range_and_the_others_by_their_keys() -> None:
    close = [("local#03", run_id(f"job_{number}", NOON)) for number in range(DENSE)]
    alone = [("local#03", run_id("job", NOON + 3_600_000)), ("local#04", run_id("job", NOON))]
    [read], keys = reads_of([*close, *alone])
    assert sorted(keys) == sorted(alone)
    assert (read.pk, read.wanted) == ("local#03", tuple(sorted(sk for _, sk in close)))
    assert read.limit == DENSE * SPARSE_FACTOR


def test_a_range_that_is_less_dense_than_it_seemed_is_finished_by_keys() -> None:
    [read], _ = reads_of(("local#03", run_id(f"job_{number}", NOON)) for number in range(DENSE))
    assert read.beyond(None) == []
    assert read.beyond(read.wanted[3]) == [("local#03", sk) for sk in read.wanted[4:]]


def test_a_few_messages_share_one_page_unless_the_first_would_wait_long_for_the_last() -> None:
    together = [message(NOON + second * 1000) for second in (59, 60, 119, 130)]
    assert len(encode_pages(together, now_ms=NOON, nonce=b"12345678")) == 1
    assert len(encode_pages([*together, message(NOON - 1000)], now_ms=NOON, nonce=b"12345678")) == 2


def test_many_messages_lie_in_the_partition_of_their_records() -> None:
    many = [message(NOON + number) for number in range(SPREAD_FROM)]
    items = encode_pages(many, now_ms=NOON, nonce=b"12345678")
    for item in items:
        buckets = {run_key(each.tenant, each.run_id)[0] for each in decode_page(item).messages}
        assert len(buckets) <= 2
    assert {each for item in items for each in decode_page(item).messages} == set(many)
    assert len({(item["pk"], item["sk"]) for item in items}) == len(items)


def test_no_page_is_larger_than_an_item_may_be() -> None:
    many = [message(NOON + number) for number in range(3 * PAGE_MESSAGES * 8)]
    for item in encode_pages(many, now_ms=NOON, nonce=b"12345678"):
        assert isinstance(item["messages"], bytes)
        assert len(item["messages"]) < 100_000


@pytest.mark.parametrize(
    ("due_ms", "later", "expected", "why"),
    [
        (NOON - 5000, {}, NOON + GRACE_MS, "what is late gets its time from now on"),
        (NOON + 5000, {}, NOON + 5000 + GRACE_MS, "what is to come from its moment on"),
        (NOON - 5000, {"look_round": 2}, NOON + 4 * GRACE_MS, "each look waits twice as long"),
        (NOON - 5000, {"not_before_ms": NOON + 90_000}, NOON + 90_000 + GRACE_MS, "a lease is waited for"),
    ],
)
def test_a_page_lies_at_the_moment_of_its_look(
    due_ms: int, later: dict[str, int], expected: int, why: str
) -> None:
    [item] = encode_pages([message(NOON, due_ms=due_ms)], now_ms=NOON, nonce=b"12345678", **later)
    page = decode_page(item)
    assert (page.look_ms, page.round) == (expected, later.get("look_round", 0)), why
    assert int(item["expires_at"]) * 1000 > page.look_ms


def test_the_distance_of_looks_has_a_bound() -> None:
    assert grace_ms(100) == grace_ms(7) == 128 * GRACE_MS
