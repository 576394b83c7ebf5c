"""The functions' policies are exact: what functions.yaml grants is what the functions use, and nothing else.

That nothing is missing follows from every end-to-end test, since the emulator enforces the policies.
"""

import re
from collections.abc import Iterator

import pytest

from chalicelib.domain.lanes import LANES
from infra.functions import Function, functions
from infra.local import stack as local
from infra.local.fixtures import Stack
from tests.e2e import flows
from tests.e2e.conftest import Api
from tests.e2e.flows import CALLED_FOR, Flows

pytestmark = pytest.mark.e2e

UNSEEN = {
    "logs:CreateLogStream": "Lambda writes a function's log with its role; the emulator does it without asking",
    "logs:PutLogEvents": "as above",
    "sqs:ReceiveMessage": "Lambda polls a queue with the function's role; the emulator does it without asking",
    "sqs:DeleteMessage": "as above",
    "sqs:GetQueueAttributes": "as above",
    "s3:AbortMultipartUpload": "an upload that breaks off halfway: tests/contract/ports/test_outputs.py",
}
"""Actions that are needed on AWS and that no flow on the emulator can show, and why."""
KEPT = ("ssm:GetParameter", "secretsmanager:GetSecretValue")
"""A process keeps what it has read for minutes: another test's run may have had it read, before the flows."""
ROLES = "sts:AssumeRole"
"""What the workers of all lanes may do, and those show whose types use AWS."""
NO_TYPE_YET = {
    ("sqs:SendMessage", f"${{{lane.capitalize()}QueueArn}}")
    for lane in LANES
    if lane not in {*flows.LANES, *CALLED_FOR}
}
"""To lanes that no type calls for."""


@pytest.fixture(scope="module")
def used(api: Api, stack: Stack) -> dict[str, set[tuple[str, str]]]:
    """(action, resource as functions.yaml writes it) by the function's full name, from here to the end of all flows."""
    before = len(stack.allowed())
    Flows(api, stack).all()
    names = {arn: "${" + name + "}" for name, arn in stack.outputs.items() if name.endswith("Arn")}
    names[stack.outputs["JobRoleArns"]] = "${JobRoleArns}"
    open_ended = ("JobParametersArn", "JobSecretsArn", "OutputsBucketArn")
    folders = {stack.outputs[name]: "${" + name + "}/*" for name in open_ended}
    found: dict[str, set[tuple[str, str]]] = {}
    allowed = stack.allowed()
    for function, action, resource in [
        *(each for each in allowed[:before] if each[1] in KEPT),
        *allowed[before:],
    ]:
        arn, index = re.fullmatch(r"(.+?)(/index/\w+)?", resource).groups(default="")  # type: ignore[union-attr]
        inside = next((each for folder, each in folders.items() if arn.startswith(f"{folder}/")), None)
        found.setdefault(function, set()).add((action, inside or names.get(arn, arn) + index))
    return found


@pytest.mark.parametrize("function", functions(), ids=lambda function: function.name)
def test_a_function_is_granted_what_it_uses_and_no_more(
    function: Function, used: dict[str, set[tuple[str, str]]]
) -> None:
    granted = {each for each in _granted(function) if each[0] not in UNSEEN}
    assert sorted(granted - _shown(function, used) - NO_TYPE_YET) == []


@pytest.mark.parametrize("action", UNSEEN)
def test_what_no_flow_can_show_is_granted_to_some_function(action: str) -> None:
    assert [function.name for function in functions() if action in {each for each, _ in _granted(function)}]


def _shown(function: Function, used: dict[str, set[tuple[str, str]]]) -> set[tuple[str, str]]:
    """What the function has used. The workers of lanes that a type calls for are the same code as the others."""
    shown = used.get(function.full_name(local.STAGE), set())
    if function.name.endswith("_worker"):
        shown |= {
            each for name in used if name.endswith("_worker") for each in used[name] if each[0] == ROLES
        }
    lane = function.name.removesuffix("_worker")
    if lane == function.name or lane in flows.LANES:
        return shown
    return shown.union(*(used[f"chronos-{local.STAGE}-{each}_worker"] for each in flows.LANES))


def _granted(function: Function) -> Iterator[tuple[str, str]]:
    for statement in function.statements:
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                yield action, resource
