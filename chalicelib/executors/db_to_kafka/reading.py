"""Reads batches of rows in a thread of its own, which is the database's all the time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chalicelib.executors.base import Call
from chalicelib.executors.database.opening import Wanted, session
from chalicelib.executors.database.placeholders import Parameters
from chalicelib.executors.database.session import END_SECONDS, Answer, Session
from chalicelib.executors.database.values import as_json, distinct
from chalicelib.executors.db_to_kafka.keyset import check_distinct, key_of
from chalicelib.executors.db_to_kafka.spec import Config

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as JSON; `last` is the key of the last one, if the query is incremental. `complete`: no more follow."""

    rows: list[Row]
    complete: bool
    last: list[Any] | None = None


class Reader:
    """Batches of a job's query. `thread` is where its methods are to be called."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._config: Config = call.config
        self._stack = ExitStack()
        self._session: Session | None = None
        self._answer: Answer | None = None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="read")

    def batch(self, after: Sequence[Any] | None, limit: int) -> Batch:
        """The next rows: after a key, or after those of the call before. SqlFailure, TooLate, NotAscending, ..."""
        if self._config.incremental is None:
            found = [self._shown(row) for row in self._next(limit)]
            return Batch(found, len(found) < limit)
        sql, parameters = self._config.keyset().page(after, limit + 1)  # one more, to compare its key
        answer = self._run(sql, parameters)
        names = distinct(answer.columns)
        raw = [dict(zip(names, row, strict=True)) for row in answer.rows]
        columns, engine = self._config.incremental.columns, self._config.connection.engine
        keys = [key_of(row, columns, engine) for row in raw]
        check_distinct(keys)
        rows = [{name: as_json(value) for name, value in row.items()} for row in raw[:limit]]
        last = [as_json(value) for value in keys[len(rows) - 1]] if rows else None
        return Batch(rows, len(raw) <= limit, last)

    def close(self) -> None:
        """End the session, in its thread."""
        closing = self.thread.submit(self._stack.close)
        with suppress(Exception):  # what matters is told already
            closing.result(2 * END_SECONDS)
        self.thread.shutdown(wait=False)

    def _next(self, limit: int) -> list[Sequence[Any]]:
        if self._answer is None:
            self._answer = self._run(self._config.query.sql, self._config.query.parameters)
        return list(islice(self._answer.rows, limit))

    def _shown(self, row: Sequence[Any]) -> Row:
        assert self._answer is not None
        return dict(zip(distinct(self._answer.columns), map(as_json, row), strict=True))

    def _run(self, sql: str, parameters: Parameters) -> Answer:
        if self._session is None:
            wanted = Wanted(transaction=self._config.incremental is None, read_only=True)
            self._session = self._stack.enter_context(session(self._call, self._config.connection, wanted))
        return self._session.run(sql, parameters)
