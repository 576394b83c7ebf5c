"""What callbacks need beside the stack, in SSM's Parameter Store: the keys that sign them, and the API's address.

CloudFormation makes no secure strings, and the address is known only when the API is there. Standard parameters
cost nothing.
"""

import json
import secrets
from base64 import b64encode
from typing import Any

from infra.functions import Json

SIGNING_KEY, PUBLIC_URL = "signing-key", "public-url"
KEEP_SECONDS = 15 * 86_400
"""A day longer than the longest deadline: so long a key that another one follows is still known."""
MAX_KEYS = 20
"""A parameter holds 4 KB."""
_OWN_ADDRESS = ".execute-api."


def provide(ssm: Any, stage: str, url: str, *, given: str | None = None) -> None:
    """Make what is missing. `url` is API Gateway's address; `given` the operator's own, which is kept from then on."""
    before = _read(ssm, stage, PUBLIC_URL)
    is_own = before is not None and _OWN_ADDRESS not in before and _OWN_ADDRESS in url
    wanted = given or (before if before is not None and is_own else url)
    if wanted.rstrip("/") != before:
        _write(ssm, stage, PUBLIC_URL, wanted.rstrip("/"), "String")
    if _read(ssm, stage, SIGNING_KEY) is None:
        rotate(ssm, stage, now_s=0)


def rotate(ssm: Any, stage: str, *, now_s: int, forget: bool = False) -> int:
    """Sign with a new key from now on; how many are known then. `forget`: the former ones open nothing any more."""
    known = [] if forget else json.loads(_read(ssm, stage, SIGNING_KEY) or "[]")
    keys = rotated(known, secrets.token_hex(4), secrets.token_bytes(32), now_s=now_s)
    _write(ssm, stage, SIGNING_KEY, json.dumps(keys, separators=(",", ":")), "SecureString")
    return len(keys)


def rotated(known: list[Json], identifier: str, secret: bytes, *, now_s: int) -> list[Json]:
    """The keys with a new one before them, without those that nobody can need any more. Pure."""
    kept = [
        key
        for key, successor in zip(known[1:], known, strict=False)
        if now_s - successor["made"] < KEEP_SECONDS
    ]
    new = {"id": identifier, "key": b64encode(secret).decode(), "made": now_s}
    return [new, *known[:1], *kept][:MAX_KEYS]


def remove(ssm: Any, stage: str) -> None:
    """Both; nothing happens if they are not there. Tables that stay do not need them: a new stage has new tables."""
    ssm.delete_parameters(Names=[_name(stage, each) for each in (SIGNING_KEY, PUBLIC_URL)])


def _name(stage: str, name: str) -> str:
    return f"/chronos/{stage}/{name}"


def _read(ssm: Any, stage: str, name: str) -> str | None:
    answer = ssm.get_parameters(Names=[_name(stage, name)], WithDecryption=True)
    return next((str(each["Value"]) for each in answer["Parameters"]), None)


def _write(ssm: Any, stage: str, name: str, value: str, kind: str) -> None:
    ssm.put_parameter(Name=_name(stage, name), Value=value, Type=kind, Overwrite=True)
