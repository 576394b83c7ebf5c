"""`make restore` on the emulator: the tables are replaced by their copies, and nothing below the floor is done again.

The emulator has no point-in-time recovery: copies made by a scan stand for restored tables.
"""

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.aws.expressions import encode
from chalicelib.domain.ids import bucket_of
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.records import encode_run, skips_of_job
from chalicelib.engine.wheel.arm import trigger_timer
from chalicelib.engine.wheel.timers import JobTimer, encode_timer
from infra import account, restore
from infra.local import stack as local
from infra.local.fixtures import Stack
from tests.e2e.conftest import Api, in_seconds, ms
from tests.support.aws import create_tables
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
TENANT, SHARDS = "local", 64
MINUTE = 60_000


def test_a_stage_goes_on_from_copies_and_does_nothing_of_before_the_floor(own_stack: Stack) -> None:
    stack, api = own_stack, Api(own_stack.api, own_stack.key)
    dynamodb = stack.client("dynamodb")
    manual = api.job({"kind": "manual"}, type="dummy")
    yearly = api.job("0 0 1 1 *", type="dummy")
    copies = create_tables(dynamodb, "copy")
    for name, copied in copies.items():
        restore.replace_items(dynamodb, stack.outputs[f"Chronos{name.capitalize()}Table"], copied)
    at = ms(in_seconds(0)) - 3 * MINUTE
    run = Run("run_" + "0" * 26, TENANT, manual["id"], RunStatus.PENDING, "manual", at, at, 1)
    new_year = ms(datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC).isoformat())
    put = dynamodb.put_item
    put(TableName=copies["runs"], Item=encode(encode_run(run, expires_at=int(time.time()) + 86_400)))
    timers = [trigger_timer(run, shard(manual)), JobTimer(shard(yearly), TENANT, yearly["id"], 1, new_year)]
    for timer in timers:
        put(TableName=copies["timers"], Item=encode(encode_timer(timer)))
    later = api.job({"kind": "manual"}, type="dummy")

    live = account.find(SimpleNamespace(client=stack.client), local.STAGE)
    restore.carry_out(stack.client, live, stack.outputs, at + MINUTE, copies)

    eventually(lambda: api.call("GET", "/health").ok)
    assert api.call("GET", f"/jobs/{later['id']}").status_code == 404
    for group in range(local.GROUPS):
        stack.invoke("dispatcher", {"group": group, "groups": local.GROUPS})
    found = eventually(lambda: skipped(api, run.id))
    assert found["attempts"] == []
    reasons = [str(item["sk"]["S"]).partition("#")[2] for item in ranges(stack, yearly)]
    assert reasons == ["restored"]
    assert api.runs(yearly) == []


def skipped(api: Api, run_id: str) -> Any:
    run = api.get(f"/runs/{run_id}")
    return run if (run["status"], run["skip_reason"]) == ("SKIPPED", "restored") else None


def ranges(stack: Stack, job: Any) -> Any:
    """The job's skipped ranges as they are stored."""
    return stack.client("dynamodb").query(
        TableName=stack.outputs["ChronosRunsTable"],
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": skips_of_job(TENANT, job["id"])}},
    )["Items"]


def shard(job: Any) -> int:
    return bucket_of(job["id"], SHARDS)
