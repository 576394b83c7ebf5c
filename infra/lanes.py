"""The lanes of lanes.yaml: lane.yaml once for each, and what functions.yaml says of each lane's worker."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from infra.paths import INFRA

Json = dict[str, Any]


@cache
def rows() -> Mapping[str, Mapping[str, Any]]:
    """The table, by the lanes' names."""
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load((INFRA / "lanes.yaml").read_text())
    return found


def expand(template: Json) -> None:
    """Add every lane, and the queues' addresses to what the functions are told."""
    prototype = yaml.safe_load((INFRA / "lane.yaml").read_text())
    for lane, row in rows().items():
        for section, entries in named(prototype, lane, row).items():
            template[section].update(entries)
    on: list[Json | str] = [{"Fn::If": [f"{lane.capitalize()}IsOn", lane, ""]} for lane in rows()]
    template["Outputs"]["ChronosLanes"] = {"Value": {"Fn::Join": [",", on]}}
    addresses = ",".join(f"{lane}=${{{lane.capitalize()}Queue}}" for lane in rows())
    template["Outputs"]["ChronosQueues"] = {"Value": {"Fn::Sub": addresses}}


def named(value: Any, lane: str, row: Mapping[str, Any] | None = None) -> Any:
    """The same for one lane: $lane and $Lane are its name, [$column] is what its row has there."""
    if isinstance(value, str):
        return value.replace("$lane", lane).replace("$Lane", lane.capitalize())
    if isinstance(value, dict):
        return {named(key, lane): named(each, lane, row) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    if row and len(value) == 1 and str(value[0]).removeprefix("$") in row:
        return row[value[0].removeprefix("$")]
    return [named(each, lane, row) for each in value]
