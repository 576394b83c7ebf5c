"""docs/templates.md names all that templates know, and nothing else; its examples are accepted."""

import json
import re
from pathlib import Path

from chalicelib.domain.job import JobDefinition
from chalicelib.domain.masking import MIN_LENGTH
from chalicelib.domain.template_filters import _DIRECTIVES, FILTERS
from chalicelib.domain.templates import MAX_BYTES, MAX_FILTERS, NAMES
from chalicelib.features.jobs.definition import definition_of
from chalicelib.features.jobs.samples import sample_facts, sampled

PAGE = (Path(__file__).parents[3] / "docs" / "templates.md").read_text()


def column(title: str) -> set[str]:
    """What is set as code in the first column of a table."""
    table = PAGE.partition(f"| {title} |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    return {each for cell in cells for each in re.findall(r"`([^`]+)`", cell)}


def test_the_page_names_every_name() -> None:
    named = {each for each in column("name") if "<" not in each}
    assert named == NAMES.keys()


def test_the_page_names_every_filter_and_directive() -> None:
    assert {each.partition("(")[0] for each in column("filter")} == {*FILTERS, "default"}
    [directives] = re.findall(r"directives are `([^`]+)`", PAGE)
    assert {each[1] for each in directives.split()} == _DIRECTIVES


def test_every_filter_on_the_page_works_as_it_is_written() -> None:
    for each in column("filter"):
        name = "job.tags.gone" if each.startswith("default") else "run.nominal"
        assert sampled({"x": f"${{{{ {name} | {each} }}}}"}, sample_facts("n", {}), "").problems == []


def test_the_examples_are_accepted() -> None:
    examples = re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(examples) == 2
    for example in examples:
        assert isinstance(definition_of(json.loads(example)), JobDefinition)


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"{MAX_BYTES // 1024} KB at most" in PAGE
    assert (MAX_FILTERS, MIN_LENGTH) == (8, 4)
    assert "at most eight" in PAGE
    assert "under four characters" in PAGE
