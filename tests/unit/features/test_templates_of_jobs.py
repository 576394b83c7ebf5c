"""Templates when a job is saved or triggered: what is wrong is told at once, with its place."""

import json
from typing import Any

import pytest

from chalicelib.domain.templates import MAX_BYTES
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import ExecutorSettings
from chalicelib.features.validation import MAX_PROBLEMS
from chalicelib.ports.contact import Contact
from tests.support.api import ApiClient
from tests.support.memory import MemoryJobSecrets
from tests.support.world import TENANT, World

SECRET = "correct-horse-battery"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


def job(type_: str, config: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": "nightly", "type": type_, "config": config, "schedule": {"kind": "manual"}, **fields}


def http(url: str, **config: Any) -> dict[str, Any]:
    return job("http", {"url": url, **config}, tags={"host": "api.example.com", "port": "8443"})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (http("https://example.com/${{ run.nominal | date('%Y/%m/%d') }}"), "a path"),
        (http("https://example.com/?n=${{ job.name | url }}"), "a query"),
        (http("https://${{ job.tags.host }}:${{ job.tags.port }}/x"), "a host of the job's own"),
        (http("https://example.com/${{ secrets.hook }}"), "a secret path"),
        (http("https://example.com/", headers={"Authorization": "Bearer ${{ secrets.api }}"}), "a header"),
        (http("https://example.com/", method="${{ secrets.method }}"), "what only the run knows"),
        (http("https://example.com/", body={"at": ["${{ run.nominal }}"]}), "deep inside"),
        (http("https://example.com/", body="$${{ nothing }}"), "escaped"),
        (http("https://example.com:${{ secretsmanager.x.port }}/"), "a secret port"),
        (job("dummy", {"duration_seconds": "${{ run.attempt }}"}), "a number for a number"),
        (job("dummy", {"duration_seconds": "${{ secretsmanager.db.seconds }}"}), "or what may be one"),
        ({"schedule": "0 0 * * *", "api": "https://example.com/${{ run.id }}"}, "in the short form"),
    ],
)
def test_a_config_with_templates_is_saved_as_it_was_sent(api: ApiClient, body: Any, why: str) -> None:
    saved = api.post("/jobs", body)
    assert saved.status == 201, (why, saved.text)
    if "config" in body:
        assert saved.json["config"] == body["config"]


@pytest.mark.parametrize(
    ("body", "pointer", "words", "why"),
    [
        (http("https://example.com/${{ run.ID }}"), "/config/url", "There is no 'run.ID'", "a name"),
        (http("https://example.com/${{ run.id"), "/config/url", "Expected }}", "the syntax"),
        (
            http("https://example.com/", headers={"X-A": "${{ run.nominal | dat('%Y') }}"}),
            "/config/headers/X-A",
            "there is no filter",
            "a filter",
        ),
        (
            http("https://example.com/", body={"a": [1, "${{ job.tags.gone }}"]}),
            "/config/body/a/1",
            "no tag 'gone'",
            "a tag",
        ),
        (http("${{ run.id }}"), "/config/url", "must begin with http", "what it would become"),
        (http("https://a b/${{ run.id }}"), "/config/url", "must not contain spaces", "the same, around it"),
        (
            http("https://example.com/", headers={"X-A": "${{ job.name }}\n"}),
            "/config/headers",
            "one line",
            "a header",
        ),
        (
            job("dummy", {"duration_seconds": "${{ run.id }}"}),
            "/config/duration_seconds",
            "number",
            "a text for a number",
        ),
        (
            job("dummy", {"duration_seconds": "x${{ secrets.a }}"}),
            "/config/duration_seconds",
            "number",
            "no number",
        ),
        (job("dummy", {"${{ run.id }}": 1}), "/config/${{ run.id }}", "not known", "names are not filled in"),
        (http("https://${{ secrets.host }}/"), "/config/url", "cannot say where", "a secret host"),
        (
            http("https://a${{ run.attempt }}.example.com/"),
            "/config/url",
            "cannot say where",
            "a moving host",
        ),
        (http("${{ secrets.url }}"), "/config/url", "cannot say where", "a secret URL"),
        (
            http("https://example.com/${{ secrets.a.b.c }}"),
            "/config/url",
            "names no secret",
            "a secret's name",
        ),
        (
            {"schedule": "0 0 * * *", "api": "https://example.com/${{ run }}"},
            "/api",
            "There is no 'run'",
            "the short form",
        ),
    ],
)
def test_what_is_wrong_with_a_template_is_told_when_the_job_is_saved(
    api: ApiClient, body: Any, pointer: str, words: str, why: str
) -> None:
    refused = api.post("/jobs", body)
    assert refused.status == 422, why
    found = {each["pointer"]: each["message"] for each in refused.json["errors"]}
    assert words.lower() in found[pointer].lower(), (why, found)


