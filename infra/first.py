"""The first tenant of a stage, its owner and a key, put straight into its catalog: nobody could be let in before."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.clock import SystemClock, SystemIds
from chalicelib.aws.dynamodb import AwsDatabase
from chalicelib.domain.plans import Plan
from chalicelib.identity import bootstrap
from chalicelib.ports.fan import one_by_one

PLAN: Plan = "enterprise"
"""Who runs a deployment is not held to a plan of it."""
_TABLES = {name: f"Chronos{name.capitalize()}Table" for name in ("catalog", "timers", "runs", "audit")}


@dataclass(frozen=True, slots=True)
class Opened:
    """What opens the API, told this once. `password` is empty where the owner was there before."""

    tenant: str
    api_key: str
    email: str
    password: str = ""


def provide(
    dynamodb: Any, outputs: Mapping[str, str], tenant: str, email: str, *, new_key: bool = False
) -> Opened | None:
    """Make the tenant with an owner and a key; None if it is there already, unless another key is wanted."""
    clock, ids = SystemClock(), SystemIds()
    db = database(dynamodb, outputs, clock)
    password = secrets.token_urlsafe(16)
    first = bootstrap.First(tenant, tenant.capitalize(), PLAN, email, password)
    is_new = bootstrap.begin(db, clock, ids, first)
    if not (is_new or new_key):
        return None
    key = bootstrap.add_key(db, clock, ids, tenant)
    return Opened(tenant, key, email, password if is_new else "")


def database(dynamodb: Any, outputs: Mapping[str, str], clock: SystemClock) -> AwsDatabase:
    """The stage's tables."""
    names = {name: outputs[output] for name, output in _TABLES.items()}
    return AwsDatabase(dynamodb, names, one_by_one, clock.sleep)  # type: ignore[arg-type]
