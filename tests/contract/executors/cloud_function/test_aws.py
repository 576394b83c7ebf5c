"""Lambda and Step Functions, as far as their answers can be scripted; the emulator has them for real (tests/e2e)."""

from base64 import b64decode, b64encode
from io import BytesIO
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.run_log import RunLog
from tests.support.calls import RUN_ID, call_of, perform
from tests.support.doubles import MemoryOutputs, ScriptedCloud

ROLE = "arn:aws:iam::123456789012:role/chronos-jobs"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:report"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:check"
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:check"


def lambda_call(
    answer: Any, seconds: float = 10, means: Any = None, **target: Any
) -> tuple[Outcome, ScriptedCloud]:
    cloud = ScriptedCloud().on("lambda", "invoke", answer)
    invoke = {"service": "lambda", "role_arn": ROLE, "function": FUNCTION, **target}
    call = call_of("cloud_function", {"invoke": invoke}, seconds=seconds, cloud=cloud, **(means or {}))
    return perform(call, "cloud_function"), cloud


def workflow(
    answer: Any, operation: str = "start_sync_execution", **target: Any
) -> tuple[Outcome, ScriptedCloud]:
    cloud = ScriptedCloud().on("stepfunctions", operation, answer)
    machine = {"state_machine": MACHINE, "wait": "answer"}
    invoke = {"service": "step_functions", "role_arn": ROLE, **machine, **target}
    return perform(call_of("cloud_function", {"invoke": invoke}, cloud=cloud), "cloud_function"), cloud


def said(payload: bytes, **more: Any) -> dict[str, Any]:
    return {"StatusCode": 200, "ExecutedVersion": "7", "Payload": BytesIO(payload), **more}


def test_a_functions_result_is_the_runs_and_its_log_is_told() -> None:
    log = RunLog()
    tail = b64encode("START\n\nhello ä\n".encode()).decode()
    outcome, cloud = lambda_call(said(b'{"rows": 3}', LogResult=tail), means={"log": log}, payload={"day": 1})
    assert outcome == Succeeded({"status": 200, "version": "7", "request_id": None, "answer": {"rows": 3}})
    [asked] = cloud.asked
    assert (asked.role_arn, asked.region) == (ROLE, "eu-west-1")
    assert asked.parameters["Payload"] == b'{"day":1}'
    assert RUN_ID in b64decode(asked.parameters["ClientContext"]).decode()
    assert [line.message for line in log.drain()] == ["START", "hello ä"]


def test_a_version_can_be_called() -> None:
    _, cloud = lambda_call(said(b"null"), qualifier="live")
    assert cloud.asked[0].parameters["Qualifier"] == "live"


def test_an_event_that_is_accepted_is_a_success() -> None:
    outcome, cloud = lambda_call({"StatusCode": 202, "ResponseMetadata": {"RequestId": "r"}}, wait="nothing")
    assert outcome == Succeeded({"status": 202, "request_id": "r"})
    assert cloud.asked[0].parameters["InvocationType"] == "Event"


def test_a_long_answer_is_kept_as_a_file() -> None:
    outputs = MemoryOutputs()
    outcome, _ = lambda_call(said(b'"' + b"x" * 50_000 + b'"'), means={"outputs": outputs})
    assert isinstance(outcome, Succeeded)
    assert (outcome.result["output"], outcome.result["bytes"]) == ("answer.json", 50_002)
    assert len(outputs.files["answer.json"]) == 50_002


def test_a_long_answer_is_cut_where_there_is_no_place_for_files() -> None:
    outcome, _ = lambda_call(said(b"x" * 50_000))
    assert isinstance(outcome, Succeeded)
    assert (outcome.result["truncated"], len(outcome.result["text"])) == (True, 4096)


def test_a_functions_own_error_is_a_failure_without_its_stack() -> None:
    error = b'{"errorType": "KeyError", "errorMessage": "no\\nday", "stackTrace": ["line 1", "line 2"]}'
    outcome, _ = lambda_call(said(error, FunctionError="Unhandled"))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("cloud", None)
    assert outcome.message == "The function failed with KeyError: no day"
    assert outcome.result is not None
    assert "stack_trace" not in outcome.result
    outcome, _ = lambda_call(said(error, FunctionError="Unhandled"), stack_trace=True)
    assert isinstance(outcome, Failed)
    assert outcome.result is not None
    assert outcome.result["stack_trace"] == ["line 1", "line 2"]


