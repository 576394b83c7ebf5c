"""Dummy jobs: each does as it is told, in no real time."""

from typing import Any

import pytest

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.progress import Progress
from tests.support.calls import call_of, perform
from tests.support.doubles import MemoryJobState, MemoryOutputs
from tests.support.memory import FakeClock


def _outcome(config: dict[str, Any], **of_call: Any) -> Outcome:
    return perform(call_of("dummy", config, clock=FakeClock(), **of_call), "dummy")


def test_a_dummy_succeeds_with_its_output() -> None:
    assert _outcome({"output": {"rows": [1, 2]}}) == Succeeded({"output": {"rows": [1, 2]}})


def test_a_dummy_fails_with_its_kind() -> None:
    failed = _outcome({"outcome": "failure", "error_kind": "database"})
    assert isinstance(failed, Failed)
    assert failed.kind == "database"


def test_a_dummy_takes_its_time() -> None:
    clock = FakeClock()
    assert isinstance(perform(call_of("dummy", {"duration_seconds": 3}, clock=clock), "dummy"), Succeeded)
    assert sum(clock.slept) == 3


def test_a_dummy_that_would_take_too_long_times_out_at_the_deadline() -> None:
    clock = FakeClock()
    failed = perform(call_of("dummy", {"duration_seconds": 900}, seconds=2, clock=clock), "dummy")
    assert isinstance(failed, Failed)
    assert failed.kind == "timeout"
    assert sum(clock.slept) == pytest.approx(2)


def test_a_dummy_that_is_to_stop_does_so_at_its_next_nap() -> None:
    clock = FakeClock()
    call = call_of("dummy", {"duration_seconds": 60}, seconds=90, clock=clock)
    call.stop.want()
    assert isinstance(perform(call, "dummy"), Failed)
    assert clock.slept == []


def test_the_first_attempts_fail_and_the_next_succeeds() -> None:
    kinds = [type(_outcome({"fail_attempts": 2}, attempt=attempt)) for attempt in (1, 2, 3, 4)]
    assert kinds == [Failed, Failed, Succeeded, Succeeded]


def test_a_failure_rate_chooses_the_same_attempts_every_time() -> None:
    def round_of() -> list[type]:
        return [type(_outcome({"failure_rate": 0.3}, run_id=f"run_{number}")) for number in range(1000)]

    first = round_of()
    assert first == round_of()
    assert first.count(Failed) == pytest.approx(300, abs=50)


def test_another_attempt_has_another_chance() -> None:
    assert {type(_outcome({"failure_rate": 0.5}, attempt=attempt)) for attempt in range(1, 20)} == {
        Failed,
        Succeeded,
    }


@pytest.mark.parametrize(
    ("rate", "expected"), [(0, Succeeded), (1, Failed)], ids=["never fails", "always fails"]
)
def test_the_ends_of_the_failure_rate_are_certain(rate: float, expected: type) -> None:
    assert {type(_outcome({"failure_rate": rate}, run_id=f"run_{number}")) for number in range(50)} == {
        expected
    }


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"duration_seconds": 900.1}, "longer than a worker lives"),
        ({"duration_seconds": -1}, "negative"),
        ({"duration_seconds": float("nan")}, "not a number"),
        ({"failure_rate": 1.1}, "over 1"),
        ({"fail_attempts": -1}, "negative"),
        ({"outcome": "maybe"}, "unknown outcome"),
        ({"error_kind": "sadness"}, "a kind that no retry policy knows"),
        ({"output": "x" * 4097}, "too large"),
        ({"output": float("inf")}, "JSON has no infinity"),
        ({"surprise": 1}, "unknown field"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError):
        call_of("dummy", config)


def test_a_dummy_reports_how_much_of_its_time_has_passed() -> None:
    clock = FakeClock()
    call = call_of("dummy", {"duration_seconds": 4, "report_progress": True}, clock=clock)
    assert isinstance(perform(call, "dummy"), Succeeded)
    assert call.stop.latest == Progress(93.8, clock.now_ms() - 250, "3.8 s have passed.")


def test_a_dummy_that_is_not_told_to_reports_nothing() -> None:
    call = call_of("dummy", {"duration_seconds": 4}, clock=FakeClock())
    perform(call, "dummy")
    assert call.stop.latest is None


def test_a_dummy_stores_a_file_of_the_size_that_it_is_told() -> None:
    outputs = MemoryOutputs()
    perform(call_of("dummy", {"file_bytes": 70_000}, clock=FakeClock(), outputs=outputs), "dummy")
    assert outputs.files == {"dummy.bin": bytes(70_000)}


def test_a_dummy_counts_its_runs_in_the_state_of_its_job() -> None:
    state = MemoryJobState({"other": 1})
    for _ in range(2):
        perform(call_of("dummy", {"count_runs": True}, clock=FakeClock(), state=state), "dummy")
    assert state.document == {"other": 1, "runs": 2}


def test_a_dummy_tells_as_many_lines_as_it_is_told() -> None:
    call = call_of("dummy", {"log_lines": 2}, clock=FakeClock())
    perform(call, "dummy")
    assert [(line.message, line.fields) for line in call.log.drain()] == [
        ("Line 1 of 2.", {"number": 1}),
        ("Line 2 of 2.", {"number": 2}),
    ]
