"""A secret by its name, from the Parameter Store to a server, and nowhere else; on the emulator, with IAM enforced."""

import json
from secrets import token_hex

import pytest

from infra.local.fixtures import Stack
from tests.e2e.conftest import Api
from tests.e2e.flows import Flows
from tests.support.target import Target

pytestmark = pytest.mark.e2e


def test_a_secret_reaches_the_server_and_is_in_nothing_that_is_stored(
    api: Api, stack: Stack, server: Target
) -> None:
    name, secret = f"e2e_{token_hex(4)}", f"hunter2-{token_hex(8)}"
    Flows(api, stack).keep_secret(name, secret)
    headers = {
        "Authorization": "Bearer ${{ secrets." + name + " }}",
        "X-Other": "${{ secretsmanager." + name + " }}",
        "X-Day": "${{ run.nominal | date('%d') }}",
    }
    job = api.http_job({"kind": "manual"}, server.url, config={"headers": headers})
    api.post(f"/jobs/{job['id']}/trigger")
    run = api.finished(job, "SUCCEEDED", "FAILED")
    assert run["status"] == "SUCCEEDED", run
    sent = server.calls[0].headers
    assert (sent["authorization"], sent["x-other"]) == (f"Bearer {secret}", secret)
    assert sent["x-day"] == run["nominal_at"][8:10]
    shown = [run, api.get(f"/jobs/{job['id']}"), api.get(f"/jobs/{job['id']}/revisions")]
    tables = ("Catalog", "Timers", "Runs", "Audit")
    client = stack.client("dynamodb")
    stored = [client.scan(TableName=stack.outputs[f"Chronos{each}Table"])["Items"] for each in tables]
    everything = json.dumps([shown, stored], default=str) + stack.emulator.log.read_text(errors="replace")
    assert "${{ secrets." in everything
    assert secret not in everything


def test_a_secret_that_is_not_there_fails_the_run_by_its_name(api: Api) -> None:
    config = {"output": "${{ secrets.nobody_put_it_in }}"}
    job = api.job({"kind": "manual"}, type="dummy", config=config)
    api.post(f"/jobs/{job['id']}/trigger")
    run = api.finished(job, "SUCCEEDED", "FAILED")
    [attempt] = run["attempts"]
    assert attempt["error"]["kind"] == "template"
    assert "there is no secret secrets.nobody_put_it_in" in attempt["error"]["message"]
