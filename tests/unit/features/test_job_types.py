"""What the API tells of job types is true of them."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chalicelib.domain.retry import RetryPolicy
from chalicelib.executors import registry
from tests.support.api import ApiClient
from tests.support.world import World

every_type = pytest.mark.parametrize("type_", registry.types())


@pytest.fixture
def api() -> ApiClient:
    return ApiClient(World().engine, "0" * 64)


def told(api: ApiClient, type_: str) -> Any:
    answer = api.get(f"/job-types/{type_}")
    assert answer.status == 200, answer.text
    return answer.json


def test_all_types_are_listed_as_each_is_shown_and_without_a_key(api: ApiClient) -> None:
    answer = api.get("/job-types")
    assert answer.status == 200
    assert [item["type"] for item in answer.json["items"]] == list(registry.types())
    assert answer.json["items"] == [told(api, type_) for type_ in registry.types()]


def test_a_type_that_does_not_exist_is_not_found(api: ApiClient) -> None:
    assert api.get("/job-types/ftp").status == 404


@every_type
def test_its_schema_is_one_and_holds_for_the_configs_of_its_examples(type_: str, api: ApiClient) -> None:
    found = told(api, type_)
    Draft202012Validator.check_schema(found["config_schema"])
    for job in found["examples"].values():
        Draft202012Validator(found["config_schema"]).validate(job.get("config", {}))


@every_type
def test_each_of_its_examples_makes_a_job(type_: str) -> None:
    engine = World().engine
    examples = told(ApiClient(engine), type_)["examples"]
    assert examples
    roles = tuple(re.findall(r"arn:aws:iam::\d+:role/[\w-]+", json.dumps(examples)))
    api = ApiClient(replace(engine, settings=replace(engine.settings, job_roles=roles)))
    for title, job in examples.items():
        answer = api.post("/jobs", job)
        assert answer.status == 201, (title, answer.text)
        assert answer.json["type"] == type_


@every_type
def test_its_errors_are_of_use_to_a_policy(type_: str, api: ApiClient) -> None:
    found = told(api, type_)
    assert RetryPolicy.model_validate({"retry_on": found["errors"]})
    assert {"timeout", "worker_lost", "unknown"} <= set(found["errors"])
    assert ("callback_timeout" in found["errors"]) == found["calls_back"]


@every_type
def test_it_says_what_it_needs_in_sentences(type_: str, api: ApiClient) -> None:
    found = told(api, type_)
    sentences = [each["needs"] for each in found["permissions"]] + found["limits"]
    assert sentences, "a type needs something, or says that it needs nothing"
    assert all(each.endswith(".") for each in sentences)
    assert all(":" in action for each in found["permissions"] for action in each["actions"])
