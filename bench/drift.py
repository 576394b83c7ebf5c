"""How late 100 jobs at known seconds start, on the packaged app in the emulator. Negative would be early."""

import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra import package
from infra.bundle import local_architecture
from infra.local import process, stack

JOBS, SECONDS, AHEAD, PATIENCE, WORKERS = 100, 20, 25, 60, 12


class Caller:
    """Calls a deployed API with its first key."""

    def __init__(self, deployed: stack.Deployed) -> None:
        if deployed.opened is None:
            raise ValueError("this stack was there before, and its key is not known")
        self._url = deployed.api
        self._headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {deployed.opened.api_key}",
        }

    def __call__(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def figures() -> Iterable[tuple[str, float, str]]:
    package.package(stack.STAGE, local_architecture(), stack.PACKAGED)
    with tempfile.TemporaryDirectory() as folder:
        emulator = process.start(process.free_port(), Path(folder))
        try:
            deployed = stack.deploy(emulator.url, stack.PACKAGED)
            stack.warm(emulator.url, WORKERS)
            drifts = sorted(_drifts(Caller(deployed)))
        finally:
            emulator.stop()
    yield "drift_ms_p50", statistics.median(drifts), "ms"
    yield "drift_ms_p99", drifts[int(len(drifts) * 0.99) - 1], "ms"
    yield "drift_ms_max", drifts[-1], "ms"
    yield "drift_ms_min", drifts[0], "ms"


def _drifts(api: Caller) -> list[int]:
    """Five jobs a second for twenty seconds; when each attempt started, less when it was due."""
    first = int(time.time()) + AHEAD
    ids = {_create(api, first + number % SECONDS) for number in range(JOBS)}
    end = first + SECONDS + PATIENCE
    while time.time() < end:
        time.sleep(1)  # noqa: TID251 - a benchmark waits for the real thing
        runs = [run for run in _all_runs(api) if run["job_id"] in ids and run["status"] == "SUCCEEDED"]
        if len(runs) == JOBS:
            return [run["drift_ms"] for run in runs]
    raise TimeoutError(f"only {len(runs)} of {JOBS} jobs ran")


def _create(api: Caller, at: int) -> str:
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    job = {"name": "drift", "type": "dummy", "schedule": {"kind": "once", "at": moment}}
    return str(api("/jobs", job)["id"])


def _all_runs(api: Caller) -> list[dict[str, Any]]:
    items, cursor = [], ""
    while True:
        page = api(f"/runs?limit=100{cursor}")
        items += page["items"]
        if not page["next_cursor"]:
            return items
        cursor = f"&cursor={page['next_cursor']}"
