"""Output of attempts: small in the result, large in a file, and what was stored on the run's record."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, StoredOutput, Succeeded, Waiting
from chalicelib.domain.run import Attempt, Run, RunStatus
from chalicelib.engine.ledger.settle import settle
from chalicelib.engine.records import decode_attempts, encode_attempts
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import Call, ExecutorSettings, Means
from chalicelib.executors.outputs import MAX_FILES, MAX_INLINE_BYTES, Noted, captured
from chalicelib.executors.registry import contained
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.contact import Contact
from chalicelib.ports.outputs import OutputTooLarge
from tests.support.calls import call_of
from tests.support.doubles import MemoryOutputs
from tests.support.memory import FakeClock
from tests.support.world import NOON, TENANT

FILE = StoredOutput("a.csv", 3, "ab12", "text/csv", "1.2")
RUN = Run(
    "run_1",
    TENANT,
    "job_1",
    RunStatus.RUNNING,
    "manual",
    NOON,
    NOON,
    1,
    attempt=1,
    started_ms=NOON,
    callback_by_ms=NOON + 1000,
)


def call_with(outputs: Any) -> Call:
    return call_of("dummy", {}, clock=FakeClock(), outputs=outputs)


@pytest.mark.parametrize(
    ("chunks", "shown", "why"),
    [
        ([], {"text": ""}, "nothing"),
        (["grü".encode(), b"n\x00"], {"text": "grün\x00"}, "text"),
        ([b"\xff\x00"], {"base64": "/wA="}, "what is no UTF-8"),
        ([b"x" * 4, b"y" * 4], {"text": "xxxxyyyy"}, "just as much as may be"),
    ],
)
def test_small_output_is_shown_in_the_result(chunks: list[bytes], shown: dict[str, Any], why: str) -> None:
    outputs = MemoryOutputs()
    assert captured(call_with(outputs), "a", chunks, "text/plain", inline_limit=8) == shown, why
    assert outputs.files == {}


def test_larger_output_becomes_a_file_that_the_result_names() -> None:
    outputs = MemoryOutputs()
    shown = captured(call_with(outputs), "a.txt", (b"x" * 5 for _ in range(2)), "text/plain", inline_limit=8)
    digest = hashlib.sha256(b"x" * 10).hexdigest()
    assert shown == {"output": "a.txt", "bytes": 10, "sha256": digest, "media_type": "text/plain"}
    assert outputs.files == {"a.txt": b"x" * 10}


def test_no_more_than_a_result_can_hold_is_shown_in_it_whatever_is_asked() -> None:
    shown = captured(call_with(MemoryOutputs()), "a", [b"x" * (MAX_INLINE_BYTES + 1)], "text/plain", 10**9)
    assert shown["output"] == "a"


def test_large_output_is_not_gathered_in_memory() -> None:
    read = 0

    def chunks() -> Iterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 10

    with pytest.raises(OutputTooLarge):
        captured(call_with(MemoryOutputs(max_bytes=50)), "a", chunks(), "text/plain", inline_limit=8)
    assert read < 10


def test_files_are_noted_once_for_each_name_and_not_beyond_twenty() -> None:
    noted = Noted(MemoryOutputs())
    for content in (b"a", b"bc"):
        noted.store("same", [content], "text/plain")
    assert [(each.name, each.bytes) for each in noted.files] == [("same", 2)]
    for number in range(MAX_FILES - 1):
        noted.store(str(number), [b""], "text/plain")
    with pytest.raises(ValueError, match="at most 20 files"):
        noted.store("one more", [b""], "text/plain")


def test_what_an_attempt_has_stored_is_in_its_outcome_also_if_it_fails() -> None:
    outputs = MemoryOutputs()
    fields = {"name": "n", "type": "dummy", "id": "job_1", "tenant": TENANT, "shard": 0}
    stamps = {"created_ms": NOON, "updated_ms": NOON}
    for outcome, expected in (("success", Succeeded), ("failure", Failed)):
        config = {"outcome": outcome, "file_bytes": 7}
        job = Job.model_validate({**fields, **stamps, "schedule": {"kind": "manual"}, "config": config})
        made = attempts(FakeClock(), ExecutorSettings(), means=Means(outputs=lambda *_: outputs))
        ended = made(job, replace(RUN, callback_by_ms=None), 1e12, Contact())
        assert isinstance(ended, expected)
        assert [(each.name, each.bytes) for each in ended.outputs] == [("dummy.bin", 7)]


def test_files_survive_storage_and_attempts_without_any_take_no_more_room() -> None:
    plain = Attempt(1, NOON, NOON + 1, "succeeded", None, {"a": 1})
    with_files = Attempt(2, NOON, NOON + 1, "failed", {"kind": "unknown", "message": "no"}, None, (FILE,))
    stored = encode_attempts((plain, with_files))
    assert decode_attempts(stored) == (plain, with_files)
    assert encode_attempts((plain,)) == f'[[1,{NOON},{NOON + 1},"succeeded",null,{{"a":1}}]]'


def settled(run: Run, outcome: Outcome) -> Run:
    policy = Job.model_fields["retry"].get_default(call_default_factory=True)
    return settle(run, outcome, policy, now_ms=NOON + 500, fraction=0.5)


@pytest.mark.parametrize(
    "outcome",
    [Succeeded({}, (FILE,)), Failed("unknown", "no", outputs=(FILE,)), Waiting({}, (FILE,))],
    ids=["succeeded", "failed", "waiting"],
)
def test_the_record_of_an_attempt_names_its_files(outcome: Outcome) -> None:
    assert settled(RUN, outcome).attempts[-1].outputs == (FILE,)


def test_a_callback_keeps_the_files_of_what_was_accepted() -> None:
    [attempt] = settled(settled(RUN, Waiting({"a": 1}, (FILE,))), Succeeded({"callback": 1})).attempts
    assert (attempt.outputs, attempt.result) == ((FILE,), {"accepted": {"a": 1}, "callback": 1})


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (OutputTooLarge("a", 5), Failed("output", OutputTooLarge("a", 5).message, retryable=False)),
        (
            CloudError("Throttling", "S3 is busy.", status=503, retryable=True),
            Failed("cloud", "S3 is busy.", status=503, retryable=True),
        ),
        (Unavailable("S3 did not answer."), Failed("unknown", "S3 did not answer.")),
    ],
    ids=["too large", "cloud", "unavailable"],
)
def test_what_the_ports_of_a_call_raise_becomes_a_failure_of_its_kind(
    error: Exception, failed: Failed
) -> None:
    def execute(_call: Call) -> Outcome:
        raise error

    assert contained(execute)(call_with(MemoryOutputs())) == failed
