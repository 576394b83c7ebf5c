"""AWS Lambda: an event goes in, the function's result or its own error comes out."""

import json
from base64 import b64decode, b64encode
from typing import Any

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call
from chalicelib.executors.cloud_function.answers import brief, kept, parsed
from chalicelib.executors.cloud_function.targets import LambdaTarget, region_of
from chalicelib.executors.json_values import encoded

MAX_STACK = 50
ACCEPTED = "Event"


def invoked(call: Call, target: LambdaTarget) -> Outcome:
    """Call the function once. CloudError if Lambda refuses."""
    client = call.cloud.client("lambda", role_arn=target.role_arn, region=region_of(target, target.function))
    answer = client.invoke(**_request(call, target))
    if target.wait == "nothing":
        return Succeeded({"status": int(answer["StatusCode"]), "request_id": _request_id(answer)})
    _tell_log(call, str(answer.get("LogResult", "")))
    content: bytes = answer["Payload"].read()
    result = {
        "status": int(answer["StatusCode"]),
        "version": answer.get("ExecutedVersion"),
        "request_id": _request_id(answer),
    }
    if answer.get("FunctionError"):
        return _failed(target, parsed(content), result)
    return Succeeded({**result, **kept(call, content)})


def _request(call: Call, target: LambdaTarget) -> dict[str, Any]:
    request: dict[str, Any] = {"FunctionName": target.function, "Payload": encoded(target.payload)}
    if target.qualifier is not None:
        request["Qualifier"] = target.qualifier
    if target.wait == "nothing":
        return {**request, "InvocationType": ACCEPTED}
    told = {"run_id": call.run_id, "job_id": call.job_id, "attempt": call.attempt}
    context = b64encode(json.dumps({"custom": {"chronos": told}}).encode()).decode()
    return {**request, "InvocationType": "RequestResponse", "LogType": "Tail", "ClientContext": context}


def _request_id(answer: dict[str, Any]) -> str | None:
    found: str | None = answer.get("ResponseMetadata", {}).get("RequestId")
    return found


def _tell_log(call: Call, tail: str) -> None:
    """The last 4 KB that the function wrote."""
    try:
        text = b64decode(tail).decode(errors="replace")
    except ValueError:
        return
    for line in text.splitlines():
        if line.strip():
            call.log.info(line.rstrip())


def _failed(target: LambdaTarget, error: Any, result: dict[str, Any]) -> Failed:
    """The function's own error: whether another try may help, nobody but the job's policy says."""
    told = error if isinstance(error, dict) else {}
    kind, message = brief(told.get("errorType", "Error"), 100), brief(told.get("errorMessage", error))
    result |= {"error_type": kind, "error_message": message}
    if target.stack_trace and isinstance(told.get("stackTrace"), list):
        result["stack_trace"] = [brief(line) for line in told["stackTrace"][:MAX_STACK]]
    return Failed("cloud", f"The function failed with {kind}: {message}", result=result)
