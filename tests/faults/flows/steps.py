"""Steps that flows share: jobs, moments, and batches on their way."""

from datetime import UTC, datetime
from typing import Any

from tests.faults.system import System
from tests.support.world import NOON

RETRY = {"strategy": "fixed", "initial_delay_seconds": 10, "jitter": "none", "max_attempts": 2}
RETRY_LATER = {**RETRY, "initial_delay_seconds": 300}
ONCE = {"max_attempts": 1}
FAILS, FAILS_FIRST = {"outcome": "failure"}, {"fail_attempts": 1}
MANUAL = {"kind": "manual"}


def moment(second: int) -> str:
    """So many seconds after noon, as RFC 3339."""
    return datetime.fromtimestamp(NOON // 1000 + second, UTC).isoformat().replace("+00:00", "Z")


def at(*seconds: int) -> Any:
    """A schedule with these occurrences, in seconds after noon."""
    schedules = [{"kind": "once", "at": moment(second)} for second in seconds]
    return schedules if len(schedules) > 1 else schedules[0]


def be_at(system: System, second: int) -> None:
    """Nothing happens until then."""
    system.clock.ms = NOON + second * 1000


def ring(system: System, second: int) -> None:
    """At noon there is a tick; then it is so many seconds after noon, and nothing has been received."""
    be_at(system, 0)
    system.tick()
    be_at(system, second)


def hourly(second: int) -> dict[str, Any]:
    """Each hour, so many seconds after the full one; also from before the job was created."""
    return {"kind": "interval", "every": 3600, "anchor": moment(second - 24 * 3600)}
