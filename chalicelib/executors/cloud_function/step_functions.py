"""AWS Step Functions: an execution is started, and followed to its end; an express one's answer is waited for."""

from typing import Any

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call, Handle
from chalicelib.executors.cloud_function.answers import brief, kept
from chalicelib.executors.cloud_function.followed import (
    STOPPED,
    client_of,
    following,
    handle_of,
    name_of,
    still,
)
from chalicelib.executors.cloud_function.targets import StepFunctionsTarget, region_of
from chalicelib.executors.json_values import encoded
from chalicelib.ports.cloud import CloudError

GOING_ON = ("RUNNING", "PENDING_REDRIVE")


def started(call: Call, target: StepFunctionsTarget) -> Outcome:
    """Start the execution. CloudError if Step Functions refuses."""
    region = region_of(target, target.state_machine)
    client = call.cloud.client("stepfunctions", role_arn=target.role_arn, region=region)
    request = {
        "stateMachineArn": target.state_machine,
        "name": name_of(call),
        "input": encoded(target.input).decode(),
    }
    if target.wait == "answer":
        return _ended(call, client.start_sync_execution(**request))
    execution = _execution(client, request, target.state_machine)
    if target.wait == "nothing":
        return Succeeded({"execution": execution})
    return following(call, handle_of(target, region, execution=execution), {"execution": execution})


def _execution(client: Any, request: dict[str, Any], machine: str) -> str:
    """The ARN of the execution, also if an earlier start of this attempt has begun it."""
    try:
        arn: str = client.start_execution(**request)["executionArn"]
    except CloudError as error:
        if error.code != "ExecutionAlreadyExists":
            raise
        return execution_arn(machine, request["name"])
    return arn


def follow(call: Call, handle: Handle) -> Outcome:
    """How the execution is going."""
    arn = handle["execution"]
    answer = client_of(call, handle, "stepfunctions").describe_execution(executionArn=arn)
    if answer["status"] in GOING_ON:
        return still(handle, {"execution": arn, "status": answer["status"]})
    return _ended(call, answer)


def stop(call: Call, handle: Handle) -> None:
    """Stop the execution; one that is over stays as it is."""
    client = client_of(call, handle, "stepfunctions")
    client.stop_execution(executionArn=handle["execution"], error="Chronos", cause=STOPPED)


def execution_arn(machine: str, name: str) -> str:
    """The ARN of a standard execution: as its machine's, without version or alias."""
    parts = machine.split(":")
    return ":".join([*parts[:5], "execution", parts[6], name])


def _ended(call: Call, answer: dict[str, Any]) -> Outcome:
    result = {"execution": answer["executionArn"], "status": answer["status"]}
    if answer["status"] == "SUCCEEDED":
        return Succeeded({**result, **kept(call, str(answer.get("output") or "null").encode())})
    return unsuccessful(answer, result)


def unsuccessful(answer: dict[str, Any], result: dict[str, Any]) -> Failed:
    """The failure of an execution that is over, by what is told of it."""
    error, cause = (
        brief(answer.get("error") or "no error name", 100),
        brief(answer.get("cause") or "no cause"),
    )
    result |= {"error": error, "cause": cause}
    if answer["status"] == "TIMED_OUT":
        return Failed("timeout", f"The execution ran out of its own time: {error}: {cause}", result=result)
    return Failed("cloud", f"The execution is {answer['status']}: {error}: {cause}", result=result)
