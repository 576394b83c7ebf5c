"""docs/job-types/http.md names what there is, and its example is accepted."""

import json
import re
from pathlib import Path
from typing import Any, get_args

from chalicelib.executors.http.auth import Auth
from chalicelib.executors.http.conditions import Condition
from chalicelib.executors.http.spec import SPEC, Config
from chalicelib.features.jobs.definition import definition_of

PAGE = (Path(__file__).parents[3] / "docs" / "job-types" / "http.md").read_text()


def column(title: str) -> set[str]:
    """What is set as code in the first column of a table."""
    table = PAGE.partition(f"| {title} |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    return {each for cell in cells for each in re.findall(r"`([^`]+)`", cell)}


def kinds(union: Any) -> set[str]:
    members = get_args(get_args(union)[0])
    return {get_args(each.model_fields["kind"].annotation)[0] for each in members}


def test_the_page_names_every_field() -> None:
    assert column("field") == Config.model_fields.keys()


def test_the_page_names_every_way_to_authenticate_and_every_condition() -> None:
    auth, conditions = PAGE.split("| `kind` |")[1:]
    assert set(re.findall(r"^\| `(\w+)` \|", auth, re.MULTILINE)) == kinds(Auth)
    assert set(re.findall(r"^\| `(\w+)` \|", conditions.partition("## How")[0], re.MULTILINE)) == kinds(
        Condition
    )


def test_the_page_names_every_kind_of_failure() -> None:
    assert column("kind") == {*SPEC.errors, "timeout"}


def test_the_example_is_accepted() -> None:
    [body] = re.findall(r"-d '(\{.*?\n\})'\n```", PAGE, re.DOTALL)
    assert definition_of(json.loads(body)).type == "http"
