"""CloudFormation stacks: create or update and wait, look at, delete. Works alike on AWS and on the emulator."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.errors import Stop
from infra.functions import APP, Json

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


class Failed(Stop):
    """CloudFormation began, and failed."""


@dataclass(frozen=True)
class Stack:
    """A stack as it stands. `status` is CloudFormation's word."""

    status: str
    description: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]


def name_of(stage: str) -> str:
    return f"{APP}-{stage}"


def find(client: Any, name: str) -> Stack | None:
    """The stack, None if there is none of the name."""
    from botocore.exceptions import ClientError

    try:
        found: Json = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    if found["StackStatus"] == "DELETE_COMPLETE":
        return None
    return Stack(
        found["StackStatus"],
        found.get("Description", ""),
        {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", [])},
        {each["OutputKey"]: each.get("OutputValue", "") for each in found.get("Outputs", [])},
    )


def put(
    client: Any,
    name: str,
    template: Json,
    parameters: Mapping[str, str],
    *,
    poll_seconds: float = 1,
    upload: Callable[[bytes], str] | None = None,
) -> dict[str, str]:
    """Create or update the stack, wait for the end, and give its outputs. Parameters left out keep their values.

    A template over 51,200 bytes needs `upload`: it stores the text in S3 and gives its URL. Stop if CloudFormation
    refuses it, Failed if it begins and does not get to the end.
    """
    from botocore.exceptions import ClientError, WaiterError

    existing = find(client, name)
    text = json.dumps(template, separators=(",", ":"))
    request = {
        "StackName": name,
        **({"TemplateURL": upload(text.encode())} if upload else {"TemplateBody": text}),
        "Parameters": _values(template, parameters, existing),
        "Capabilities": _CAPABILITIES,
    }
    try:
        (client.update_stack if existing else client.create_stack)(**request)
        waiter = client.get_waiter("stack_update_complete" if existing else "stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": poll_seconds, "MaxAttempts": 1200})
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            said = error.response["Error"]["Message"][-800:]
            raise Stop(f"CloudFormation refuses the stack {name}: {said}") from error
    except WaiterError as error:
        raise Failed(f"The stack {name} failed:\n{_why(client, name)}") from error
    done = find(client, name)
    return dict(done.outputs) if done else {}


def delete(client: Any, name: str) -> None:
    """Delete the stack and wait; nothing happens if there is none. Stop if something of it cannot be deleted."""
    from botocore.exceptions import WaiterError

    client.delete_stack(StackName=name)
    try:
        client.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 1200}
        )
    except WaiterError as error:
        raise Stop(f"The stack {name} cannot be deleted:\n{_why(client, name)}") from error


TABLE, BUCKET = "AWS::DynamoDB::Table", "AWS::S3::Bucket"


def names_of(client: Any, name: str, kind: str) -> list[str]:
    """The names of the stack's resources of a type."""
    pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
    resources = [each for page in pages for each in page["StackResourceSummaries"]]
    return [
        each["PhysicalResourceId"]
        for each in resources
        if each["ResourceType"] == kind and each.get("PhysicalResourceId")
    ]


def _values(template: Json, given: Mapping[str, str], existing: Stack | None) -> list[Json]:
    known = existing.parameters if existing else {}
    return [
        {"ParameterKey": key, "ParameterValue": given[key]}
        if key in given
        else {"ParameterKey": key, "UsePreviousValue": True}
        for key in template.get("Parameters", {})
        if key in given or key in known
    ]


def _why(client: Any, name: str) -> str:
    """The reasons of the latest operation's failures; what was cancelled because of them is left out."""
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    failed = {
        f"  {each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}": None
        for each in events
        if each["ResourceStatus"].endswith("FAILED")
        and "cancelled" not in each.get("ResourceStatusReason", "")
    }
    return "\n".join(list(failed)[:10])
