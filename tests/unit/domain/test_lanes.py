"""Which lane a job's runs go to."""

import pytest

from chalicelib.domain.lanes import FAST_TIMEOUT_SECONDS, Lane, lane_for
from chalicelib.domain.limits import Priority

LIMIT = FAST_TIMEOUT_SECONDS


@pytest.mark.parametrize(
    ("wanted", "seconds", "priority", "lane", "why"),
    [
        ("fast", LIMIT, "normal", "fast", "up to the limit it is quick"),
        ("fast", LIMIT + 0.1, "normal", "long", "above it is not"),
        ("fast", LIMIT, "high", "urgent", "what is urgent waits behind no other"),
        ("fast", LIMIT + 0.1, "high", "long", "but no long work goes before what is urgent"),
        ("fast", LIMIT, "low", "fast", "low shares the workers"),
        ("long", 1, "high", "long", "what the type calls for decides alone"),
        ("data", LIMIT + 1, "high", "data", "only its worker has the libraries"),
    ],
)
def test_a_lane_follows_from_type_time_limit_and_priority(
    wanted: Lane, seconds: float, priority: Priority, lane: Lane, why: str
) -> None:
    assert lane_for(wanted, seconds, priority) == lane, why
