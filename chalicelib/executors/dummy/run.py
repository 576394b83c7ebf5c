"""Carries out `dummy` jobs."""

from hashlib import blake2b
from itertools import repeat

from chalicelib.domain.outcome import Failed, Following, Outcome, Succeeded, Waiting
from chalicelib.executors.base import Call, Handle
from chalicelib.executors.dummy.spec import Config

NAP_SECONDS = 0.25
CHUNK = 65_536


def execute(call: Call) -> Outcome:
    config: Config = call.config
    _use_means(config, call)
    if config.duration_seconds:
        remaining = call.remaining()
        if not _rested(call, min(config.duration_seconds, max(0.0, remaining))):
            return Failed("unknown", "It was told to stop.")
        if config.duration_seconds > remaining:
            return Failed("timeout", "The attempt's time was up.")
    reason = _failure(config, call)
    if reason:
        return Failed(config.error_kind, reason)
    if config.outcome == "follow":
        until_ms = call.clock.now_ms() + round(config.follow_seconds * 1000)
        return Following({"until_ms": until_ms}, {"stage": "begun"}, config.follow_deadline_seconds)
    return (Waiting if config.outcome == "wait" else Succeeded)({"output": config.output})


def follow(call: Call, handle: Handle) -> Outcome:
    """Its work is over when its time is."""
    left_ms: int = handle["until_ms"] - call.clock.now_ms()
    if left_ms > 0:
        return Following(handle, {"stage": "under way"}, 0)
    return Succeeded({"output": None if call.config is None else call.config.output})


def stop(call: Call, handle: Handle) -> None:
    """There is nothing to stop, but a line is told."""
    call.log.info("The work was stopped.", until_ms=handle["until_ms"])


def _use_means(config: Config, call: Call) -> None:
    """Tell lines, store a file and count in the state, as far as it is told."""
    for number in range(1, config.log_lines + 1):
        call.log.info(f"Line {number} of {config.log_lines}.", number=number)
    if config.file_bytes:
        whole, rest = divmod(config.file_bytes, CHUNK)
        chunks = (bytes(size) for size in (*repeat(CHUNK, whole), rest))
        call.outputs.store("dummy.bin", chunks, "application/octet-stream")
    if config.count_runs:
        state, version = call.state.read()
        call.state.write({**state, "runs": state.get("runs", 0) + 1}, version)


def _rested(call: Call, seconds: float) -> bool:
    """Sleep, a little at a time; False if it is to stop."""
    config: Config = call.config
    until = call.clock.monotonic() + seconds
    while (left := until - call.clock.monotonic()) > 0:
        if call.stop.is_wanted:
            return False
        if config.report_progress:
            passed = seconds - left
            call.progress(100 * passed / config.duration_seconds, f"{passed:.1f} s have passed.")
        call.clock.sleep(min(left, NAP_SECONDS))
    return True


def _failure(config: Config, call: Call) -> str | None:
    if config.outcome == "failure":
        return "The job is told to fail."
    if call.attempt <= config.fail_attempts:
        return f"The job is told to fail in its first {config.fail_attempts} attempts."
    if config.failure_rate and _chance(call.run_id, call.attempt) < config.failure_rate:
        return f"The job is told to fail in {config.failure_rate:.0%} of its attempts."
    return None


def _chance(run_id: str, attempt: int) -> float:
    """A number in [0, 1) that is the same for the same attempt, whoever asks."""
    digest = blake2b(f"{run_id}|{attempt}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)
