"""What a cloud_function job may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.executors.cloud_function.spec import Config, target
from chalicelib.executors.cloud_function.targets import GoogleTarget, LambdaTarget, region_of

ROLE = "arn:aws:iam::123456789012:role/chronos-jobs"
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:check"
LAMBDA = {"service": "lambda", "role_arn": ROLE, "function": "report"}
ECS = {"service": "ecs_task", "role_arn": ROLE, "cluster": "main", "task_definition": "report:3"}
BATCH = {"service": "batch_job", "role_arn": ROLE, "queue": "nightly", "definition": "aggregate"}
GOOGLE = {"service": "google", "url": "https://report-ab-ew.a.run.app/build?x=1", "credentials": "{}"}
AZURE = {"service": "azure", "url": "https://report.azurewebsites.net/api/build"}
ENTRA = {"directory": "d.example", "client_id": "c", "client_secret": "s", "scope": "api://c/.default"}


@pytest.mark.parametrize(
    "invoke",
    [
        LAMBDA,
        {
            **LAMBDA,
            "function": "arn:aws:lambda:eu-west-1:123456789012:function:report:live",
            "wait": "nothing",
        },
        {"service": "step_functions", "role_arn": ROLE, "state_machine": MACHINE},
        {"service": "step_functions", "role_arn": ROLE, "state_machine": f"{MACHINE}:live"},
        ECS,
        {**ECS, "container": "app", "command": ["x"], "environment": {"A": "b"}},
        BATCH,
        GOOGLE,
        {**GOOGLE, "credentials": {"client_email": "a@b", "private_key": "k"}},
        {**AZURE, "function_key": "k"},
        {**AZURE, **ENTRA},
    ],
)
def test_these_can_be_called(invoke: dict[str, Any]) -> None:
    config = Config.model_validate({"invoke": invoke})
    assert Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("invoke", "why"),
    [
        ({**LAMBDA, "role_arn": None}, "valid string"),
        ({"service": "lambda", "function": "f"}, "Field required"),
        ({**LAMBDA, "role_arn": "arn:aws:iam::1:role/x"}, "pattern"),
        ({**LAMBDA, "payload": "x" * 200_000}, "must not be longer than"),
        ({**LAMBDA, "function": "a b"}, "pattern"),
        ({**ECS, "command": ["x"]}, "need the name of their container"),
        ({**ECS, "container": "app", "environment": {"A": "b" * 9000}}, "must not be longer than"),
        ({**BATCH, "array_size": 1}, "greater than or equal to 2"),
        ({**GOOGLE, "url": "http://report.example"}, "must begin with https://"),
        ({**GOOGLE, "headers": {"authorization": "x"}}, "must not hold the function's key"),
        (AZURE, "needs function_key, or directory"),
        ({**AZURE, "directory": "d"}, "needs function_key, or directory"),
        ({**AZURE, **ENTRA, "function_key": "k"}, "takes either"),
        ({**AZURE, **ENTRA, "directory": "../x"}, "pattern"),
        ({"service": "cobol"}, "does not match any of the expected tags"),
    ],
)
def test_these_cannot_and_are_told_why(invoke: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Config.model_validate({"invoke": invoke})


@pytest.mark.parametrize(
    ("url", "audience", "why"),
    [
        ("https://a.run.app/build?x=1", "https://a.run.app", "Cloud Run knows the service's URL"),
        ("https://e.cloudfunctions.net/build?x=1", "https://e.cloudfunctions.net/build", "these, all of it"),
    ],
)
def test_the_audience_follows_from_the_url(url: str, audience: str, why: str) -> None:
    assert GoogleTarget.model_validate({**GOOGLE, "url": url}).token_audience == audience, why


def test_the_audience_may_be_named() -> None:
    assert GoogleTarget.model_validate({**GOOGLE, "audience": "mine"}).token_audience == "mine"


def test_the_region_is_the_targets_the_arns_or_open() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:report"
    plain = LambdaTarget.model_validate(LAMBDA)
    assert region_of(plain, arn) == "eu-west-1"
    assert region_of(plain, "report") is None
    assert region_of(LambdaTarget.model_validate({**LAMBDA, "region": "us-east-1"}), arn) == "us-east-1"


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({"invoke": AZURE}, "report.azurewebsites.net"),
        ({"invoke": LAMBDA}, None),
        ({"invoke": "x"}, None),
        ({}, None),
        ({"invoke": {"url": "https://[x"}}, None),
    ],
)
def test_limits_know_the_hosts_of_what_is_called_by_https(config: dict[str, Any], host: str | None) -> None:
    assert target(config) == host


def test_no_secret_is_shown_by_accident() -> None:
    azure = {**AZURE, **ENTRA, "client_secret": "hunter2-secret"}
    shown = repr(
        [Config.model_validate({"invoke": each}) for each in (azure, {**GOOGLE, "credentials": "hunter2"})]
    )
    assert "hunter2" not in shown


@pytest.mark.parametrize("seconds", [0, 1_209_601, "60", 1.5])
def test_work_is_followed_for_up_to_14_days(seconds: Any) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"invoke": BATCH, "follow": {"deadline_seconds": seconds}})
    assert Config.model_validate({"invoke": BATCH}).follow.deadline_seconds == 86_400
