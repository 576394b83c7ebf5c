"""What the script executor sends to the sandbox, and what it makes of the answers."""

import json
from base64 import b64encode
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.script.spec import Config
from chalicelib.ports.run_log import RunLog
from chalicelib.ports.sandbox import SandboxError
from chalicelib.ports.stop import Stop
from tests.support.calls import RUN_ID, call_of, perform


class Told:
    """A sandbox that answers as it is told, and keeps what it was asked."""

    def __init__(self, answer: dict[str, Any] | SandboxError) -> None:
        self._answer = answer
        self.owner, self.event, self.seconds = "", {}, 0.0  # type: tuple[str, dict[str, Any], float]

    def run(self, owner: str, event: dict[str, Any], seconds: float, _stop: Stop) -> dict[str, Any]:
        self.owner, self.event, self.seconds = owner, event, seconds
        if isinstance(self._answer, SandboxError):
            raise self._answer
        return self._answer


def answer(stdout: bytes = b"", stderr: bytes = b"", **given: Any) -> dict[str, Any]:
    sizes = {"stdout_bytes": len(stdout), "stderr_bytes": len(stderr)}
    texts = {"stdout": b64encode(stdout).decode(), "stderr": b64encode(stderr).decode()}
    return {"ended": "exit", "code": 0, "seconds": 1.25, "cpu_seconds": 0.5, **texts, **sizes, **given}


def run(told: dict[str, Any] | SandboxError, **given: Any) -> Outcome:
    config = {"script": "true", **given.pop("config", {})}
    return perform(call_of("script", config, sandbox=Told(told), **given), "script")


def test_a_script_gets_its_run_in_its_environment_and_the_time_that_is_left_less_a_reserve() -> None:
    sandbox = Told(answer())
    call = call_of(
        "script", {"script": "true", "environment": {"A": "b"}}, sandbox=sandbox, seconds=30, attempt=2
    )
    assert perform(call, "script") == Succeeded(
        {
            "duration_ms": 1250,
            "exit_code": 0,
            "stdout": "",
            "stdout_bytes": 0,
            "stderr": "",
            "stderr_bytes": 0,
        }
    )
    assert sandbox.owner == f"{call.tenant}/{call.job_id}", "no two jobs share an environment"
    assert sandbox.event["environment"] == {
        "A": "b",
        "RUN_ID": RUN_ID,
        "JOB_ID": call.job_id,
        "ATTEMPT": "2",
        "SCHEDULED_AT": "2026-05-01T12:00:00Z",
    }
    assert 27 < sandbox.event["seconds"] < sandbox.seconds - 2


ENDS = [
    ({"code": 3}, {}, "script_exit", 3, "a code that is not expected"),
    ({"code": 0}, {"expected_exit_codes": [3]}, "script_exit", 0, "nor is zero, if it is not among them"),
    ({"ended": "signal", "code": 9}, {}, "script_killed", None, "the kernel ended it"),
    ({"ended": "signal", "code": 200}, {}, "script_killed", None, "by a signal without a name"),
    ({"ended": "output", "code": 9}, {}, "script_killed", None, "it wrote too much"),
    ({"ended": "time", "code": 0}, {}, "timeout", None, "its time was up, whatever it made of that"),
]


@pytest.mark.parametrize(("told", "config", "kind", "status", "why"), ENDS, ids=[why for *_, why in ENDS])
def test_an_end_that_is_no_success_has_its_kind(
    told: dict[str, Any], config: dict[str, Any], kind: str, status: int | None, why: str
) -> None:
    outcome = run(answer(b"out", b"err", **told), config=config)
    assert isinstance(outcome, Failed), why
    assert (outcome.kind, outcome.status) == (kind, status), why
    assert outcome.result is not None
    assert (outcome.result["stdout"], outcome.result["stderr"]) == ("out", "err"), (
        "its output is told all the same"
    )


def test_an_expected_code_is_a_success() -> None:
    outcome = run(answer(code=3), config={"expected_exit_codes": [0, 3]})
    assert isinstance(outcome, Succeeded)
    assert outcome.result["exit_code"] == 3


LOST = [
    (SandboxError("timeout", "late"), "timeout", True),
    (SandboxError("stopped", "cancelled", retryable=False), "timeout", False),
    (SandboxError("died", "gone"), "script_killed", True),
    (SandboxError("busy", "no place"), "cloud", True),
    (SandboxError("refused", "no", retryable=False), "cloud", False),
    (SandboxError("connection", "cut"), "cloud", True),
]


@pytest.mark.parametrize(("error", "kind", "retryable"), LOST, ids=[error.code for error, *_ in LOST])
def test_a_sandbox_that_does_not_answer_is_a_failure(error: SandboxError, kind: str, retryable: bool) -> None:
    assert run(error) == Failed(kind, error.message, retryable=retryable)


def test_a_sandbox_that_cannot_keep_a_script_apart_does_not_run_it_and_is_not_asked_again() -> None:
    outcome = run({"refused": "There is no node in the sandbox."})
    assert outcome == Failed(
        "cloud", "The sandbox does not run it. There is no node in the sandbox.", retryable=False
    )


def test_without_time_it_is_not_begun() -> None:
    sandbox = Told(answer())
    outcome = perform(call_of("script", {"script": "true"}, sandbox=sandbox, seconds=2.6), "script")
    assert isinstance(outcome, Failed)
    assert (outcome.kind, sandbox.event) == ("timeout", {})


def test_its_lines_are_the_attempts_log() -> None:
    log = RunLog()
    run(answer(b"one\ntwo\n", b"three\n"), log=log)
    assert [(line.level, line.message, line.fields) for line in log.drain()] == [
        ("info", "one", {"stream": "stdout"}),
        ("info", "two", {"stream": "stdout"}),
        ("warning", "three", {"stream": "stderr"}),
    ]


@pytest.mark.parametrize("byte", [b"x", b"\x01", b'"', "é".encode(), b"\xff", "\U0001f600".encode()])
def test_the_results_part_of_an_output_is_small_whatever_it_is(byte: bytes) -> None:
    outcome = run(answer(byte * 100_000))
    assert isinstance(outcome, Succeeded)
    assert outcome.result["stdout_truncated"] is True
    assert 2_000 < len(json.dumps(outcome.result, ensure_ascii=False).encode()) < 5_000


REFUSED = [
    ({"script": ""}, "nothing to do"),
    ({"script": "x" * 65_537}, "too long"),
    ({"script": "é" * 40_000}, "too long in bytes"),
    ({"script": "a\0b"}, "no program can be given that"),
    ({"script": "true", "arguments": ["a\0b"]}, "nor that"),
    ({"script": "true", "environment": {"a=b": ""}}, "no name of a variable"),
    ({"script": "true", "environment": {"PATH": "/x"}}, "the sandbox's own"),
    ({"script": "true", "environment": {"RUN_ID": "x"}}, "Chronos's own"),
    ({"script": "true", "expected_exit_codes": []}, "nothing would be a success"),
    ({"script": "true", "expected_exit_codes": [256]}, "no exit code"),
    ({"script": "true", "memory_mb": 5000}, "more than there is"),
    ({"script": "true", "language": "perl"}, "not offered"),
]


@pytest.mark.parametrize(("config", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_a_config_that_cannot_be_carried_out_is_refused(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(config)
