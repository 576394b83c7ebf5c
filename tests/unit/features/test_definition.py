"""Bodies become definitions."""

from typing import Any

import pytest

from chalicelib.domain.errors import Invalid
from chalicelib.domain.job import JobDefinition
from chalicelib.domain.merge_patch import merged
from chalicelib.features.jobs.definition import definition_of, patched

RFC_7396: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396)
def test_merging_gives_the_results_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


@pytest.mark.parametrize(
    ("api", "name"),
    [
        ("https://example.com/a/b", "example.com/a/b"),
        ("https://example.com/", "example.com"),
        ("https://example.com:8443/a?token=secret#x", "example.com/a"),
        ("https://example.com/" + "x" * 500, ("example.com/" + "x" * 500)[:128]),
    ],
)
def test_a_job_in_short_form_is_named_after_host_and_path(api: str, name: str) -> None:
    assert definition_of({"api": api, "schedule": "@daily"}).name == name


def test_the_short_form_takes_the_other_fields_too() -> None:
    made = definition_of(
        {"api": "https://example.com", "schedule": "@daily", "name": "mine", "timeout_seconds": 5}
    )
    assert (made.name, made.timeout_seconds) == ("mine", 5)


def test_the_short_form_and_a_config_do_not_go_together() -> None:
    with pytest.raises(Invalid) as refused:
        definition_of({"api": "https://example.com", "schedule": "@daily", "config": {}})
    assert refused.value.problems[0].pointer == "/config"


def test_a_patch_with_a_null_inside_the_config_removes_it() -> None:
    before = JobDefinition(name="a", type="dummy", config={"output": {"x": 1}, "duration_seconds": 1})
    assert patched(before, {"config": {"output": None}}).config == {"duration_seconds": 1}


def test_a_patch_of_the_same_kind_of_schedule_keeps_its_other_fields() -> None:
    before = definition_of(
        {
            "name": "a",
            "type": "dummy",
            "schedule": {"kind": "cron", "expression": "@daily", "timezone": "Asia/Tokyo"},
        }
    )
    after = patched(before, {"schedule": {"kind": "cron", "expression": "@hourly"}})
    assert after.schedule.model_dump(exclude_none=True)["timezone"] == "Asia/Tokyo"


def test_a_patch_that_changes_nothing_gives_the_same_definition() -> None:
    before = definition_of({"name": "a", "type": "dummy", "schedule": {"kind": "interval", "every": "PT90S"}})
    assert patched(before, {}) == before
