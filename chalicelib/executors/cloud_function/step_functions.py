"""AWS Step Functions: an execution is started, and an express one's answer is waited for."""

from typing import Any

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call
from chalicelib.executors.cloud_function.answers import brief, kept
from chalicelib.executors.cloud_function.targets import StepFunctionsTarget, region_of
from chalicelib.executors.json_values import encoded
from chalicelib.ports.cloud import CloudError


def name_of(call: Call) -> str:
    """The name of what an attempt starts: who starts it again after a crash asks for the same."""
    return f"{call.run_id}-{call.attempt}"


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
    try:
        return Succeeded({"execution": client.start_execution(**request)["executionArn"]})
    except CloudError as error:
        if error.code != "ExecutionAlreadyExists":
            raise
        return Succeeded({"execution": execution_arn(target.state_machine, name_of(call))})


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
