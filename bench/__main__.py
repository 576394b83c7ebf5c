"""Every figure, or those of the parts named on the command line: `python -m bench tick worker`."""

import json
import sys
from collections.abc import Callable, Iterable

from bench import api, cost, drift, imports, latency, schedules, tick, worker

Figure = tuple[str, float, str]
PARTS: dict[str, Callable[[], Iterable[Figure]]] = {
    "imports": imports.figures,
    "api": api.figures,
    "schedules": schedules.figures,
    "tick": tick.figures,
    "latency": latency.figures,
    "worker": worker.figures,
    "cost": cost.figures,
    "drift": drift.figures,
}


def main(names: list[str]) -> int:
    unknown = set(names) - set(PARTS)
    if unknown:
        print(
            f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.", file=sys.stderr
        )
        return 2
    for name in names or PARTS:
        for figure, value, unit in PARTS[name]():
            print(json.dumps({"name": figure, "value": round(value, 3), "unit": unit}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
