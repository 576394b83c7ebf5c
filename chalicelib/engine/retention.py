"""What is expired is not there for whoever reads: DynamoDB deletes days late.

The engine's own decisions go by the records that there are: an expired one still refuses a second start.
"""

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
    return _outlasts(item, engine.clock.now_ms() // 1000 + engine.settings.retention.unseen_seconds)


def _outlasts(item: Item, at_s: int) -> bool:
    return "expires_at" not in item or int(item["expires_at"]) > at_s
