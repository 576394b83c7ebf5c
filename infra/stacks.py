"""CloudFormation stacks: create or update and wait, outputs, delete. Works alike on AWS and on the emulator."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from infra.errors import Stop
from infra.functions import APP, Json

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


def name_of(stage: str) -> str:
    return f"{APP}-{stage}"


def put(
    client: Any,
    name: str,
    template: Json,
    parameters: Mapping[str, str],
    *,
    poll_seconds: float = 3,
    upload: Callable[[bytes], str] | None = None,
) -> dict[str, str]:
    """Create or update the stack, wait for the end, and give its outputs. Parameters left out keep their values.

    A template over 51,200 bytes needs `upload`: it stores the text in S3 and gives its URL.
    """
    from botocore.exceptions import ClientError, WaiterError

    exists = outputs(client, name) is not None
    kept = _parameters(client, name) if exists else set()
    values = [
        {"ParameterKey": key, "ParameterValue": parameters[key]}
        if key in parameters
        else {"ParameterKey": key, "UsePreviousValue": True}
        for key in template.get("Parameters", {})
        if key in parameters or key in kept
    ]
    text = json.dumps(template, separators=(",", ":"))
    request = {
        "StackName": name,
        **({"TemplateURL": upload(text.encode())} if upload else {"TemplateBody": text}),
        "Parameters": values,
        "Capabilities": _CAPABILITIES,
    }
    try:
        (client.update_stack if exists else client.create_stack)(**request)
        waiter = client.get_waiter("stack_update_complete" if exists else "stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": poll_seconds, "MaxAttempts": 400})
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise Stop(
                f"CloudFormation refuses the stack {name}: {error.response['Error']['Message'][-800:]}"
            ) from error
    except WaiterError as error:
        raise Stop(f"The stack {name} failed:\n{_why(client, name)}") from error
    return outputs(client, name) or {}


def outputs(client: Any, name: str) -> dict[str, str] | None:
    """The stack's outputs by name; None if there is no such stack."""
    stack = _describe(client, name)
    if stack is None:
        return None
    return {each["OutputKey"]: each.get("OutputValue", "") for each in stack.get("Outputs", [])}


def delete(client: Any, name: str) -> None:
    """Delete the stack and wait; nothing happens if there is none."""
    client.delete_stack(StackName=name)
    client.get_waiter("stack_delete_complete").wait(
        StackName=name, WaiterConfig={"Delay": 3, "MaxAttempts": 400}
    )


def _parameters(client: Any, name: str) -> set[str]:
    return {each["ParameterKey"] for each in (_describe(client, name) or {}).get("Parameters", [])}


def _describe(client: Any, name: str) -> Json | None:
    from botocore.exceptions import ClientError

    try:
        found: Json = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if found["StackStatus"] == "DELETE_COMPLETE" else found


def _why(client: Any, name: str) -> str:
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each for each in events if each["ResourceStatus"].endswith("FAILED")]
    return "\n".join(
        f"  {each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}" for each in failed[:10]
    )
