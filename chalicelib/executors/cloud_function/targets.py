"""What a `cloud_function` job may call: one model for each service."""

import json
import re
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from chalicelib.executors.http.checks import checked_headers, checked_url
from chalicelib.executors.json_values import bounded

MAX_PAYLOAD_BYTES, MAX_VARIABLES_BYTES = 131_072, 8_192
_ROLE = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$"
_MACHINE = (
    r"^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[A-Za-z0-9_.-]{1,80}(:[A-Za-z0-9_.-]+)?$"
)
_FUNCTION = r"^[A-Za-z0-9_:.-]{1,170}$"
_REGION = r"^[a-z]{2}(-[a-z]+){1,3}-[0-9]$"
_SCOPE = r"^[\x21-\x7e]{1,512}$"


def _small(value: Any) -> Any:
    return bounded(value, MAX_PAYLOAD_BYTES)


def _few(values: dict[str, str]) -> dict[str, str]:
    return cast("dict[str, str]", bounded(values, MAX_VARIABLES_BYTES))


def _secure(url: str) -> str:
    """The URL itself. ValueError unless it is https: a token goes along."""
    if urlsplit(checked_url(url)).scheme != "https":
        raise ValueError("must begin with https://")
    return url


def _as_text(value: Any) -> Any:
    """A secret that holds a JSON object may come as one."""
    return json.dumps(value) if isinstance(value, dict) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


Payload = Annotated[JsonValue, AfterValidator(_small)]


class Target(BaseModel):
    """What all have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AwsTarget(Target):
    """Something in AWS, called as a role of the job's owner."""

    role_arn: str = Field(
        pattern=_ROLE,
        max_length=600,
        description="The role to act as: its trust policy lets Chronos assume it with your tenant as external id.",
    )
    region: str | None = Field(
        None, pattern=_REGION, max_length=32, description="null: the region of the ARN, or else of Chronos."
    )


class LambdaTarget(AwsTarget):
    """An AWS Lambda function."""

    service: Literal["lambda"]
    function: str = Field(pattern=_FUNCTION, description="Its name or ARN.")
    qualifier: str | None = Field(
        None, pattern=r"^[A-Za-z0-9$_-]{1,128}$", description="A version or an alias. null: the latest."
    )
    payload: Payload = Field(None, description="The event: any JSON of at most 128 KB.")
    wait: Literal["answer", "nothing"] = Field(
        "answer",
        description="`answer`: the function's result, or its error, is the run's. `nothing`: Lambda queues the event, "
        "and tries it by itself; the run succeeds when it is accepted.",
    )
    stack_trace: bool = Field(default=False, description="Keep the stack trace of the function's error.")


class StepFunctionsTarget(AwsTarget):
    """A state machine of AWS Step Functions."""

    service: Literal["step_functions"]
    state_machine: str = Field(pattern=_MACHINE, description="Its ARN, or that of a version or an alias.")
    input: Payload = Field({}, description="The execution's input: any JSON of at most 128 KB.")
    wait: Literal["end", "answer", "nothing"] = Field(
        "end",
        description="`end`: the execution of a standard workflow is followed to its end. `answer`: an express workflow "
        "runs within the job's time limit, at most 5 minutes. `nothing`: the run succeeds when it has started.",
    )


_FOLLOWED = "`end`: it is followed to its end. `nothing`: the run succeeds when it is accepted."
_NAME = r"^[A-Za-z0-9_:./-]{1,512}$"
Variables = Annotated[dict[str, str], AfterValidator(_few)]


class EcsTarget(AwsTarget):
    """A task of Amazon ECS."""

    service: Literal["ecs_task"]
    cluster: str = Field(pattern=_NAME, description="Its name or ARN.")
    task_definition: str = Field(pattern=_NAME, description="Family, family:revision or ARN.")
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL"] | None = Field(
        None, description="null: as the cluster's capacity providers have it."
    )
    subnets: list[str] = Field(
        [], max_length=16, description="Of the task's network (awsvpc), as Fargate needs them."
    )
    security_groups: list[str] = Field([], max_length=5)
    public_ip: bool = Field(default=False, description="Give the task a public address.")
    container: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,255}$",
        description="Whose exit code counts, and whom `command` and `environment` are for. null: all must exit with 0.",
    )
    command: list[str] | None = Field(None, max_length=100, description="Instead of the container's own.")
    environment: Variables = Field({}, description="Added to the container's own. At most 8 KB.")
    wait: Literal["end", "nothing"] = Field("end", description=_FOLLOWED)

    @model_validator(mode="after")
    def _overrides_have_a_container(self) -> "EcsTarget":
        if self.container is None and (self.command is not None or self.environment):
            raise ValueError("command and environment need the name of their container")
        return self


