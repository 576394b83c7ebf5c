"""Chronos beside Celery, Dramatiq and Huey with Redis, on the same machine: CPU for the same job that does nothing.

Counted of a peer: the CPU (user and system) of all processes of its worker, as it is started by default and without a
store of results, less that of starting and stopping it idle; the client that enqueues, and Redis, are apart. Counted of
Chronos: the CPU of the Lambda handlers, event as text in and answer as text out, with signing and HTTP on loopback.
Not counted: what AWS does for it (SQS, Lambda's own polling, DynamoDB), and TLS. Each run of Chronos is recorded twice,
at its start and at its end; the peers record nothing.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.missing import Missing
from bench.peers import redis

COUNT, ROUNDS = 5000, 3
PATIENCE_SECONDS, QUIET_SECONDS = 300.0, 4.0
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAMS = ROOT / ".venv-peers" / "bin"


@dataclass(frozen=True)
class Peer:
    """How a peer's worker is started, and the Redis commands whose answers are all 0 once everything is done."""

    worker: tuple[str, ...]
    left: tuple[str, ...]


PEERS = {
    "celery": Peer(
        ("celery", "-A", "tasks", "worker", "--loglevel", "ERROR"), ("LLEN celery", "HLEN unacked")
    ),
    "dramatiq": Peer(("dramatiq", "tasks"), ("HLEN dramatiq:default.msgs", "LLEN dramatiq:default")),
    "huey": Peer(("huey_consumer", "tasks.app", "--quiet"), ("LLEN huey.redis.peers",)),
}


def figures() -> Iterable[tuple[str, float, str]]:
    """The least of some rounds, in turns: what else the machine does only adds.

    The ratios compare what each took in terms of the machine's worth just before and after it: that changes meanwhile.
    """
    _require()
    least, relative = dict[str, float](), dict[str, float]()
    with redis.running() as broker:
        for _ in range(ROUNDS):
            for name in ("chronos", *PEERS):
                before = machine.reference()
                parts = _chronos() if name == "chronos" else _peer(name, broker)
                worth = (before + machine.reference()) / 2
                for part, value in parts.items():
                    key = f"{name}_{part}"
                    least[key] = min(value, least.get(key, value))
                    relative[key] = min(value / worth, relative.get(key, value / worth))
    for name, value in least.items():
        yield f"peers_{name}_cpu_us_per_run", value * 1e6, "us"
    yield from _ratios(relative)


def _ratios(spent: Mapping[str, float]) -> Iterable[tuple[str, float, str]]:
    total = spent["chronos_worker"] + spent["chronos_dispatch"]
    for name in PEERS:
        worker = spent[f"{name}_worker"]
        yield f"peers_{name}_worker_to_chronos", worker / spent["chronos_worker"], "ratio"
        yield f"peers_{name}_total_to_chronos", (worker + spent[f"{name}_enqueue"]) / total, "ratio"


def _require() -> None:
    if not redis.is_installed():
        raise Missing(
            f"There is no {redis.PROGRAM} on the PATH (Debian and Ubuntu: apt install redis-server)."
        )
    if not (PROGRAMS / "python").exists():
        raise Missing("The peers' virtualenv is missing: run `make bench-peers`.")


def _chronos() -> dict[str, float]:
    command = [sys.executable, "-m", "bench.peers.chronos", str(COUNT)]
    lines = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    measured: dict[str, float] = json.loads(lines[-1])
    return measured


def _peer(name: str, broker: redis.Redis) -> dict[str, float]:
    broker.empty()
    idle = _worker(name, broker)
    environment = _environment(name, broker)
    enqueue = [str(PROGRAMS / "python"), "enqueue.py", str(COUNT)]
    spent = float(subprocess.check_output(enqueue, cwd=HERE / "apps", env=environment))
    before = broker.cpu()
    busy = _worker(name, broker)
    return {
        "worker": (busy - idle) / COUNT,
        "enqueue": spent / COUNT,
        "redis": (broker.cpu() - before) / COUNT,
    }


def _worker(name: str, broker: redis.Redis) -> float:
    """The CPU seconds of a worker and all its processes, from its start until nothing is left and it has ended."""
    program, *arguments = PEERS[name].worker
    process = subprocess.Popen(
        [str(PROGRAMS / program), *arguments],
        cwd=HERE / "apps",
        env=_environment(name, broker),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + PATIENCE_SECONDS
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < QUIET_SECONDS:
        if time.monotonic() > end:
            process.kill()
            raise TimeoutError(f"{name} did not finish {COUNT} jobs")
        if any(broker.number(command) for command in PEERS[name].left):
            quiet_since = time.monotonic()
        time.sleep(0.1)  # noqa: TID251 - a benchmark waits for the real thing
    process.send_signal(signal.SIGTERM)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


def _environment(name: str, broker: redis.Redis) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PEERS_REDIS": broker.url, "PEERS_NAME": name, "HOME": "/nonexistent"}
