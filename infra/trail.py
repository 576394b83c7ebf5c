"""`make verify-audit`: a tenant's whole audit trail, read straight from its tables and checked from end to end."""

import re

from chalicelib.aws.clock import SystemClock
from chalicelib.engine.running.signing import keys_of
from chalicelib.identity.trail.checking import Anchor
from chalicelib.identity.trail.reading import verified
from chalicelib.ports.table import Database
from infra import account, keys, refusals, stacks
from infra.errors import Stop
from infra.first import database
from infra.stacks import name_of

PART = 10_000
"""Entries that are checked before the next are read."""
_ANCHOR = re.compile(r"(\d{1,12}):([0-9a-f]{64})")


def verify(stage: str, tenant: str, anchor: str = "") -> None:
    """Print what was found. Stop, naming the first bad entry, if the trail is not as it was written."""
    refusals.check_name(stage)
    with account.plainly():
        session = account.session()
        stack = stacks.find(session.client("cloudformation"), name_of(stage))
        if not (stack and stack.outputs):
            raise Stop(f"There is no {stage} here.")
        known = keys.read(session.client("ssm"), stage, keys.CALLBACKS.name)
        clock = SystemClock()
        db = database(session.client("dynamodb"), stack.outputs, clock)
        print(told(db, known, tenant, anchor, now_s=clock.now_ms() // 1000))


def told(
    db: Database, keys: str | None, tenant: str, given: str = "", *, now_s: int, part: int = PART
) -> str:
    """The verdict over a good trail, in words. Stop over a bad one. `keys`: the deployment's, as they are stored."""
    place, known = _anchor(given), keys_of(keys)
    first, signed_to, is_over = None, None, False
    while not is_over:
        found, is_over = verified(db, tenant, known, now_s=now_s, anchor=place, limit=part)
        if found.problem:
            raise Stop(f"The audit trail of {tenant} is not as it was written. {found.problem.message}")
        first = found.first if first is None else first
        signed_to, place = found.signed_to or signed_to, found.last or place
    if first is None or place is None:
        return f"The audit trail of {tenant} has no entries."
    return (
        f"The audit trail of {tenant} is as it was written, from entry {first} to {place.seq}, signed to {signed_to}.\n"
        f"Keep this elsewhere, to show later that nothing was cut off: ANCHOR={place.seq}:{place.hash}"
    )


def _anchor(given: str) -> Anchor | None:
    if not given:
        return None
    found = _ANCHOR.fullmatch(given)
    if found is None:
        raise Stop(
            "ANCHOR is what this command has printed before: a number, a colon and 64 hexadecimal digits."
        )
    return Anchor(int(found[1]), found[2])
