"""Carries out `cloud_function` jobs: each service has a module, loaded when a job first calls it."""

from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.executors.base import Call, Executor
from chalicelib.executors.cloud_function.endpoints import PUBLIC, Endpoints
from chalicelib.executors.cloud_function.spec import Config
from chalicelib.executors.cloud_function.targets import (
    AzureTarget,
    GoogleTarget,
    LambdaTarget,
    StepFunctionsTarget,
)
from chalicelib.ports.cloud import CloudError

MAX_MESSAGE = 450


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
        case GoogleTarget() as target:
            from chalicelib.executors.cloud_function.google import requested

            return requested(call, target, endpoints.google)
        case AzureTarget() as target:
            from chalicelib.executors.cloud_function.azure import sent

            return sent(call, target, endpoints.azure)


def refused(call: Call, error: CloudError) -> Failed:
    """What AWS's refusal means for the run."""
    if error.code == "timeout" and call.remaining() <= 1:
        return Failed("timeout", "AWS had not answered when the time was up.")
    message = error.message if error.code in error.message else f"{error.code}: {error.message}"
    return Failed("cloud", message[:MAX_MESSAGE], status=error.status, retryable=error.retryable)
