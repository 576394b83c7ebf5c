"""The parts of a restore: its floor, what it refuses, and one table made like another."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.engine.core import EngineSettings
from infra.account import Live
from infra.errors import Stop
from infra.restore import TABLES, carry_out, floor_of, replace_items
from tests.support.aws import create_tables


def test_the_floor_lies_above_all_that_had_been_dispatched() -> None:
    disaster = datetime(2027, 1, 15, 13, 10, tzinfo=UTC)
    expected = round(disaster.timestamp() * 1000) + EngineSettings().horizon_ms
    assert floor_of("2027-01-15T13:10:00Z") == floor_of("2027-01-15T14:10:00+01:00") == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2027-01-15", "2027-01-15T13:10:00"])
def test_what_is_no_moment_with_its_zone_is_refused(text: str) -> None:
    with pytest.raises(Stop, match="DISASTER must be a moment with its zone"):
        floor_of(text)


def test_a_table_is_made_like_its_copy_whatever_it_held() -> None:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="eu-central-1")
        source, target = (create_tables(dynamodb, prefix)["timers"] for prefix in ("copy", "own"))
        for number in range(60):
            dynamodb.put_item(TableName=source, Item=item(number, "restored"))
        for number in range(30, 90):
            dynamodb.put_item(TableName=target, Item=item(number, "lost"))
        for _ in range(2):
            replace_items(dynamodb, source, target)
            found = dynamodb.scan(TableName=target)["Items"]
            assert sorted(found, key=lambda each: each["sk"]["S"]) == [
                item(number, "restored") for number in range(60)
            ]


@pytest.mark.parametrize(
    ("copied", "said"),
    [("own-runs", "is the stage's own table"), ("nowhere", "There is no table nowhere to take over as runs")],
)
def test_what_cannot_be_taken_over_stops_it_before_anything_is_stopped(copied: str, said: str) -> None:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="eu-central-1")
        names = create_tables(dynamodb, "own")
        outputs = {f"Chronos{name.capitalize()}Table": names[name] for name in TABLES}
        with pytest.raises(Stop, match=said):
            carry_out(
                {"dynamodb": dynamodb, "lambda": None}.__getitem__, Live(), outputs, 0, {"runs": copied}
            )


def item(number: int, said: str) -> dict[str, Any]:
    return {"pk": {"S": "shard#000"}, "sk": {"S": f"{number:015d}"}, "said": {"S": said}}
