"""Each job type has a page in docs/job-types: its example is accepted, it names the fields and the failures."""

import json
import re
from dataclasses import replace

import pytest

from chalicelib.executors import registry
from infra.paths import ROOT
from tests.support.api import ApiClient
from tests.support.world import World

FOLDER = ROOT / "docs" / "job-types"
COMMON = {"worker_lost", "template", "unknown", "timeout", "callback_failed", "callback_timeout"}
every_type = pytest.mark.parametrize("type_", registry.types())


def test_there_is_no_page_of_a_type_that_does_not_exist() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(registry.types())


@every_type
def test_the_jobs_on_its_page_are_accepted(type_: str) -> None:
    page = (FOLDER / f"{type_}.md").read_text()
    bodies = re.findall(r"/jobs\"? .*?-d '(.*?)'$", page, re.DOTALL | re.MULTILINE)
    assert bodies, "a page has an example to begin with"
    engine = World().engine
    roles = tuple(re.findall(r"arn:aws:iam::\d+:role/[\w-]+", page))
    api = ApiClient(replace(engine, settings=replace(engine.settings, job_roles=roles)))
    for body in bodies:
        answer = api.post("/jobs", json.loads(body))
        assert answer.status == 201, answer.text
        assert answer.json["type"] == type_


@every_type
def test_its_page_names_its_fields_and_the_kinds_of_its_failures(type_: str) -> None:
    page = (FOLDER / f"{type_}.md").read_text()
    spec = registry.spec(type_)
    assert spec is not None
    wanted = {*spec.config.model_fields, *(set(spec.errors) - COMMON)}
    assert sorted(name for name in wanted if not re.search(rf"\b{name}\b", page)) == []
