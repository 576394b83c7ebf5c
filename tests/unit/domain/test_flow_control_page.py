"""The examples of docs/flow-control.md are accepted."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.features.jobs.definition import definition_of

PAGE = Path(__file__).parents[3] / "docs" / "flow-control.md"
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)]


def test_the_page_has_examples() -> None:
    assert any("type" in example for example in EXAMPLES)


@pytest.mark.parametrize("example", [each for each in EXAMPLES if "type" in each])
def test_a_job_on_the_page_is_accepted(example: dict[str, Any]) -> None:
    assert definition_of(example).rate is not None
