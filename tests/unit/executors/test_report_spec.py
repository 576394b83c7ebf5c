"""What a report job may be, and what it may not."""

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.executors.report.spec import SPEC, Config, target

SOURCE: dict[str, Any] = {"kind": "http", "url": "https://user.example.com/rows?x=1"}
SECTION: dict[str, Any] = {"title": "Rows", "source": SOURCE}
GOOD: dict[str, Any] = {"title": "Report", "format": "html", "sections": [SECTION]}
MAIL: dict[str, Any] = {
    "role_arn": "arn:aws:iam::123456789012:role/r",
    "region": "eu-central-1",
    "sender": "a@example.com",
    "to": ["b@example.com"],
}
SQLITE: dict[str, Any] = {"engine": "sqlite", "path": "a.db"}


def _with(**section: Any) -> dict[str, Any]:
    return {"sections": [SECTION | section]}


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"sections": []}, "at least 1 item"),
        ({"sections": [SECTION] * 11}, "at most 10 items"),
        ({"format": "csv", "sections": [SECTION] * 2}, "a CSV file has one section"),
        ({"format": "pdf", "sections": [SECTION] * 2}, "a PDF has at most 5000 rows"),
        ({"format": "docx"}, "Input should be"),
        ({"title": "a\nb"}, "one line"),
        ({"name": "../etc/passwd"}, "pattern"),
        (_with(max_rows=100_001), "less than or equal to 100000"),
        (_with(columns=[]), "at least 1 item"),
        (_with(columns=[{"field": "x"}] * 51), "at most 50 items"),
        (_with(source={"kind": "http", "url": "file:///etc/passwd"}), "must begin with http"),
        (_with(source=SOURCE | {"headers": {"Host": "x"}}), "set by Chronos"),
        (_with(source=SOURCE | {"pointer": "items"}), "pattern"),
        (
            _with(
                source={"kind": "query", "connection": SQLITE, "query": {"sql": "SELECT ?", "parameters": []}}
            ),
            "parameter",
        ),
        (_with(chart={"kind": "pie", "labels": "a", "values": ["b", "c"]}), "a pie shows one field"),
        (_with(chart={"kind": "bar", "labels": "a", "values": []}), "at least 1 item"),
        ({"mail": MAIL | {"to": []}}, "at least 1 item"),
        ({"mail": MAIL | {"to": ["a@example.com\r\nBcc: x@y.example"]}}, "plain mail address"),
        ({"mail": MAIL | {"sender": "Name <a@example.com>"}}, "plain mail address"),
        ({"mail": MAIL | {"subject": "a\r\nBcc: x@y.example"}}, "one line"),
        ({"mail": MAIL | {"role_arn": "x"}}, "pattern"),
        ({"mail": MAIL | {"region": "https://evil.example"}}, "pattern"),
    ],
)
def test_what_is_no_report_is_refused_when_the_job_is_saved(others: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Config.model_validate(GOOD | others)


def test_limits_know_a_report_by_the_host_of_its_first_source() -> None:
    assert target(GOOD) == "user.example.com"
    assert target(SPEC.example) == "db.example.com"
    assert target(_with(source={"kind": "query", "connection": SQLITE, "query": {"sql": "SELECT 1"}})) is None
    assert target({}) is None
    assert target({"sections": None}) is None
