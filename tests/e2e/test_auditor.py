"""A message that the journal names and that never arrived, on the packaged app: it is rung again, and that is told."""

import json
from typing import Any

import pytest

from chalicelib.engine.audit.findings import audit_partition
from infra.local.fixtures import Stack
from tests.e2e.conftest import Api
from tests.e2e.flows import TENANT, Flows

pytestmark = pytest.mark.e2e


def test_a_message_that_never_arrived_is_rung_again_and_told(api: Api, stack: Stack) -> None:
    before = api.get("/health")["checks"]["auditor"]["findings_last_hour"]
    run = Flows(api, stack).audit()
    [told] = [each for each in _findings(stack) if each["subject"]["S"] == run]
    assert told["action"]["S"] == "run.rung_again"
    assert json.loads(told["details"]["S"])["cause"] == "vanished"
    health = api.get("/health")["checks"]
    assert health["auditor"]["findings_last_hour"] > before
    assert health["dispatcher"]["groups_alive"] == health["dispatcher"]["groups"] == 4


def _findings(stack: Stack) -> Any:
    return stack.client("dynamodb").query(
        TableName=stack.outputs["ChronosAuditTable"],
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": audit_partition(TENANT)}},
    )["Items"]
