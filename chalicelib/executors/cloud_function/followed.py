"""What all services whose work is followed have in common: names, handles, clients."""

from typing import Any

from chalicelib.domain.outcome import Following
from chalicelib.executors.base import Call, Handle
from chalicelib.executors.cloud_function.targets import BatchTarget, EcsTarget, StepFunctionsTarget

STOPPED = "Chronos: its run was cancelled, or its deadline has passed."


def name_of(call: Call) -> str:
    """The name of what an attempt starts: who starts it again after a crash asks for the same."""
    return f"{call.run_id}-{call.attempt}"


def handle_of(
    target: StepFunctionsTarget | EcsTarget | BatchTarget, region: str | None, **found: Any
) -> Handle:
    """All that is needed to find the work again, whatever becomes of the job's config."""
    return {"service": target.service, "role_arn": target.role_arn, "region": region, **found}


def client_of(call: Call, handle: Handle, service: str) -> Any:
    """A client of the service, as the role that has started the work."""
    return call.cloud.client(service, role_arn=handle["role_arn"], region=handle["region"])


def following(call: Call, handle: Handle, result: dict[str, Any]) -> Following:
    """What was started, to be followed until the config's deadline."""
    return Following(handle, result, call.config.follow.deadline_seconds)


def still(handle: Handle, result: dict[str, Any]) -> Following:
    """It goes on; the deadline stays."""
    return Following(handle, result, 0)
