"""Amazon ECS: a task is run, and followed until it has stopped; the exit codes of its containers decide."""

from typing import Any

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call, Handle
from chalicelib.executors.cloud_function.answers import brief
from chalicelib.executors.cloud_function.followed import (
    STOPPED,
    client_of,
    following,
    handle_of,
    name_of,
    still,
)
from chalicelib.executors.cloud_function.targets import EcsTarget, pairs, region_of

MOST_MISSING = 3
"""A task that has just been run may not be known everywhere yet; an hour after its end ECS forgets it."""


def begun(call: Call, target: EcsTarget) -> Outcome:
    """Run the task; the client token makes one of two starts of an attempt. CloudError if ECS refuses."""
    region = region_of(target, target.cluster) or region_of(target, target.task_definition)
    client = call.cloud.client("ecs", role_arn=target.role_arn, region=region)
    answer = client.run_task(**_request(call, target))
    if not answer.get("tasks"):
        return _not_placed(answer.get("failures", []))
    arn = answer["tasks"][0]["taskArn"]
    if target.wait == "nothing":
        return Succeeded({"task": arn})
    handle = handle_of(target, region, cluster=target.cluster, task=arn, container=target.container)
    return following(call, handle, {"task": arn})


def _request(call: Call, target: EcsTarget) -> dict[str, Any]:
    request: dict[str, Any] = {
        "cluster": target.cluster,
        "taskDefinition": target.task_definition,
        "count": 1,
        "clientToken": name_of(call),
        "startedBy": call.run_id,
    }
    if target.launch_type is not None:
        request["launchType"] = target.launch_type
    if target.subnets:
        request["networkConfiguration"] = {"awsvpcConfiguration": _network(target)}
    override: dict[str, Any] = {}
    if target.command is not None:
        override["command"] = target.command
    if target.environment:
        override["environment"] = pairs(target.environment)
    if override:
        request["overrides"] = {"containerOverrides": [{"name": target.container, **override}]}
    return request


def _network(target: EcsTarget) -> dict[str, Any]:
    groups = {"securityGroups": target.security_groups} if target.security_groups else {}
    public = "ENABLED" if target.public_ip else "DISABLED"
    return {"subnets": target.subnets, "assignPublicIp": public, **groups}


def _not_placed(failures: list[dict[str, Any]]) -> Failed:
    reasons = [brief(each.get("reason", "no reason"), 100) for each in failures[:4]] or ["no reason"]
    return Failed("cloud", f"ECS did not run the task: {', '.join(reasons)}")


def follow(call: Call, handle: Handle) -> Outcome:
    """How the task is going."""
    client = client_of(call, handle, "ecs")
    answer = client.describe_tasks(cluster=handle["cluster"], tasks=[handle["task"]])
    if not answer.get("tasks"):
        missing = handle.get("missing", 0) + 1
        if missing > MOST_MISSING:
            return Failed("cloud", "ECS knows the task no more: nobody can say how it ended.")
        return still({**handle, "missing": missing}, {})
    task = answer["tasks"][0]
    result = {"task": handle["task"], "status": task["lastStatus"]}
    if task["lastStatus"] != "STOPPED":
        return still(handle, result)
    return _stopped(task, handle["container"], result)


def stop(call: Call, handle: Handle) -> None:
    """Stop the task."""
    client = client_of(call, handle, "ecs")
    client.stop_task(cluster=handle["cluster"], task=handle["task"], reason=STOPPED)


def _stopped(task: dict[str, Any], container: str | None, result: dict[str, Any]) -> Outcome:
    codes = {each["name"]: each.get("exitCode") for each in task.get("containers", [])}
    why = brief(task.get("stoppedReason") or "no reason")
    result = {**result, "stop_code": task.get("stopCode"), "exit_codes": codes, "reason": why}
    counted = codes if container is None else {container: codes.get(container)}
    if counted and all(code == 0 for code in counted.values()):
        return Succeeded(result)
    told = [f"{name} with {'no exit code' if code is None else code}" for name, code in counted.items()]
    ended = brief(", ".join(told), 100) or "no container"
    return Failed("cloud", f"The task has stopped ({ended}): {why}", result=result)