@pytest.mark.parametrize("payload", [b'"plain"', b"no json", b"[1]", b""])
def test_an_error_of_any_shape_is_told(payload: bytes) -> None:
    outcome, _ = lambda_call(said(payload, FunctionError="Handled"))
    assert isinstance(outcome, Failed)
    assert outcome.message.startswith("The function failed with Error: ")


@pytest.mark.parametrize(
    ("error", "kind", "retryable", "message", "why"),
    [
        (CloudError("ResourceNotFoundException", "No such function.", status=404), "cloud", False,
         "ResourceNotFoundException: No such function.", "AWS's own code is told"),
        (CloudError("TooManyRequestsException", "Slow down.", status=429, retryable=True), "cloud", True,
         "TooManyRequestsException: Slow down.", "what AWS says of another try counts"),
        (CloudError("timeout", "No timeout.", retryable=True), "cloud", True, "No timeout.",
         "AWS was slow, but there was time"),
    ],
)  # fmt: skip
def test_a_refusal_of_aws_is_a_failure(
    error: CloudError, kind: str, retryable: bool, message: str, why: str
) -> None:
    outcome, _ = lambda_call(error)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable, outcome.message) == (kind, retryable, message), why


def test_a_role_that_cannot_be_assumed_is_told() -> None:
    cloud = ScriptedCloud(refused=CloudError("not_allowed", "The role is not among JOB_ROLES."))
    invoke = {"service": "lambda", "role_arn": ROLE, "function": "f"}
    outcome = perform(call_of("cloud_function", {"invoke": invoke}, cloud=cloud), "cloud_function")
    assert outcome == Failed("cloud", "not_allowed: The role is not among JOB_ROLES.", retryable=False)


def test_where_jobs_use_no_aws_services_they_are_told_so() -> None:
    cloud = ScriptedCloud(refused=Unavailable("Jobs use no AWS services in this deployment."))
    invoke = {"service": "lambda", "role_arn": ROLE, "function": "f"}
    outcome = perform(call_of("cloud_function", {"invoke": invoke}, cloud=cloud), "cloud_function")
    assert outcome == Failed("unknown", "Jobs use no AWS services in this deployment.")


def test_an_express_workflow_answers() -> None:
    answer = {"executionArn": f"{EXECUTION}:x", "status": "SUCCEEDED", "output": '{"ok": true}'}
    outcome, cloud = workflow(answer, input={"n": 1})
    assert isinstance(outcome, Succeeded)
    assert outcome.result["answer"] == {"ok": True}
    [asked] = cloud.asked
    assert asked.parameters == {"stateMachineArn": MACHINE, "name": f"{RUN_ID}-1", "input": '{"n":1}'}
    assert asked.region == "eu-central-1"


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        ("FAILED", "cloud", "The execution is FAILED: Oops: the cause"),
        ("TIMED_OUT", "timeout", "The execution ran out of its own time: Oops: the cause"),
    ],
)
def test_an_express_workflow_fails(status: str, kind: str, message: str) -> None:
    outcome, _ = workflow(
        {"executionArn": EXECUTION, "status": status, "error": "Oops", "cause": "the\ncause"}
    )
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.message, outcome.retryable) == (kind, message, None)


def test_an_execution_that_has_started_is_a_success() -> None:
    outcome, _ = workflow({"executionArn": f"{EXECUTION}:x"}, "start_execution", wait="nothing")
    assert outcome == Succeeded({"execution": f"{EXECUTION}:x"})


def test_an_execution_that_an_earlier_start_has_begun_is_the_same() -> None:
    already = CloudError("ExecutionAlreadyExists", "It exists.")
    outcome, _ = workflow(already, "start_execution", wait="nothing", state_machine=f"{MACHINE}:live")
    assert outcome == Succeeded({"execution": f"{EXECUTION}:{RUN_ID}-1"})


def test_another_refusal_of_a_start_is_a_failure() -> None:
    outcome, _ = workflow(CloudError("AccessDeniedException", "No."), "start_execution", wait="nothing")
    assert outcome == Failed("cloud", "AccessDeniedException: No.", retryable=False)
