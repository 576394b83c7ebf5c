"""The `cloud_function` type: something to call in a cloud, and how long to wait for it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.cloud_function.targets import AnyTarget
from chalicelib.executors.hosts import host_name

MAX_FOLLOW_SECONDS = 1_209_600


class Follow(BaseModel):
    """How long what was started may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deadline_seconds: int = Field(
        86_400,
        ge=1,
        le=MAX_FOLLOW_SECONDS,
        strict=True,
        description="From the start of an attempt until its work must be over, up to 14 days; then it is stopped.",
    )


class Config(BaseModel):
    """What a run calls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    invoke: AnyTarget = Field(
        description="What to call: `service` says where it is, and what else there is to say."
    )
    follow: Follow = Field(
        Follow(),
        description="For what is followed to its end; the job's `timeout_seconds` is for the start alone.",
    )


def target(config: Mapping[str, Any]) -> str | None:
    """The host of a function that is called by HTTPS."""
    invoke = config.get("invoke")
    try:
        url = invoke.get("url", "") if isinstance(invoke, Mapping) else ""
        return host_name(urlsplit(str(url)).hostname or "")
    except ValueError:
        return None


_ROLE = "arn:aws:iam::123456789012:role/chronos-jobs"

SPEC = ExecutorSpec(
    target=target,
    type="cloud_function",
    config=Config,
    title="Cloud function",
    description="Calls a function or a workflow in AWS, Google Cloud or Azure, and tells what it answers; follows "
    "executions, tasks and batch jobs to their end.",
    example={
        "invoke": {
            "service": "lambda",
            "role_arn": _ROLE,
            "function": "nightly-report",
            "payload": {"day": "${{ run.nominal | date('%Y-%m-%d') }}"},
        }
    },
    permissions=(
        Permission(
            "A role that Chronos may assume (the operator's JOB_ROLES), and that may do what is asked for.",
            (
                "lambda:InvokeFunction",
                "states:StartExecution",
                "states:StartSyncExecution",
                "states:DescribeExecution",
                "states:StopExecution",
                "ecs:RunTask",
                "ecs:DescribeTasks",
                "ecs:StopTask",
                "iam:PassRole",
                "batch:SubmitJob",
                "batch:ListJobs",
                "batch:DescribeJobs",
                "batch:TerminateJob",
            ),
        ),
        Permission("In Google Cloud, a service account with the role Cloud Run Invoker."),
        Permission("In Azure, the function's key, or an application that may call it."),
    ),
    errors=(
        "cloud",
        "authentication",
        "connection",
        "http_4xx",
        "http_5xx",
        "http_429",
        "http_unexpected",
        "forbidden_target",
        "output",
    ),
    limits=(
        "128 KB of payload; of an answer 8 KB are kept, and of a Lambda's more than that as a file.",
        "What is followed is looked after each 5 minutes at least, for up to 14 days.",
        "Google and Azure only by https, and redirects are not followed.",
    ),
    examples={
        "An express workflow each hour": {
            "name": "hourly-check",
            "schedule": "0 0 * * * *",
            "timeout_seconds": 60,
            "config": {
                "invoke": {
                    "service": "step_functions",
                    "role_arn": _ROLE,
                    "state_machine": "arn:aws:states:eu-central-1:123456789012:stateMachine:check",
                    "input": {"at": "${{ run.nominal }}"},
                    "wait": "answer",
                }
            },
        },
        "A batch job of hours, followed to its end": {
            "name": "nightly-batch",
            "schedule": "0 0 1 * * *",
            "config": {
                "invoke": {
                    "service": "batch_job",
                    "role_arn": _ROLE,
                    "queue": "nightly",
                    "definition": "aggregate:7",
                    "parameters": {"day": "${{ run.nominal_date }}"},
                },
                "follow": {"deadline_seconds": 21_600},
            },
        },
        "A service on Cloud Run": {
            "name": "cloud-run",
            "schedule": "0 */10 * * * *",
            "config": {
                "invoke": {
                    "service": "google",
                    "url": "https://report-abc123-ew.a.run.app/build",
                    "credentials": "${{ secrets.google_key }}",
                    "body": {"report": "daily"},
                }
            },
        },
    },
)
