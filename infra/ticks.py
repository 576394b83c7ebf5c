"""The dispatchers: Tick0 of resources.yaml, once for each that a stage may have; a parameter says how many it has."""

import copy

from infra.functions import Json

COUNTS = (1, 2, 4, 8, 16)
"""So many share the 64 shards evenly."""
GROUP = '"group": 0'


def expand(template: Json, *, guard: str | None) -> None:
    """Add the schedules of all further dispatchers, each on the condition that there are so many, and `guard` holds."""
    first, conditions = template["Resources"]["Tick0"], template.setdefault("Conditions", {})
    for least in COUNTS[1:]:
        conditions[f"Dispatchers{least}"] = _condition(least, guard)
    for group in range(1, COUNTS[-1]):
        tick = copy.deepcopy(first)
        tick["Condition"] = f"Dispatchers{min(count for count in COUNTS if count > group)}"
        target = tick["Properties"]["Target"]
        target["Input"] = {"Fn::Sub": target["Input"]["Fn::Sub"].replace(GROUP, f'"group": {group}')}
        template["Resources"][f"Tick{group}"] = tick


def _condition(least: int, guard: str | None) -> Json:
    few = [{"Fn::Equals": [{"Ref": "Dispatchers"}, str(count)]} for count in COUNTS if count < least]
    enough: Json = {"Fn::Not": [few[0] if len(few) == 1 else {"Fn::Or": few}]}
    return {"Fn::And": [{"Condition": guard}, enough]} if guard else enough
