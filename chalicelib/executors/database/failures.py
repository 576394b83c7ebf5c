"""What reading from a database may raise, as the outcome of an attempt."""

from typing import Any

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed
from chalicelib.executors.database.rows import TooManyRows
from chalicelib.executors.database.session import SqlFailure
from chalicelib.executors.guard import ForbiddenTarget
from chalicelib.executors.mount import ForbiddenPath
from chalicelib.ports.outputs import OutputTooLarge

FAILURES = (SqlFailure, ForbiddenTarget, ForbiddenPath, TooManyRows, OutputTooLarge, Unavailable)


def failed(error: Exception, result: dict[str, Any] | None = None) -> Failed:
    """The outcome of what is one of FAILURES; `result` goes with what the database has refused."""
    if isinstance(error, SqlFailure):
        return error.as_failed(result)
    if isinstance(error, ForbiddenTarget):
        return Failed("forbidden_target", str(error))
    if isinstance(error, ForbiddenPath):
        return Failed("file", str(error), retryable=False)
    if isinstance(error, TooManyRows):
        return Failed("output", "The query has more rows than may be stored; no file was.", retryable=False)
    if isinstance(error, OutputTooLarge):
        return Failed("output", error.message, retryable=False)
    assert isinstance(error, Unavailable)
    return Failed("output", f"The file could not be stored. {error.message}")