class BatchTarget(AwsTarget):
    """A job of AWS Batch."""

    service: Literal["batch_job"]
    queue: str = Field(pattern=_NAME, description="The job queue: its name or ARN.")
    definition: str = Field(pattern=_NAME, description="The job definition: name, name:revision or ARN.")
    parameters: Variables = Field({}, description="For the definition's placeholders. At most 8 KB.")
    command: list[str] | None = Field(None, max_length=100, description="Instead of the definition's own.")
    environment: Variables = Field({}, description="Added to the definition's own. At most 8 KB.")
    array_size: int | None = Field(None, ge=2, le=10_000, description="Run so many children.")
    wait: Literal["end", "nothing"] = Field("end", description=_FOLLOWED)


class HttpTarget(Target):
    """A function that is called by HTTPS with a token."""

    url: Annotated[str, AfterValidator(_secure)] = Field(
        max_length=8192, description="https, without credentials.", json_schema_extra={"format": "uri"}
    )
    method: Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(_upper)] = "POST"
    headers: Annotated[dict[str, str], AfterValidator(checked_headers)] = Field(
        {}, description="Sent beside our own; `Authorization` is ours."
    )
    body: Payload = Field(
        None,
        description="A string is sent as it is, any other value as JSON, null as no body. At most 128 KB.",
    )

    @model_validator(mode="after")
    def _the_token_is_ours(self) -> "HttpTarget":
        ours = {"authorization", "x-functions-key"}
        if any(name.lower() in ours for name in self.headers):
            raise ValueError("headers must not hold the function's key or token: there are fields for them")
        return self


class GoogleTarget(HttpTarget):
    """A function of Google Cloud Functions, or a service of Cloud Run."""

    service: Literal["google"]
    credentials: Annotated[str, BeforeValidator(_as_text)] = Field(
        min_length=1,
        max_length=16_384,
        repr=False,
        description="The key of a service account that may call it, as JSON: `${{ secrets.google_key }}`.",
    )
    audience: str | None = Field(
        None,
        pattern=_SCOPE,
        description="For whom the token is. null: the URL's origin, or the whole URL on cloudfunctions.net.",
    )

    @property
    def token_audience(self) -> str:
        """For whom the token is."""
        if self.audience is not None:
            return self.audience
        parts = urlsplit(self.url)
        is_old = (parts.hostname or "").endswith(".cloudfunctions.net")
        return urlunsplit((parts.scheme, parts.netloc, parts.path if is_old else "", "", ""))


class AzureTarget(HttpTarget):
    """A function of Azure Functions: with its key, or with a token of Microsoft Entra."""

    service: Literal["azure"]
    function_key: str | None = Field(
        None, pattern=r"^[\x21-\x7e]{1,512}$", repr=False, description="Sent as `x-functions-key`."
    )
    directory: str | None = Field(
        None, pattern=r"^[A-Za-z0-9.-]{1,128}$", description="The Entra tenant: its id or domain."
    )
    client_id: str | None = Field(None, pattern=r"^[A-Za-z0-9-]{1,64}$", description="Of the application.")
    client_secret: str | None = Field(None, min_length=1, max_length=512, repr=False)
    scope: str | None = Field(
        None, pattern=_SCOPE, description="What the token is for, such as `api://<application>/.default`."
    )

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> "AzureTarget":
        entra = (self.directory, self.client_id, self.client_secret, self.scope)
        if self.function_key is None and None in entra:
            raise ValueError("needs function_key, or directory, client_id, client_secret and scope together")
        if self.function_key is not None and any(each is not None for each in entra):
            raise ValueError("takes either function_key, or directory, client_id, client_secret and scope")
        return self


AnyTarget = Annotated[
    LambdaTarget | StepFunctionsTarget | EcsTarget | BatchTarget | GoogleTarget | AzureTarget,
    Field(discriminator="service"),
]


def region_of(target: AwsTarget, arn: str) -> str | None:
    """The region that the target names, or the ARN; None if neither does."""
    if target.region is not None:
        return target.region
    parts = arn.split(":")
    named = parts[3] if len(parts) > 5 and parts[0] == "arn" else ""
    return named if re.match(_REGION, named) else None


def pairs(variables: dict[str, str]) -> list[dict[str, str]]:
    """Environment variables as AWS takes them."""
    return [{"name": name, "value": value} for name, value in variables.items()]
