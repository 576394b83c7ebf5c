"""Carries out `cloud_function` jobs: each service has a module, loaded when a job first calls it."""

from importlib import import_module
from types import ModuleType

from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.executors.base import Call, Executor, Handle
from chalicelib.executors.cloud_function.endpoints import PUBLIC, Endpoints
from chalicelib.executors.cloud_function.spec import Config
from chalicelib.executors.cloud_function.targets import (
    AzureTarget,
    BatchTarget,
    EcsTarget,
    GoogleTarget,
    LambdaTarget,
    StepFunctionsTarget,
)
from chalicelib.ports.cloud import CloudError

MAX_MESSAGE = 450
FOLLOWED = {"step_functions": "step_functions", "ecs_task": "ecs", "batch_job": "batch"}
"""The modules of what can be followed, by the service in a handle."""


def executor(endpoints: Endpoints) -> Executor:
    """The executor, with these places that issue tokens."""

    def execute(call: Call) -> Outcome:
        if call.remaining() <= 0:
            return Failed("timeout", "The time was up before anything was called.")
        try:
            return _called(call, endpoints)
        except CloudError as error:
            return refused(call, error)

    return execute


execute = executor(PUBLIC)


def _called(call: Call, endpoints: Endpoints) -> Outcome:
    config: Config = call.config
    match config.invoke:
        case LambdaTarget() as target:
            from chalicelib.executors.cloud_function.aws_lambda import invoked

            return invoked(call, target)
        case StepFunctionsTarget() as target:
            from chalicelib.executors.cloud_function.step_functions import started

            return started(call, target)
        case EcsTarget() as target:
            from chalicelib.executors.cloud_function.ecs import begun

            return begun(call, target)
        case BatchTarget() as target:
            from chalicelib.executors.cloud_function.batch import submitted

            return submitted(call, target)
        case GoogleTarget() as target:
            from chalicelib.executors.cloud_function.google import requested

            return requested(call, target, endpoints.google)
        case AzureTarget() as target:
            from chalicelib.executors.cloud_function.azure import sent

            return sent(call, target, endpoints.azure)


def follow(call: Call, handle: Handle) -> Outcome:
    """How what was started is going. CloudError if AWS does not say."""
    outcome: Outcome = _service(handle).follow(call, handle)
    return outcome


def stop(call: Call, handle: Handle) -> None:
    """End what was started. CloudError if AWS refuses."""
    _service(handle).stop(call, handle)


def _service(handle: Handle) -> ModuleType:
    return import_module(f"{__package__}.{FOLLOWED[handle['service']]}")


def refused(call: Call, error: CloudError) -> Failed:
    """What AWS's refusal means for the run."""
    if error.code == "timeout" and call.remaining() <= 1:
        return Failed("timeout", "AWS had not answered when the time was up.")
    message = error.message if error.code in error.message else f"{error.code}: {error.message}"
    return Failed("cloud", message[:MAX_MESSAGE], status=error.status, retryable=error.retryable)
