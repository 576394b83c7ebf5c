"""What is known of a transaction whose commit did not end well."""

import pytest

from chalicelib.executors.database.session import SqlFailure, TooLate, committing
from tests.support.calls import call_of

CONFIG = {"connection": {"engine": "sqlite", "path": "a.db"}, "statements": [{"sql": "SELECT 1"}]}
DOUBT = "while the transaction was committed: it may or may not have been."


def test_a_commit_does_not_begin_when_the_time_is_up() -> None:
    call = call_of("database", CONFIG, seconds=0)
    with pytest.raises(TooLate), committing(call):
        pytest.fail("it has begun")


def test_a_commit_does_not_begin_when_the_run_is_cancelled() -> None:
    call = call_of("database", CONFIG)
    call.stop.want()
    with pytest.raises(TooLate), committing(call):
        pytest.fail("it has begun")


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (TooLate(), "timeout", f"The time was up {DOUBT}"),
        (SqlFailure("connection", "gone"), "connection", f"The connection was lost {DOUBT}"),
        (SqlFailure("database", "a broken rule"), "database", "a broken rule"),
    ],
)
def test_only_what_is_not_known_is_told_as_a_doubt(raised: Exception, kind: str, said: str) -> None:
    with pytest.raises(SqlFailure) as caught, committing(call_of("database", CONFIG)):
        raise raised
    assert (caught.value.kind, caught.value.message) == (kind, said)
