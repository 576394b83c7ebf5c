"""Carries out `database` jobs."""

from typing import Any

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call
from chalicelib.executors.database.failures import FAILURES, failed
from chalicelib.executors.database.opening import Wanted, session
from chalicelib.executors.database.rows import File, Kept
from chalicelib.executors.database.session import Answer, SqlFailure, TooLate
from chalicelib.executors.database.spec import Config, Output, Statement


class _Unexpected(Exception):
    """A statement returned or changed another number of rows than it must."""


def execute(call: Call) -> Outcome:
    done: list[dict[str, Any]] = []
    try:
        result = _statements(call, done)
    except TooLate:
        return Failed("timeout", _late(call.config, len(done)))
    except _Unexpected as error:
        return Failed("condition", str(error), result={"statements": done})
    except FAILURES as error:
        return failed(error, {"statement": len(done) + 1})
    return Succeeded(result)


def _late(config: Config, done: int) -> str:
    if done < len(config.statements):
        return f"The time was up in statement {done + 1}; it was cancelled."
    return "The time was up before the transaction was committed; it was rolled back."


def _statements(call: Call, done: list[dict[str, Any]]) -> dict[str, Any]:
    config: Config = call.config
    started = call.clock.monotonic()
    kept = Kept(config.max_rows, call.settings.max_result_bytes)
    wanted = Wanted(config.transaction, config.read_only, config.isolation)
    with session(call, config.connection, wanted) as opened:
        for number, statement in enumerate(config.statements, start=1):
            answer = opened.run(statement.sql, statement.parameters)
            output = config.output if number == len(config.statements) else None
            done.append(_one(call, answer, output, kept))
            _check(config, statement, number, done[-1])
        opened.commit()
    return {"statements": done, "duration_ms": round((call.clock.monotonic() - started) * 1000)}


def _one(call: Call, answer: Answer, output: Output | None, kept: Kept) -> dict[str, Any]:
    if not answer.columns:
        if output is not None:
            raise SqlFailure("output", "The last statement returns no rows to store.", retryable=False)
        return {"rows_changed": answer.changed}
    if output is None:
        return kept.of(answer)
    file = File(answer, output.format, output.max_rows)
    stored = call.outputs.store(output.file_name(), file.chunks(), file.media_type)
    return {"row_count": file.count, "output": {"name": stored.name, "bytes": stored.bytes}}


def _check(config: Config, statement: Statement, number: int, done: dict[str, Any]) -> None:
    rows: int = done.get("row_count", done.get("rows_changed", 0))
    if not statement.expects(rows):
        fate = "All was rolled back." if config.transaction else "What was done before it stays."
        raise _Unexpected(f"Statement {number} had {rows} rows; expected {statement.expect_rows}. {fate}")
