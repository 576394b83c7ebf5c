"""What is expired is not there for whoever reads: DynamoDB deletes days late.

A record lies as long as the stage's plan says, and is shown as long as its tenant's plan does, if that is shorter. The
engine's own decisions go by the records that there are: an expired one still refuses a second start.
"""

from chalicelib.domain.plans import DAY_SECONDS, PLANS
from chalicelib.domain.run import FINAL
from chalicelib.engine.core import Engine
from chalicelib.ports.table import Item

_FINAL = frozenset(status.value for status in FINAL)


def is_kept(engine: Engine, item: Item) -> bool:
    """Whether a record of the catalog or the audit is still to be shown."""
    return _outlasts(item, engine.clock.now_ms() // 1000)


def is_shown(engine: Engine, item: Item) -> bool:
    """Whether a run, or a skipped range, is still to be shown: what is not over always is."""
    if "status" in item and item["status"] not in _FINAL:
        return True
    unseen_days = engine.settings.retention.stored_days - shown_days(
        engine, str(item["pk"]).partition("#")[0]
    )
    return _outlasts(item, engine.clock.now_ms() // 1000 + unseen_days * DAY_SECONDS)


def shown_days(engine: Engine, tenant: str) -> int:
    """How long the tenant's runs are shown: by its plan, and no longer than the stage keeps them."""
    days, plan = engine.settings.retention.runs, engine.plans.of(engine, tenant)
    return days if plan is None else min(days, PLANS[plan].retention.runs)


def _outlasts(item: Item, at_s: int) -> bool:
    return "expires_at" not in item or int(item["expires_at"]) > at_s
