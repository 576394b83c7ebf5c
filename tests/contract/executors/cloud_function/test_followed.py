"""Executions, tasks and batch jobs, followed to their ends. ECS and Batch are scripted: only AWS can show more."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.outcome import Failed, Following, Outcome, Succeeded
from chalicelib.executors import registry
from chalicelib.executors.base import Call, Handle
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.contact import Contact
from tests.support.calls import RUN_ID, call_of, perform
from tests.support.doubles import ScriptedCloud

ROLE = "arn:aws:iam::123456789012:role/chronos-jobs"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:check"
EXECUTION = f"arn:aws:states:eu-central-1:123456789012:execution:check:{RUN_ID}-1"
TASK = "arn:aws:ecs:eu-central-1:123456789012:task/main/abc"
WORKFLOW = {"service": "step_functions", "state_machine": MACHINE}
ECS = {
    "service": "ecs_task",
    "cluster": "arn:aws:ecs:eu-central-1:123456789012:cluster/main",
    "task_definition": "report:3",
    "region": "eu-central-1",
}
BATCH = {"service": "batch_job", "queue": "nightly", "definition": "aggregate:7", "region": "eu-central-1"}
FOLLOWER = registry.follower("cloud_function")
COMMON = {"role_arn": ROLE, "region": "eu-central-1"}


def call_with(cloud: ScriptedCloud, target: dict[str, Any], **more: Any) -> Call:
    config = {"invoke": {"role_arn": ROLE, **target}, "follow": {"deadline_seconds": 7200}}
    return call_of("cloud_function", config, cloud=cloud, **more)


def begin(cloud: ScriptedCloud, target: dict[str, Any], fence: int = 1) -> Outcome:
    return perform(replace(call_with(cloud, target), fence=fence), "cloud_function")


def look(service: str, operation: str, answer: Any, handle: Handle, **more: Any) -> Outcome:
    """A look without the config: the handle is enough."""
    assert FOLLOWER is not None
    cloud = ScriptedCloud().on(service, operation, answer)
    outcome = FOLLOWER.follow(replace(call_with(cloud, BATCH, **more), config=None), handle)
    assert [(each.role_arn, each.region) for each in cloud.asked] == [(ROLE, "eu-central-1")]
    return outcome


def stop(service: str, operation: str, handle: Handle) -> dict[str, Any]:
    assert FOLLOWER is not None
    cloud = ScriptedCloud().on(service, operation, {})
    FOLLOWER.stop(replace(call_with(cloud, BATCH), config=None), handle)
    [asked] = cloud.asked
    return asked.parameters


RUNNING: Handle = {"service": "step_functions", **COMMON, "execution": EXECUTION}


@pytest.mark.parametrize(
    "answer", [{"executionArn": EXECUTION}, CloudError("ExecutionAlreadyExists", "It exists.")]
)
def test_an_execution_is_followed_also_if_an_earlier_start_has_begun_it(answer: Any) -> None:
    cloud = ScriptedCloud().on("stepfunctions", "start_execution", answer)
    assert begin(cloud, WORKFLOW) == Following(RUNNING, {"execution": EXECUTION}, 7200)
    assert cloud.asked[0].parameters["name"] == f"{RUN_ID}-1"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"status": "RUNNING"}, Following(RUNNING, {"execution": EXECUTION, "status": "RUNNING"}, 0)),
        (
            {"status": "SUCCEEDED", "output": '{"rows": 3}'},
            Succeeded({"execution": EXECUTION, "status": "SUCCEEDED", "answer": {"rows": 3}}),
        ),
    ],
)
def test_an_execution_goes_on_or_has_succeeded(answer: dict[str, Any], outcome: Outcome) -> None:
    told = {"executionArn": EXECUTION, **answer}
    assert look("stepfunctions", "describe_execution", told, RUNNING) == outcome


@pytest.mark.parametrize(
    ("status", "kind"), [("FAILED", "cloud"), ("ABORTED", "cloud"), ("TIMED_OUT", "timeout")]
)
def test_an_execution_has_failed(status: str, kind: str) -> None:
    answer = {"executionArn": EXECUTION, "status": status, "error": "States.TaskFailed", "cause": "no disk"}
    outcome = look("stepfunctions", "describe_execution", answer, RUNNING)
    assert isinstance(outcome, Failed)
    assert outcome.kind == kind
    assert "States.TaskFailed: no disk" in outcome.message


def test_an_execution_is_stopped() -> None:
    assert stop("stepfunctions", "stop_execution", RUNNING)["executionArn"] == EXECUTION


ON_ECS: Handle = {"service": "ecs_task", **COMMON, "cluster": ECS["cluster"], "task": TASK, "container": None}


def test_a_task_is_run_once_an_attempt() -> None:
    cloud = ScriptedCloud().on("ecs", "run_task", {"tasks": [{"taskArn": TASK}], "failures": []})
    more = {
        "launch_type": "FARGATE",
        "subnets": ["subnet-1"],
        "security_groups": ["sg-1"],
        "container": "app",
        "command": ["report"],
        "environment": {"DAY": "1"},
    }
    outcome = begin(cloud, {**ECS, **more})
    assert outcome == Following({**ON_ECS, "container": "app"}, {"task": TASK}, 7200)
    [asked] = cloud.asked
    assert asked.parameters == {
        "cluster": ECS["cluster"],
        "taskDefinition": "report:3",
        "count": 1,
        "clientToken": f"{RUN_ID}-1",
        "startedBy": RUN_ID,
        "launchType": "FARGATE",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1"],
                "assignPublicIp": "DISABLED",
                "securityGroups": ["sg-1"],
            }
        },
        "overrides": {
            "containerOverrides": [
                {"name": "app", "command": ["report"], "environment": [{"name": "DAY", "value": "1"}]}
            ]
        },
    }
    assert len(asked.parameters["clientToken"]) <= 64


def test_a_task_that_is_run_and_not_waited_for_is_a_success() -> None:
    cloud = ScriptedCloud().on("ecs", "run_task", {"tasks": [{"taskArn": TASK}]})
    assert begin(cloud, {**ECS, "wait": "nothing"}) == Succeeded({"task": TASK})


def test_a_task_that_finds_no_place_is_a_failure() -> None:
    cloud = ScriptedCloud().on("ecs", "run_task", {"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]})
    assert begin(cloud, ECS) == Failed("cloud", "ECS did not run the task: RESOURCE:MEMORY")


def stopped(**codes: int | None) -> dict[str, Any]:
    containers = [
        {"name": name, **({} if code is None else {"exitCode": code})} for name, code in codes.items()
    ]
    task = {"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "containers": containers}
    return {"tasks": [{**task, "stoppedReason": "Essential container exited"}]}


@pytest.mark.parametrize(
    ("codes", "container", "is_good", "why"),
    [
        ({"app": 0}, None, True, "it ended well"),
        ({"app": 0, "side": 137}, "app", True, "only this one counts"),
        ({"app": 0, "side": 137}, None, False, "all count"),
        ({"app": 1}, "app", False, "it ended badly"),
        ({"app": None}, None, False, "it never began"),
        ({}, None, False, "there was nothing"),
        ({"app": 0}, "other", False, "the one that counts is not there"),
    ],
)
def test_the_exit_codes_of_a_task_decide(
    codes: dict[str, int | None], container: str | None, is_good: bool, why: str
) -> None:
    outcome = look("ecs", "describe_tasks", stopped(**codes), {**ON_ECS, "container": container})
    assert isinstance(outcome, Succeeded if is_good else Failed), why
    assert (outcome.result or {})["exit_codes"] == codes


def test_a_task_goes_on() -> None:
    outcome = look("ecs", "describe_tasks", {"tasks": [{"lastStatus": "RUNNING"}]}, ON_ECS)
    assert outcome == Following(ON_ECS, {"task": TASK, "status": "RUNNING"}, 0)


def test_a_task_that_is_not_known_yet_is_asked_for_again_three_times() -> None:
    gone = {"tasks": [], "failures": [{"reason": "MISSING"}]}
    handle, looks = ON_ECS, 0
    while isinstance(outcome := look("ecs", "describe_tasks", gone, handle), Following):
        handle, looks = outcome.handle, looks + 1
    assert looks == 3
    assert outcome == Failed("cloud", "ECS knows the task no more: nobody can say how it ended.")


def test_a_task_is_stopped() -> None:
    asked = stop("ecs", "stop_task", ON_ECS)
    assert (asked["cluster"], asked["task"]) == (ECS["cluster"], TASK)


IN_BATCH: Handle = {"service": "batch_job", **COMMON, "job": "job-1"}


def test_a_batch_job_is_submitted() -> None:
    cloud = ScriptedCloud().on("batch", "submit_job", {"jobId": "job-1"})
    more = {"parameters": {"day": "1"}, "command": ["x"], "environment": {"A": "b"}, "array_size": 5}
    assert begin(cloud, {**BATCH, **more}) == Following(IN_BATCH, {"job": "job-1"}, 7200)
    [asked] = cloud.asked
    assert asked.parameters == {
        "jobName": f"{RUN_ID}-1",
        "jobQueue": "nightly",
        "jobDefinition": "aggregate:7",
        "parameters": {"day": "1"},
        "containerOverrides": {"command": ["x"], "environment": [{"name": "A", "value": "b"}]},
        "arrayProperties": {"size": 5},
    }


@pytest.mark.parametrize(
    ("found", "operations", "job"),
    [
        ([{"jobId": "job-0"}], ["list_jobs"], "job-0"),
        ([], ["list_jobs", "submit_job"], "job-1"),
    ],
)
def test_a_start_after_another_looks_for_a_job_of_its_name(
    found: list[dict[str, str]], operations: list[str], job: str
) -> None:
    cloud = ScriptedCloud().on("batch", "submit_job", {"jobId": "job-1"})
    cloud.on("batch", "list_jobs", {"jobSummaryList": found})
    assert begin(cloud, {**BATCH, "wait": "nothing"}, fence=2) == Succeeded({"job": job})
    assert cloud.operations == operations
    assert cloud.asked[0].parameters["filters"] == [{"name": "JOB_NAME", "values": [f"{RUN_ID}-1"]}]


@pytest.mark.parametrize("status", ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"])
def test_a_batch_job_goes_on(status: str) -> None:
    outcome = look("batch", "describe_jobs", {"jobs": [{"status": status}]}, IN_BATCH)
    assert outcome == Following(IN_BATCH, {"job": "job-1", "status": status}, 0)


def test_an_array_of_batch_jobs_tells_how_far_it_has_come() -> None:
    contact = Contact()
    array = {"size": 8, "statusSummary": {"SUCCEEDED": 1, "FAILED": 1, "RUNNING": 6}}
    look(
        "batch",
        "describe_jobs",
        {"jobs": [{"status": "RUNNING", "arrayProperties": array}]},
        IN_BATCH,
        stop=contact,
    )
    assert contact.latest is not None
    assert (contact.latest.percent, contact.latest.message) == (25, "2 of 8 children are over.")


def test_a_batch_job_has_succeeded() -> None:
    job = {"status": "SUCCEEDED", "container": {"logStreamName": "aggregate/1", "exitCode": 0}}
    outcome = look("batch", "describe_jobs", {"jobs": [job]}, IN_BATCH)
    assert outcome == Succeeded({"job": "job-1", "status": "SUCCEEDED", "log_stream": "aggregate/1"})


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({"container": {"exitCode": 3}, "statusReason": "Essential container exited"},
         "The job has failed: Essential container exited (exit code 3)"),
        ({"container": {"reason": "OutOfMemory"}}, "The job has failed: OutOfMemory"),
        ({}, "The job has failed: no reason"),
    ],
)  # fmt: skip
def test_a_batch_job_has_failed(job: dict[str, Any], message: str) -> None:
    outcome = look("batch", "describe_jobs", {"jobs": [{"status": "FAILED", **job}]}, IN_BATCH)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.message, outcome.retryable) == ("cloud", message, None)


def test_a_batch_job_that_nobody_knows_any_more_is_a_failure() -> None:
    outcome = look("batch", "describe_jobs", {"jobs": []}, IN_BATCH)
    assert outcome == Failed("cloud", "Batch knows the job no more: nobody can say how it ended.")


def test_a_batch_job_is_terminated() -> None:
    assert stop("batch", "terminate_job", IN_BATCH)["jobId"] == "job-1"
