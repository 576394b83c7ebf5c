"""The examples of docs/flow-control.md are accepted, and its table of the breaker is what happens."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from chalicelib.domain.breaker import ILL, State
from chalicelib.domain.limits import TargetLimits
from chalicelib.features.jobs.definition import definition_of
from chalicelib.features.limits.views import TargetView

PAGE = (Path(__file__).parents[3] / "docs" / "flow-control.md").read_text()
EXAMPLES: list[dict[str, Any]] = [
    json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
]
JOBS = [each for each in EXAMPLES if "type" in each]
VIEWS = [each for each in EXAMPLES if "state" in each]
LIMITS = [each for each in EXAMPLES if each not in JOBS and each not in VIEWS]


@pytest.mark.parametrize("example", JOBS)
def test_a_job_on_the_page_is_accepted(example: dict[str, Any]) -> None:
    assert definition_of(example).rate is not None


@pytest.mark.parametrize("example", LIMITS)
def test_limits_on_the_page_are_accepted(example: dict[str, Any]) -> None:
    assert TargetLimits.model_validate(example).breaker is not None


@pytest.mark.parametrize("example", VIEWS)
def test_an_answer_on_the_page_has_all_that_answers_have(example: dict[str, Any]) -> None:
    TargetView.model_validate(example)
    assert example.keys() == TargetView.model_fields.keys()


def test_the_page_names_each_state_and_each_kind_that_counts() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert {state for row in rows for state in row} == set(get_args(State))
    assert all(f"`{kind}`" in PAGE for kind in ILL)
    assert len(JOBS) == len(VIEWS) == len(LIMITS) == 1