def test_only_the_string_that_moves_the_target_is_blamed(api: ApiClient) -> None:
    body = http("https://${{ secrets.host }}/", headers={"Authorization": "${{ secrets.token }}"})
    refused = api.post("/jobs", body)
    assert [each["pointer"] for each in refused.json["errors"]] == ["/config/url"]


def test_problems_are_counted_up_to_a_bound(api: ApiClient) -> None:
    refused = api.post("/jobs", http("https://example.com/", body=["${{ x | tz('Mars') }}"] * 5_000))
    assert refused.status == 422
    assert len(refused.json["errors"]) == MAX_PROBLEMS


def test_a_config_that_would_grow_too_large_is_refused(api: ApiClient) -> None:
    name = "n" * 128
    body = ["${{ job.name }}"] * (MAX_BYTES // len(name) + 1)
    refused = api.post("/jobs", {**http("https://example.com/", body=body), "name": name})
    assert refused.status == 422
    assert "comes to more than" in refused.json["errors"][0]["message"]


def test_edits_are_judged_by_the_name_and_tags_that_they_lead_to(api: ApiClient) -> None:
    body = http("https://example.com/${{ job.tags.host }}")
    path = f"/jobs/{api.post('/jobs', body).json['id']}"
    refused = api.patch(path, {"tags": {"host": None}})
    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == "/config/url"
    assert api.patch(path, {"tags": {"port": None}}).status == 200


def test_what_a_trigger_changes_is_judged_in_the_same_way(api: ApiClient) -> None:
    path = f"/jobs/{api.post('/jobs', http('https://example.com/')).json['id']}/trigger"
    refused = api.post(path, {"config": {"url": "https://example.com/${{ nothing }}"}})
    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == "/config/url"
    assert api.post(path, {"config": {"url": "https://${{ job.tags.host }}/"}}).status == 202


def test_a_secret_is_in_nothing_that_is_stored_sent_or_said(api: ApiClient, world: World) -> None:
    secrets = MemoryJobSecrets()
    secrets.put(TENANT, "secrets.token", SECRET)
    secrets.put(TENANT, "secretsmanager.db", json.dumps({"password": SECRET}))
    attempt = attempts(world.clock, ExecutorSettings(), secrets=secrets)
    world.outcome = lambda job, run: attempt(job, run, world.clock.monotonic() + 30, Contact())
    config = {
        "output": ["${{ secrets.token }}", "x ${{ secretsmanager.db.password | base64 }}"],
        "fail_attempts": 1,
    }
    retry = {"initial_delay_seconds": 1, "strategy": "fixed"}
    made = api.post("/jobs", job("dummy", config, retry=retry, pause_after_failures=3)).json
    run = api.post(f"/jobs/{made['id']}/trigger", {"config": {"report_progress": True}, "note": "why"}).json
    world.advance(30)
    shown = api.get(f"/runs/{run['id']}")
    assert shown.json["status"] == "SUCCEEDED", shown.text
    assert shown.json["attempts"][-1]["result"] == {"output": ["***", "x ***"]}
    assert len(secrets.asked) == 4
    tables = (world.db.catalog, world.db.timers, world.db.runs, world.db.audit)
    stored = [item for table in tables for item in table.items.values()]
    everything = json.dumps([stored, world.telemetry.lines, shown.json], default=repr)
    assert "secrets.token" in everything
    assert SECRET not in everything
    assert "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5" not in everything, "nor in base64"
