"""Exports come in again as they were, for every kind of job; imports go by names, and say what they do."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from chalicelib.domain.errors import Unavailable
from chalicelib.executors import registry
from chalicelib.features.transfer import service
from tests.support.api import HTTP_JOB, ApiClient
from tests.support.interference import Interfered, interfered
from tests.support.world import World

YAML = "application/yaml"
SCHEDULES: dict[str, Any] = {
    "manual": {"kind": "manual"},
    "cron": {"kind": "cron", "expression": "0 30 2 * * *", "timezone": "Europe/Berlin"},
    "short cron": "*/5 * * * *",
    "interval": {"kind": "interval", "every": "PT5M"},
    "once": {"kind": "once", "at": "2030-01-01T00:00:00Z"},
    "several": [{"kind": "cron", "expression": "0 9 * * MON"}, {"kind": "cron", "expression": "0 17 L * *"}],
}
FULL: dict[str, Any] = {
    **HTTP_JOB,
    "name": "full",
    "description": "no: 1\n---\n*x &y #z\n",
    "tags": {"yes": "no", "a b": "1e3", "n": "0x1F", "empty": ""},
    "exclude": [{"kind": "range", "from": "2027-08-01T00:00:00Z", "until": "2027-08-15T00:00:00Z"}],
    "retry": {"max_attempts": 3, "strategy": "fixed", "initial_delay_seconds": 1.5},
    "concurrency": {"policy": "queue", "limit": 2, "buffer": 3},
    "pause_after_failures": 5,
}


def kinds() -> dict[str, dict[str, Any]]:
    """A job of each type that has an example, one of each kind of schedule, and one that has nearly everything."""
    specs = [spec for type_ in registry.types() if (spec := registry.spec(type_))]
    found = {
        f"{spec.type}: {title}": {**job, "name": f"{spec.type}: {title}"}
        for spec in specs
        for title, job in spec.every_example().items()
        if job["config"] or spec.type == "dummy"
    }
    found |= {name: {**HTTP_JOB, "name": name, "schedule": each} for name, each in SCHEDULES.items()}
    return {**found, "full": FULL}


def letting_in(job: dict[str, Any]) -> ApiClient:
    """A deployment whose jobs may use the AWS roles that this one names."""
    engine = World().engine
    roles = tuple(re.findall(r"arn:aws:iam::\d+:role/[\w-]+", json.dumps(job)))
    return ApiClient(replace(engine, settings=replace(engine.settings, job_roles=roles)))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def api(world: World, db: Interfered) -> ApiClient:
    return ApiClient(world.engine)


def imported(api: ApiClient, *jobs: dict[str, Any], query: str = "") -> Any:
    answer = api.post(f"/jobs/import?{query}", {"jobs": list(jobs)})
    assert answer.status == 200, answer.text
    return answer.json


def outcomes(result: Any) -> dict[str, str]:
    return {item["name"]: item["outcome"] for item in result["items"]}


@pytest.mark.parametrize("format_", ["json", "yaml"])
@pytest.mark.parametrize("kind", kinds())
def test_each_kind_of_job_comes_in_as_it_went_out(kind: str, format_: str) -> None:
    api, elsewhere = letting_in(kinds()[kind]), letting_in(kinds()[kind])
    api.create(**kinds()[kind])
    exported = api.get(f"/jobs/export?format={format_}")
    media_type = exported.headers["Content-Type"]
    result = elsewhere("POST", "/jobs/import", exported.text.encode(), media_type=media_type).json
    assert outcomes(result) == {kind: "created"}
    assert elsewhere.get(f"/jobs/export?format={format_}").text == exported.text
    again = elsewhere("POST", "/jobs/import", exported.text.encode(), media_type=media_type).json
    assert outcomes(again) == {kind: "unchanged"}


def test_an_export_is_yaml_that_other_programs_read(api: ApiClient) -> None:
    api.create(**FULL)
    answer = api.get("/jobs/export?format=yaml")
    assert answer.headers["Content-Type"] == YAML
    assert yaml.safe_load(answer.text) == api.get("/jobs/export").json


def test_an_export_takes_filters_and_goes_on_page_by_page(api: ApiClient) -> None:
    for name in ("a", "b", "c"):
        api.create(name=name, tags={"team": "x" if name < "c" else "y"})
    first = api.get("/jobs/export?tags=team=x&limit=1").json
    second = api.get(f"/jobs/export?tags=team=x&limit=1&cursor={first['next_cursor']}").json
    assert [first["jobs"][0]["name"], second["jobs"][0]["name"]] == ["b", "a"]


def test_a_conflict_keeps_everything_out(api: ApiClient) -> None:
    api.create(name="a", description="old")
    answer = api.post("/jobs/import", {"jobs": [{**HTTP_JOB, "name": "new"}, {**HTTP_JOB, "name": "a"}]})
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert "'a'" in answer.json["detail"]
    assert [job["name"] for job in api.get("/jobs").json["items"]] == ["a"]


def test_what_is_there_is_skipped_or_replaced_as_asked(api: ApiClient) -> None:
    before = api.create(name="a", description="old")
    api.post(f"/jobs/{before['id']}/pause")
    new = {**HTTP_JOB, "name": "a", "description": "new"}
    assert outcomes(imported(api, new, query="on_conflict=skip")) == {"a": "skipped"}
    (item,) = imported(api, new, query="on_conflict=replace")["items"]
    assert (item["outcome"], item["job_id"]) == ("replaced", before["id"])
    after = api.get(f"/jobs/{before['id']}").json
    assert (after["description"], after["status"]) == ("new", "paused")


def test_a_dry_run_tells_the_differences_and_saves_nothing(api: ApiClient) -> None:
    api.create(name="a", description="old")
    new = {**HTTP_JOB, "name": "a", "description": "new"}
    result = imported(api, new, {**HTTP_JOB, "name": "b"}, query="on_conflict=replace&dry_run=true")
    assert outcomes(result) == {"a": "replaced", "b": "created"}
    assert result["items"][0]["changes"] == [
        {"pointer": "/description", "change": "replaced", "before": "old", "after": "new"}
    ]
    assert [job["description"] for job in api.get("/jobs").json["items"]] == ["old"]
    assert outcomes(imported(api, new, query="dry_run=true")) == {"a": "conflict"}


def test_of_several_jobs_with_the_name_none_is_replaced(api: ApiClient) -> None:
    for description in ("x", "y"):
        api.create(name="a", description=description)
    new = {**HTTP_JOB, "name": "a"}
    (item,) = imported(api, new, query="on_conflict=replace")["items"]
    assert (item["outcome"], item["error"]["code"]) == ("failed", "conflict")
    assert outcomes(imported(api, new, query="on_conflict=skip")) == {"a": "skipped"}
    assert outcomes(imported(api, {**new, "description": "x"})) == {"a": "unchanged"}


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_saved(api: ApiClient) -> None:
    jobs = [HTTP_JOB, {**HTTP_JOB, "name": "b", "config": {}}, {"name": "c"}, HTTP_JOB]
    answer = api.post("/jobs/import", {"jobs": jobs})
    assert answer.pointers == {
        "/jobs/1/config/url": "required",
        "/jobs/2/type": "required",
        "/jobs/3/name": "repeated",
    }
    assert api.get("/jobs").json["items"] == []


def test_one_that_fails_stops_no_other(api: ApiClient, db: Interfered) -> None:
    def fails() -> None:
        raise Unavailable("DynamoDB did not answer.")

    db.before, db.times = fails, 1
    result = imported(api, {**HTTP_JOB, "name": "a"}, {**HTTP_JOB, "name": "b"})
    assert (outcomes(result), result["failed"]) == ({"a": "failed", "b": "created"}, 1)
    assert result["items"][0]["error"]["code"] == "unavailable"


def test_among_too_many_jobs_no_name_is_looked_for(api: ApiClient, db: Interfered) -> None:
    one = api.create(name="a")
    item = next(each for key, each in db.catalog.items.items() if key[1] == "job")
    for number in range(service.MAX_KNOWN + 1):
        identifier = one["id"][:-5] + f"{number:05d}"
        db.catalog.items[f"local#{identifier}", "job"] = {
            **item,
            "pk": f"local#{identifier}",
            "lsk": identifier,
        }
    answer = api.post("/jobs/import", {"jobs": [HTTP_JOB]})
    assert (answer.status, answer.json["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("text", "status", "why"),
    [
        ("jobs: [", 400, "cut off"),
        ("- a", 400, "a list"),
        ("jobs: &x []\nnext_cursor: *x", 400, "an alias"),
        ("jobs: !!python/name:os.system", 400, "a tag"),
        ("jobs: []", 422, "no jobs"),
        ("jobs: [{name: 1}]", 422, "a job that is none"),
        ("x: 1\njobs: [{}]", 422, "an unknown field"),
        ("jobs: [" + "{}," * 101 + "]", 422, "too many"),
        ("x" * 300_000, 413, "too large"),
    ],
)
def test_a_document_that_does_not_do_is_refused(api: ApiClient, text: str, status: int, why: str) -> None:
    answer = api("POST", "/jobs/import", text.encode(), media_type=YAML)
    assert answer.status == status, why


def test_yaml_is_taken_where_it_is_offered_only(api: ApiClient) -> None:
    assert api("POST", "/jobs", b"name: x", media_type=YAML).status == 415
