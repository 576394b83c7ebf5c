"""Keys that a stage signs with, in SSM's Parameter Store: CloudFormation makes no secure strings, and it is free.

The newest signs; those before it are known for as long as somebody may have what they signed.
"""

import json
import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.functions import Json

MAX_KEYS = 20
"""A parameter holds 4 KB."""
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _bytes() -> bytes:
    return secrets.token_bytes(32)


def _on_p256() -> bytes:
    """A private key on the curve P-256."""
    return (secrets.randbelow(_P256_ORDER - 1) + 1).to_bytes(32, "big")


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys for one purpose. So long a key that another one follows is still known; `made` gives 32 new bytes."""

    name: str
    keep_seconds: int
    made: Callable[[], bytes]


CALLBACKS = Ring("signing-key", 15 * 86_400, _bytes)
"""A day longer than the longest deadline of a run."""
TOKENS = Ring("token-keys", 3_600, _on_p256)
"""Access tokens live ten minutes, and a process may sign with a key for five minutes after another has followed."""


def provide(ssm: Any, stage: str, ring: Ring) -> None:
    """Make a first key, unless there is one."""
    if read(ssm, stage, ring.name) is None:
        rotate(ssm, stage, ring, now_s=0)


def rotate(ssm: Any, stage: str, ring: Ring, *, now_s: int, forget: bool = False) -> int:
    """Sign with a new key from now on; how many are known then. `forget`: the former ones open nothing any more."""
    known = [] if forget else json.loads(read(ssm, stage, ring.name) or "[]")
    keys = rotated(known, secrets.token_hex(4), ring.made(), now_s=now_s, keep_seconds=ring.keep_seconds)
    write(ssm, stage, ring.name, json.dumps(keys, separators=(",", ":")), "SecureString")
    return len(keys)


def rotated(
    known: list[Json], identifier: str, secret: bytes, *, now_s: int, keep_seconds: int
) -> list[Json]:
    """The keys with a new one before them, without those that nobody can need any more. Pure."""
    kept = [
        key
        for key, successor in zip(known[1:], known, strict=False)
        if now_s - successor["made"] < keep_seconds
    ]
    new = {"id": identifier, "key": b64encode(secret).decode(), "made": now_s}
    return [new, *known[:1], *kept][:MAX_KEYS]


def name_of(stage: str, name: str) -> str:
    return f"/chronos/{stage}/{name}"


def read(ssm: Any, stage: str, name: str) -> str | None:
    answer = ssm.get_parameters(Names=[name_of(stage, name)], WithDecryption=True)
    return next((str(each["Value"]) for each in answer["Parameters"]), None)


def write(ssm: Any, stage: str, name: str, value: str, kind: str) -> None:
    ssm.put_parameter(Name=name_of(stage, name), Value=value, Type=kind, Overwrite=True)
