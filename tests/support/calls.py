"""Calls of executors, as a worker would make them."""

from typing import Any

from chalicelib.aws.clock import SystemClock
from chalicelib.domain.outcome import Outcome
from chalicelib.executors import registry
from chalicelib.executors.base import Call, ExecutorSettings
from chalicelib.ports.clock import Clock

LOOPBACK = ExecutorSettings(allow_networks=("127.0.0.0/8", "::1/128"))
RUN_ID = "run_01KVB7TZ00F3Z9S8D0QX4Y1W2E"


def call_of(
    type_: str,
    config: dict[str, Any],
    *,
    seconds: float = 10,
    attempt: int = 1,
    run_id: str = RUN_ID,
    settings: ExecutorSettings = LOOPBACK,
    clock: Clock | None = None,
    **given: Any,
) -> Call:
    """A call of the type, with a validated config and so many seconds to go.

    `given`: others of its fields, such as `outputs`, `state`, `cloud` and `log`.
    """
    spec = registry.spec(type_)
    assert spec is not None
    clock = clock or SystemClock()
    return Call(
        config=spec.config.model_validate(config),
        run_id=run_id,
        job_id="job_01KVB7TYZ0A1B2C3D4E5F6G7H8",
        tenant="default",
        attempt=attempt,
        fence=1,
        nominal_ms=1_777_636_800_000,
        deadline=clock.monotonic() + seconds,
        clock=clock,
        settings=settings,
        **given,
    )


def perform(call: Call, type_: str) -> Outcome:
    """The outcome of the call."""
    execute = registry.executor(type_)
    assert execute is not None
    return execute(call)
