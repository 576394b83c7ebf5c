"""The `database` type: statements in one transaction, and what becomes of their rows."""

import operator
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.database.connection import Connection, target
from chalicelib.executors.database.placeholders import rewritten
from chalicelib.executors.json_values import bounded

MAX_SQL = 65_536
MAX_PARAMETERS_BYTES = 131_072
MAX_STATEMENTS = 20
_BOUND = re.compile(r"(==|!=|>=|<=|>|<)?\s*([0-9]{1,12})")
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def _small(value: Any) -> Any:
    _check_integers(value)
    return bounded(value, MAX_PARAMETERS_BYTES)


def _check_integers(value: Any) -> None:
    ones = value.values() if isinstance(value, dict) else value or ()
    if any(isinstance(one, int) and not -(2**63) <= one < 2**63 for one in ones):
        raise ValueError("must not have integers beyond 64 bits; give them as text")


def _text(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain a NUL character")
    return value


def _bound(value: str) -> str:
    if not _BOUND.fullmatch(value.strip()):
        raise ValueError("must be a number of rows, such as `1`, or a bound, such as `>= 1`")
    return value.strip()


SQL = Annotated[str, Field(min_length=1, max_length=MAX_SQL), AfterValidator(_text)]
Parameters = Annotated[
    Annotated[list[JsonValue], Field(max_length=1000)]
    | Annotated[dict[str, JsonValue], Field(max_length=1000)]
    | None,
    AfterValidator(_small),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Query(_Part):
    """One statement with its values, which are bound by the server or driver and never written into its text."""

    sql: SQL = Field(
        description="One statement, at most 64 KB. Values stand as `?` (a list) or `:name` (an object)."
    )
    parameters: Parameters = Field(
        None, description="The values: a list, an object, or null. Lists and objects in it are bound as JSON."
    )

    def bound_for(self, engine: str) -> None:
        """ValueError unless placeholders and parameters fit."""
        rewritten(self.sql, engine, self.parameters, lambda number: f"?{number}")


class Statement(Query):
    """A statement of a transaction."""

    expect_rows: Annotated[str, AfterValidator(_bound)] | None = Field(
        None,
        max_length=20,
        description="How many rows it must return or change, such as `1` or `>= 1`; else all is rolled back.",
    )

    def expects(self, rows: int) -> bool:
        """Whether so many rows are what is expected."""
        found = _BOUND.fullmatch(self.expect_rows or ">= 0")
        assert found is not None
        return _COMPARISONS[found.group(1) or "=="](rows, int(found.group(2)))


class Output(_Part):
    """A file with all rows of the last statement, stored with the run."""

    format: Literal["csv", "json_lines"] = Field(
        "csv", description="`csv`: a header, then RFC 4180; `json_lines`: an object a line."
    )
    name: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._-]{1,100}$", description="Default: `rows.csv` or `rows.jsonl`."
    )
    max_rows: int = Field(
        1_000_000, ge=1, le=100_000_000, description="More rows are a failure, and nothing is stored."
    )

    def file_name(self) -> str:
        """The name given, or the format's."""
        return self.name or ("rows.csv" if self.format == "csv" else "rows.jsonl")


class Config(_Part):
    """What a run does in a database."""

    connection: Connection = Field(description="Where the database is, and who logs in.")
    statements: list[Statement] = Field(
        min_length=1, max_length=MAX_STATEMENTS, description="Carried out one after another."
    )
    transaction: bool = Field(
        default=True,
        description="All or nothing. `false`: each by itself, as some statements need (`VACUUM`).",
    )
    read_only: bool = Field(default=False, description="The database refuses to change anything.")
    isolation: Literal["read_committed", "repeatable_read", "serializable"] | None = Field(
        None, description="Of the transaction. Default: the server's. SQLite is always serializable."
    )
    max_rows: int = Field(
        100,
        ge=0,
        le=10_000,
        description="Rows of each statement kept in the result, as far as it has room; others are counted.",
    )
    output: Output | None = Field(None, description="Store all rows of the last statement as a file.")

    @model_validator(mode="after")
    def _placeholders_fit(self) -> "Config":
        for number, statement in enumerate(self.statements):
            try:
                statement.bound_for(self.connection.engine)
            except ValueError as error:
                raise ValueError(f"statements.{number}.sql {error}") from error
        return self


SPEC = ExecutorSpec(
    target=target,
    type="database",
    config=Config,
    title="Database statements",
    description="Runs SQL on PostgreSQL, MySQL, MariaDB or SQLite: in one transaction, with bound parameters.",
    example={
        "connection": {
            "engine": "postgresql",
            "host": "db.example.com",
            "database": "shop",
            "user": "chronos",
            "password": "example-password",
        },
        "statements": [
            {
                "sql": "DELETE FROM carts WHERE touched_at < now() - CAST(:age AS interval)",
                "parameters": {"age": "30 days"},
                "expect_rows": "<= 100000",
            }
        ],
    },
    permissions=(
        Permission("To reach the server: a public address, or one of a network that the operator allows."),
        Permission(
            "For SQLite: a file system that the operator mounts; each tenant has a folder of its own on it."
        ),
    ),
    errors=(
        "connection",
        "authentication",
        "database",
        "database_conflict",
        "condition",
        "output",
        "file",
        "forbidden_target",
    ),
    limits=(
        "20 statements of 64 KB, 128 KB of parameters each.",
        "8 KB of rows are kept in the result; a file has as many as `output.max_rows`.",
        "SQLite: values of at most 16 MB; nothing that leads out of the file.",
    ),
    examples={
        "All orders of a day as a file": {
            "name": "orders-of-yesterday",
            "schedule": {"kind": "cron", "expression": "0 15 3 * * *", "timezone": "Europe/Berlin"},
            "timeout_seconds": 600,
            "config": {
                "connection": {
                    "engine": "mysql",
                    "host": "db.example.com",
                    "database": "shop",
                    "user": "reader",
                },
                "read_only": True,
                "statements": [
                    {
                        "sql": "SELECT * FROM orders WHERE day = ?",
                        "parameters": ["${{ run.nominal | minus('1d') | date('%Y-%m-%d') }}"],
                    }
                ],
                "output": {"format": "csv", "name": "orders.csv"},
            },
        }
    },
)
