"""functions.yaml as values: each function's names, and its policy with the outputs filled in."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from infra import lanes
from infra.paths import INFRA

APP = "chronos"
_NAME = re.compile(r"^\$\{(\w+)\}(.*)$")
Json = dict[str, Any]


@dataclass(frozen=True)
class Function:
    """One Lambda. `statements` name the template's outputs as ${...}."""

    name: str
    chalice: str
    resource: str
    statements: tuple[Json, ...]
    may_loop: bool = False

    def full_name(self, stage: str) -> str:
        """The name Lambda knows it by; Chalice names the REST handler like the app itself."""
        return f"{APP}-{stage}" if self.name == "api" else f"{APP}-{stage}-{self.chalice}"


@cache
def functions() -> tuple[Function, ...]:
    """Every function, in the file's order."""
    table = yaml.safe_load((INFRA / "functions.yaml").read_text())
    return tuple(
        Function(
            name, row["chalice"], row["resource"], _statements(row["policy"]), row.get("may_loop", False)
        )
        for prototype, each in table.items()
        for name, row in _for_each_lane(prototype, each)
    )


def _for_each_lane(name: str, row: Json) -> list[tuple[str, Json]]:
    """The row itself, or one for each lane if it is said of `$lane`."""
    if "$lane" not in name:
        return [(name, row)]
    return [(lanes.named(name, lane), lanes.named(_of_lane(row, lane), lane)) for lane in lanes.rows()]


def _of_lane(row: Json, lane: str) -> Json:
    return {**row, "policy": [*row["policy"], *row.get("of_lane", {}).get(lane, [])]}


def _statements(rows: list[Json]) -> tuple[Json, ...]:
    every = ["${" + lane.capitalize() + "QueueArn}" for lane in lanes.rows()]
    return tuple(
        {**row, "Resource": every if row["Resource"] == ["${EachQueueArn}"] else row["Resource"]}
        for row in rows
    )


def policy(function: Function, fill: Callable[[str, str], Any]) -> Json:
    """The function's policy document; `fill(output, suffix)` gives the ARN (or an intrinsic) for `${output}suffix`.

    Of an output that is a list of ARNs it gives them all: a list, or an intrinsic that is one, alone in its statement.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": row["Action"],
                "Resource": _filled([fill(*_split(each)) for each in row["Resource"]]),
            }
            for row in function.statements
        ],
    }


def _filled(resources: list[Any]) -> Any:
    if resources and isinstance(resources[0], dict) and "Fn::Split" in resources[0]:
        return resources[0]
    return [arn for each in resources for arn in (each if isinstance(each, list) else [each])]


LISTS = ("JobRoleArns",)
"""Outputs that are lists, separated by commas."""


def from_outputs(outputs: Mapping[str, str]) -> Callable[[str, str], Any]:
    """Fill policies with a deployed stack's outputs."""

    def fill(output: str, suffix: str) -> Any:
        return outputs[output].split(",") if output in LISTS else outputs[output] + suffix

    return fill


def _split(resource: str) -> tuple[str, str]:
    match = _NAME.match(resource)
    if not match:
        raise ValueError(f"functions.yaml: a resource must start with ${{Output}}, got {resource!r}")
    return match[1], match[2]
