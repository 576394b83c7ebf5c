"""The caller's AWS account, and what a stage has there. The account is the only record: any checkout can go on."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from infra.errors import Stop
from infra.functions import Function, Json, functions
from infra.project import API_STAGE
from infra.template import LOGGING

_API = re.compile(r":execute-api:[^:]+:\d+:(\w+)/")
_MARK = "chronos:fingerprint"
"""A tag of the api's function: what the stage was last deployed from, to the end."""


@dataclass(frozen=True)
class Live:
    """What `chalice deploy` has made of a stage. `functions` holds (function, its ARN, its role's ARN)."""

    functions: tuple[tuple[Function, str, str], ...] = ()
    api: str | None = None
    fingerprint: str | None = None

    @property
    def is_complete(self) -> bool:
        return self.api is not None and len(self.functions) == len(functions())

    def url(self, region: str) -> str:
        return f"https://{self.api}.execute-api.{region}.amazonaws.com/{API_STAGE}/"

    def parameters(self) -> dict[str, str]:
        """The functions' ARNs as the infra stack takes them."""
        return {
            f"{function.resource}Arn": arn for function, arn, _ in self.functions if function.name != "api"
        }

    def resources(self, region: str) -> list[Json]:
        """The same as Chalice writes it down, in the order of creation."""
        made: list[Json] = []
        for function, arn, role in self.functions:
            kind = {"resource_type": "iam_role", "role_arn": role, "role_name": role.rpartition("/")[2]}
            made.append({"name": f"{function.chalice}_role", **kind})
            made.append({"name": function.chalice, "resource_type": "lambda_function", "lambda_arn": arn})
        if self.api:
            address = {"rest_api_id": self.api, "rest_api_url": self.url(region)}
            made.append({"name": "rest_api", "resource_type": "rest_api", **address})
        return made


def session() -> Any:
    """The session of the environment, once AWS has accepted it. Stop if it has no region or no good credentials."""
    import boto3
    from botocore.exceptions import ClientError, NoCredentialsError, PartialCredentialsError, ProfileNotFound

    try:
        made = boto3.Session()
        if not made.region_name:
            raise Stop("No AWS region is set: give AWS_DEFAULT_REGION, or a region to the AWS profile.")
        identity = made.client("sts").get_caller_identity()
    except (NoCredentialsError, PartialCredentialsError) as error:
        ways = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise Stop(f"There are no AWS credentials in this environment: {ways}. ({error})") from error
    except ProfileNotFound as error:
        raise Stop(f"{error}: set AWS_PROFILE to one of ~/.aws/config, or `aws configure` it.") from error
    except ClientError as error:
        said = error.response["Error"]["Message"]
        raise Stop(f"AWS refuses the credentials of this environment; renew them. It says: {said}") from error
    print(f"==> account {identity['Account']}, region {made.region_name}", flush=True)
    return made


@contextmanager
def plainly() -> Iterator[None]:
    """What AWS refuses in between, as a sentence."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        said = error.response["Error"]["Message"]
        raise Stop(
            f"AWS refuses {error.operation_name}: {said}\nPut that right, and run the same command again."
        ) from error
    except BotoCoreError as error:
        raise Stop(f"AWS does not answer: {error}\nRun the same command again when it does.") from error


def find(session: Any, stage: str) -> Live:
    """What there is of the stage: its functions by their names, its API by what may call them."""
    client = session.client("lambda")
    found, mark, api = [], None, None
    for function in functions():
        answer = _or_none(client.get_function, FunctionName=function.full_name(stage))
        if answer is None:
            continue
        configuration = answer["Configuration"]
        found.append((function, configuration["FunctionArn"], configuration["Role"]))
        if function.name == "api":
            mark = answer.get("Tags", {}).get(_MARK)
            api = _api_of(session, function.full_name(stage))
    return Live(tuple(found), api, mark)


def allow_loops(session: Any, live: Live) -> None:
    """Let the functions that may feed their own queues do so as often as they need."""
    client = session.client("lambda")
    for function, arn, _ in live.functions:
        if function.may_loop:
            client.put_function_recursion_config(FunctionName=arn, RecursiveLoop="Allow")


def log_little(session: Any, live: Live, level: str) -> None:
    """Give the functions the logging that Chalice cannot express; those that have it are left alone."""
    client, wanted = session.client("lambda"), {**LOGGING, "ApplicationLogLevel": level}
    for _, arn, _ in live.functions:
        found = client.get_function_configuration(FunctionName=arn).get("LoggingConfig", {})
        if not wanted.items() <= found.items():
            client.get_waiter("function_updated_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 1})
            client.update_function_configuration(FunctionName=arn, LoggingConfig=wanted)


def mark(session: Any, live: Live, fingerprint: str) -> None:
    """Note that the stage is wholly deployed from this. Chalice takes the note off when it deploys."""
    arn = next(arn for function, arn, _ in live.functions if function.name == "api")
    session.client("lambda").tag_resource(Resource=arn, Tags={_MARK: fingerprint})


def exists(call: Any, **arguments: str) -> bool:
    """Whether what the call asks for exists."""
    return _or_none(call, **arguments) is not None


def _api_of(session: Any, function: str) -> str | None:
    """The REST API that may call the function, and still exists."""
    gateway = session.client("apigateway")
    answer = _or_none(session.client("lambda").get_policy, FunctionName=function)
    for statement in json.loads(answer["Policy"])["Statement"] if answer else ():
        source = _API.search(json.dumps(statement.get("Condition", {})))
        if source and _or_none(gateway.get_rest_api, restApiId=source[1]):
            return source[1]
    return None


def _or_none(call: Any, **arguments: str) -> Any:
    """The answer, None where what is asked for does not exist."""
    from botocore.exceptions import ClientError

    try:
        return call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ResourceNotFoundException", "NotFoundException", "404"):
            return None
        raise
