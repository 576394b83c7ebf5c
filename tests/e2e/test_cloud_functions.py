"""Functions and workflows of a user's own, on the emulator: called as the role of jobs, and followed to their ends."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local import job_role
from infra.local.fixtures import Stack
from tests.e2e.conftest import Api
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
FUNCTION, WAITING, PASSING = "users-report", "users-waiting", "users-passing"
CODE = """
def handle(event, context):
    print("hello from", event.get("name"))
    if event.get("fail"):
        raise KeyError("no such day")
    return {"rows": event.get("rows", 0)}
"""
ONCE = {"max_attempts": 1}


@pytest.fixture(scope="module")
def function(stack: Stack) -> Iterator[str]:
    """A function that returns as many rows as it is told, or fails."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("report.py", CODE)
    client = stack.client("lambda")
    client.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.11",
        Role=job_role.ARN,
        Handler="report.handle",
        Code={"ZipFile": code.getvalue()},
    )
    yield FUNCTION
    client.delete_function(FunctionName=FUNCTION)


@pytest.fixture(scope="module")
def machines(stack: Stack) -> Iterator[dict[str, str]]:
    """The ARNs of workflows: one that passes its input on, one that waits for an hour."""
    client = stack.client("stepfunctions")
    states = {
        PASSING: {"Only": {"Type": "Pass", "End": True}},
        WAITING: {"Only": {"Type": "Wait", "Seconds": 3600, "End": True}},
    }
    arns = {
        name: client.create_state_machine(
            name=name,
            definition=json.dumps({"StartAt": "Only", "States": each}),
            roleArn=job_role.ARN,
        )["stateMachineArn"]
        for name, each in states.items()
    }
    yield arns
    for arn in arns.values():
        client.delete_state_machine(stateMachineArn=arn)


def triggered(api: Api, invoke: dict[str, Any], **fields: Any) -> Any:
    config = {"invoke": {"role_arn": job_role.ARN, **invoke}, **fields.pop("config", {})}
    job = api.job({"kind": "manual"}, type="cloud_function", config=config, retry=ONCE, **fields)
    return api.post(f"/jobs/{job['id']}/trigger")


def ended(api: Api, run: Any, seconds: float = 60) -> Any:
    over = ("SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED")
    path = f"/runs/{run['id']}"
    return eventually(lambda: (found := api.get(path))["status"] in over and found, seconds=seconds)


def test_a_functions_result_is_the_runs(api: Api, function: str) -> None:
    run = triggered(api, {"service": "lambda", "function": function, "payload": {"name": "e2e", "rows": 3}})
    run = ended(api, run)
    assert run["status"] == "SUCCEEDED", run["attempts"]
    assert run["attempts"][0]["result"]["answer"] == {"rows": 3}


def test_a_functions_error_is_told_without_its_stack(api: Api, function: str) -> None:
    run = ended(api, triggered(api, {"service": "lambda", "function": function, "payload": {"fail": True}}))
    [attempt] = run["attempts"]
    assert (run["status"], attempt["error"]["kind"]) == ("FAILED", "cloud")
    assert attempt["error"]["message"].startswith("The function failed with ")
    assert "no such day" in attempt["error"]["message"]
    assert "stack_trace" not in attempt["result"]


def test_a_function_that_is_not_there_is_told_with_awss_code(api: Api) -> None:
    run = ended(api, triggered(api, {"service": "lambda", "function": "nobody-made-it"}))
    assert "ResourceNotFoundException" in run["attempts"][0]["error"]["message"]


def test_an_execution_is_followed_to_its_end(api: Api, machines: dict[str, str]) -> None:
    invoke = {"service": "step_functions", "state_machine": machines[PASSING], "input": {"n": 1}}
    run = ended(api, triggered(api, invoke))
    assert run["status"] == "SUCCEEDED", run["attempts"]
    [attempt] = run["attempts"]
    assert attempt["result"]["answer"] == {"n": 1}
    assert attempt["result"]["accepted"]["execution"] == attempt["result"]["execution"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/runs/{id}/cancel", 202), ("DELETE", "/jobs/{job_id}", 204)]
)
def test_an_execution_is_stopped_when_its_run_is_cancelled_or_its_job_deleted(
    api: Api, stack: Stack, machines: dict[str, str], method: str, path: str, status: int
) -> None:
    run = triggered(api, {"service": "step_functions", "state_machine": machines[WAITING]})
    read = f"/runs/{run['id']}"
    waiting = eventually(lambda: (found := api.get(read))["status"] == "WAITING" and found, seconds=30)
    arn = waiting["attempts"][0]["result"]["execution"]
    assert arn.endswith(f"{run['id']}-1")
    assert api.call(method, path.format(**run)).status_code == status
    assert ended(api, run)["status"] == "CANCELLED"
    described = stack.client("stepfunctions").describe_execution(executionArn=arn)
    assert described["status"] == "ABORTED"


def test_an_execution_is_stopped_after_its_deadline(api: Api, stack: Stack, machines: dict[str, str]) -> None:
    invoke = {"service": "step_functions", "state_machine": machines[WAITING]}
    run = ended(api, triggered(api, invoke, config={"follow": {"deadline_seconds": 3}}))
    [attempt] = run["attempts"]
    assert (run["status"], attempt["error"]["kind"]) == ("TIMED_OUT", "timeout")
    arn = attempt["result"]["accepted"]["execution"]
    described = stack.client("stepfunctions").describe_execution(executionArn=arn)
    assert described["status"] == "ABORTED"
