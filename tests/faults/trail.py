"""The audit trail under faults: whatever fails, it is in one piece, and what was done is in it."""

from chalicelib.engine.running.signing import keys_of
from chalicelib.identity.trail.book import Book
from chalicelib.identity.trail.entries import partition
from chalicelib.identity.trail.reading import verified
from tests.faults.system import System
from tests.support.world import SIGNING_KEYS, TENANT

MANY = 1000


def number_of_entries(system: System) -> int:
    """As they lie there, before anybody looks for what was left open."""
    return sum(item["pk"] == partition(TENANT) for item in system.aws.items("audit"))


def sealed(system: System) -> tuple[int, list[str]]:
    """How many entries there are when a reader has sealed what was left open, and what is wrong with them."""
    Book().seal_left(system.engine, TENANT)
    now_s = system.clock.now_ms() // 1000
    found, is_over = verified(
        system.engine.db, TENANT, keys_of(SIGNING_KEYS), now_s=now_s, anchor=None, limit=MANY
    )
    problems = [found.problem.message] if found.problem else []
    left = [item for item in system.aws.items("catalog") if str(item["sk"]).startswith("open#")]
    problems += [f"a record is left open: {item['doc']}" for item in left]
    return found.count, problems if is_over else [*problems, "the end was not reached"]
