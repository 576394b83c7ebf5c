"""Every figure, or those of the parts named on the command line: `python -m bench tick worker`."""

import json
import os
import sys
from collections.abc import Callable, Iterable

from bench import (
    api,
    cost,
    drift,
    herd,
    herd_emulator,
    idle,
    imports,
    latency,
    machine,
    memory,
    peers,
    schedules,
    tick,
    worker,
)
from bench.missing import Missing

Figure = tuple[str, float, str]
PARTS: dict[str, Callable[[], Iterable[Figure]]] = {
    "machine": machine.figures,
    "imports": imports.figures,
    "api": api.figures,
    "schedules": schedules.figures,
    "tick": tick.figures,
    "latency": latency.figures,
    "herd": herd.figures,
    "worker": worker.figures,
    "memory": memory.figures,
    "cost": cost.figures,
    "drift": drift.figures,
    "idle": idle.figures,
    "herd-emulator": herd_emulator.figures,
    "peers": peers.figures,
}
ASKED_FOR = {"idle", "herd-emulator", "peers"}
"""Take minutes, or need more than the rest: only by name."""


def main(names: list[str]) -> int:
    unknown = set(names) - set(PARTS)
    if unknown:
        print(
            f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.", file=sys.stderr
        )
        return 2
    missing = False
    for name in names or [name for name in PARTS if name not in ASKED_FOR]:
        try:
            for figure, value, unit in PARTS[name]():
                print(json.dumps({"name": figure, "value": round(value, 3), "unit": unit}), flush=True)
        except Missing as reason:
            print(f"{name} is left out. {reason}", file=sys.stderr)
            missing = True
    return 1 if missing and os.environ.get("CHRONOS_REQUIRE_SERVICES") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
