"""Real servers on the loopback. Where one is missing its tests are skipped, unless CHRONOS_REQUIRE_SERVICES=1."""

import os
import secrets
import socket
from functools import cache
from typing import Literal

import pytest

HOST = "127.0.0.1"
Service = Literal["postgresql", "mysql", "redis", "rabbitmq", "mqtt", "nats"]
PORTS: dict[Service, int] = {
    "postgresql": 5432,
    "mysql": 3306,
    "redis": 6379,
    "rabbitmq": 5672,
    "mqtt": 1883,
    "nats": 4222,
}


def require(service: Service) -> int:
    """The service's port on 127.0.0.1. Where nothing listens, the test is skipped, or fails if it must not be."""
    if not _is_up(PORTS[service]):
        missing(f"no {service} listens on 127.0.0.1:{PORTS[service]}")
    return PORTS[service]


def missing(reason: str) -> None:
    """Skip the test for want of something on this machine, or fail it where all must be there."""
    if os.environ.get("CHRONOS_REQUIRE_SERVICES") == "1":
        pytest.fail(f"CHRONOS_REQUIRE_SERVICES=1, but {reason}")
    pytest.skip(reason)


def unique(prefix: str = "chronos") -> str:
    """A name that no other test has."""
    return f"{prefix}_{secrets.token_hex(6)}"


@cache
def _is_up(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
