"""AWS Batch: a job is submitted, and followed to its end."""

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
from chalicelib.executors.cloud_function.targets import BatchTarget, pairs, region_of

OVER = ("SUCCEEDED", "FAILED")


def submitted(call: Call, target: BatchTarget) -> Outcome:
    """Submit the job, unless an earlier start of this attempt has. CloudError if Batch refuses."""
    region = region_of(target, target.queue) or region_of(target, target.definition)
    client = call.cloud.client("batch", role_arn=target.role_arn, region=region)
    identifier = _earlier(client, call, target) or client.submit_job(**_request(call, target))["jobId"]
    if target.wait == "nothing":
        return Succeeded({"job": identifier})
    return following(call, handle_of(target, region, job=identifier), {"job": identifier})


def _earlier(client: Any, call: Call, target: BatchTarget) -> str | None:
    """Batch takes the same name twice: the first start of a run need not ask, any later one must."""
    if call.fence <= 1:
        return None
    named = [{"name": "JOB_NAME", "values": [name_of(call)]}]
    found = client.list_jobs(jobQueue=target.queue, filters=named).get("jobSummaryList", [])
    return str(found[0]["jobId"]) if found else None


def _request(call: Call, target: BatchTarget) -> dict[str, Any]:
    request: dict[str, Any] = {
        "jobName": name_of(call),
        "jobQueue": target.queue,
        "jobDefinition": target.definition,
    }
    if target.parameters:
        request["parameters"] = target.parameters
    overrides: dict[str, Any] = {}
    if target.command is not None:
        overrides["command"] = target.command
    if target.environment:
        overrides["environment"] = pairs(target.environment)
    if overrides:
        request["containerOverrides"] = overrides
    if target.array_size is not None:
        request["arrayProperties"] = {"size": target.array_size}
    return request


def follow(call: Call, handle: Handle) -> Outcome:
    """How the job is going. That of an array tells how far it has come."""
    found = client_of(call, handle, "batch").describe_jobs(jobs=[handle["job"]]).get("jobs", [])
    if not found:
        return Failed("cloud", "Batch knows the job no more: nobody can say how it ended.")
    job = found[0]
    result = {"job": handle["job"], "status": job["status"]}
    if stream := job.get("container", {}).get("logStreamName"):
        result["log_stream"] = stream
    _tell_progress(call, job.get("arrayProperties", {}))
    if job["status"] not in OVER:
        return still(handle, result)
    return Succeeded(result) if job["status"] == "SUCCEEDED" else _failed(job, result)


def stop(call: Call, handle: Handle) -> None:
    """Terminate the job, or cancel it if it has not begun."""
    client_of(call, handle, "batch").terminate_job(jobId=handle["job"], reason=STOPPED)


def _tell_progress(call: Call, array: dict[str, Any]) -> None:
    size, summary = array.get("size"), array.get("statusSummary", {})
    if size:
        over = sum(int(summary.get(status, 0)) for status in OVER)
        call.progress(100 * over / size, f"{over} of {size} children are over.")


def _failed(job: dict[str, Any], result: dict[str, Any]) -> Failed:
    container = job.get("container", {})
    why = brief(job.get("statusReason") or container.get("reason") or "no reason")
    code = container.get("exitCode")
    if code is not None:
        result, why = {**result, "exit_code": code}, f"{why} (exit code {code})"
    return Failed("cloud", f"The job has failed: {why}", result=result)
