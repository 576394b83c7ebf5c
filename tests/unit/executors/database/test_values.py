"""Each value of a database has one form in JSON."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from chalicelib.executors.database.values import as_json, as_parameter, distinct


@pytest.mark.parametrize(
    ("value", "expected", "why"),
    [
        (None, None, "NULL"),
        (True, True, "a truth"),
        (2**63, 2**63, "JSON's numbers have no bound"),
        (0.1, 0.1, "a float"),
        (float("nan"), "NaN", "JSON has no such number"),
        (float("inf"), "Infinity", "JSON has no such number"),
        (float("-inf"), "-Infinity", "JSON has no such number"),
        (Decimal("10.50"), "10.50", "no digit is lost"),
        (b"\x00\xff", "AP8=", "bytes are base64"),
        (memoryview(b"a"), "YQ==", "bytes are base64"),
        (date(2027, 1, 2), "2027-01-02", "a day"),
        (time(1, 2, 3), "01:02:03", "a time of day"),
        (datetime(2027, 1, 2, 3, 4, 5), "2027-01-02T03:04:05", "without a zone"),  # noqa: DTZ001
        (datetime(2027, 1, 2, tzinfo=UTC), "2027-01-02T00:00:00Z", "in UTC"),
        (datetime(2027, 1, 2, tzinfo=timezone(timedelta(hours=2))), "2027-01-01T22:00:00Z", "made UTC"),
        (timedelta(hours=30, microseconds=5), "30:00:00.000005", "a span over a day"),
        (-timedelta(minutes=1), "-00:01:00", "a span backwards"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001", "what JSON does not know is text"),
        ([1, [Decimal(2)]], [1, ["2"]], "arrays"),
        ({"a": {"b": Decimal(3)}}, {"a": {"b": "3"}}, "objects"),
    ],
)
def test_a_value_becomes_json(value: Any, expected: Any, why: str) -> None:
    assert as_json(value) == expected, why
    assert type(as_json(value)) is type(expected), why


def test_lists_and_objects_are_bound_as_their_json() -> None:
    assert as_parameter({"a": [1, "ä"]}) == '{"a":[1,"ä"]}'
    assert as_parameter("text") == "text"


def test_columns_of_one_name_are_told_apart() -> None:
    assert distinct(["id", "name", "id", "id", "id_2"]) == ["id", "name", "id_2", "id_3", "id_2_2"]
