"""Sends a script to the sandbox, waits for its end, and tells what it said."""

import signal
from base64 import b64decode
from typing import Any

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call
from chalicelib.executors.json_values import encoded
from chalicelib.executors.script.spec import Config
from chalicelib.ports.sandbox import SandboxError

RESERVE_SECONDS, LEAST_SECONDS = 2.5, 0.2
"""Kept free for the script to end itself, and for its output to come back."""
KEPT = 4_096
"""Bytes of JSON of each output in the result."""
_LATE = "The script was not over when the time was up."


def execute(call: Call) -> Outcome:
    config: Config = call.config
    seconds = call.remaining() - RESERVE_SECONDS
    event = _event(call, config, seconds)
    if seconds < LEAST_SECONDS:
        return Failed("timeout", "There was not enough time left to run the script.")
    try:
        answer = call.sandbox.run(f"{call.tenant}/{call.job_id}", event, call.remaining(), call.stop)
    except SandboxError as error:
        return _lost(error)
    if "refused" in answer:
        return Failed("cloud", f"The sandbox does not run it. {answer['refused']}", retryable=False)
    return _told(call, config, answer)


def _event(call: Call, config: Config, seconds: float) -> dict[str, Any]:
    """As ports/sandbox.py wants it."""
    ours = {
        "RUN_ID": call.run_id,
        "JOB_ID": call.job_id,
        "ATTEMPT": str(call.attempt),
        "SCHEDULED_AT": rfc3339(call.nominal_ms),
    }
    return {
        "program": config.language,
        "script": config.script,
        "arguments": list(config.arguments),
        "environment": {**config.environment, **ours},
        "stdin": config.stdin,
        "seconds": seconds,
        "memory_mb": config.memory_mb,
        "processes": config.processes,
        "file_bytes": config.max_file_mb << 20,
        "output_bytes": config.max_output_kb << 10,
    }


def _lost(error: SandboxError) -> Failed:
    kinds = {"timeout": "timeout", "stopped": "timeout", "died": "script_killed"}
    return Failed(kinds.get(error.code, "cloud"), error.message, retryable=error.retryable)


def _told(call: Call, config: Config, answer: dict[str, Any]) -> Outcome:
    result: dict[str, Any] = {"duration_ms": round(answer["seconds"] * 1000)}
    if answer["ended"] == "exit":
        result["exit_code"] = answer["code"]
    for name in ("stdout", "stderr"):
        result |= _output(call, name, b64decode(answer[name]), int(answer[f"{name}_bytes"]))
    return _judged(config, answer["ended"], int(answer["code"]), result)


def _judged(config: Config, ended: str, code: int, result: dict[str, Any]) -> Outcome:
    if ended == "time":
        return Failed("timeout", _LATE, result=result)
    if ended == "output":
        return Failed("script_killed", "The script wrote more than 50 MB, and was ended.", result=result)
    if ended == "signal":
        message = f"The script was ended by {_signal(code)}: did it need more memory than it may have?"
        return Failed("script_killed", message, result=result)
    if code in config.expected_exit_codes:
        return Succeeded(result)
    return Failed("script_exit", f"The script ended with the exit code {code}.", status=code, result=result)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _output(call: Call, name: str, kept: bytes, size: int) -> dict[str, Any]:
    """The output in the result; its lines in the log; a file of it if it is longer than the result's part."""
    text = kept.decode(errors="replace")
    say = call.log.info if name == "stdout" else call.log.warning
    for line in text.splitlines():
        say(line, stream=name)
    shown = _cut(text, KEPT)
    told: dict[str, Any] = {name: shown, f"{name}_bytes": size}
    if len(shown) < len(text) or size > len(kept):
        told[f"{name}_truncated"] = True
        try:
            call.outputs.store(f"{name}.txt", [kept], "text/plain; charset=utf-8")
        except Unavailable as error:
            call.log.warning(f"The rest of {name} is not kept. {error.message}")
    return told


def _cut(text: str, limit: int) -> str:
    """So much of the beginning as has at most `limit` bytes of JSON."""
    text = text[:limit]
    while (size := len(encoded(text))) > limit:
        text = text[: len(text) * limit // size]
    return text
