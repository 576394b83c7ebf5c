"""The `db_to_kafka` type: a query, a topic, and where the next run goes on."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.database import connection as database
from chalicelib.executors.database.spec import Query
from chalicelib.executors.db_to_kafka.keyset import Keyset
from chalicelib.executors.hosts import endpoint
from chalicelib.executors.tls import TLS

PORT = 9092
Column = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


def _is_endpoint(server: str) -> str:
    endpoint(server, PORT)
    return server


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of text")
    return value


Server = Annotated[str, Field(min_length=1, max_length=262), AfterValidator(_is_endpoint)]
Line = Annotated[str, Field(max_length=1024), AfterValidator(_one_line)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Cluster(_Part):
    """Kafka, or what speaks its protocol. Every broker that it advertises is checked like the first."""

    servers: Annotated[list[Server], Field(min_length=1, max_length=20)] = Field(
        description="`host` or `host:port` (9092) to ask for the cluster's brokers."
    )
    user: Annotated[Line, Field(min_length=1)] | None = Field(None, description="With `password`: SASL.")
    password: Annotated[Line, Field(min_length=1)] | None = Field(
        None, description="Name a secret here: `${{ secrets.name }}`.", repr=False
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How `user` and `password` are shown."
    )
    tls: TLS | None = Field(
        TLS(), description="How connections are secured. null sends everything in clear text."
    )

    @model_validator(mode="after")
    def _its_fields_fit(self) -> "Cluster":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: give both or none")
        if self.tls and self.tls.server_name:
            raise ValueError("tls.server_name: brokers are verified by the names that they advertise")
        return self

    def addresses(self) -> list[tuple[str, int]]:
        """Hosts and ports."""
        return [endpoint(server, PORT) for server in self.servers]


class Incremental(_Part):
    """Each run goes on where the one before ended: after the greatest values of these columns."""

    columns: Annotated[list[Column], Field(min_length=1, max_length=5)] = Field(
        description="Of the query's result. Together they differ from row to row, are never NULL, and only grow."
    )
    generation: int = Field(
        0, ge=0, le=1_000_000, description="Another number than before begins anew, with all rows."
    )


class Config(_Part):
    """Rows of a query as messages of a topic."""

    connection: database.Connection = Field(description="The database, as of `database` jobs.")
    query: Query = Field(description="What to read. Without ORDER BY and LIMIT, if it is incremental.")
    incremental: Incremental | None = Field(
        None, description="Send only what is new since the last run. Default: all rows in each run."
    )
    kafka: Cluster = Field(description="The cluster.")
    topic: str = Field(pattern="^[A-Za-z0-9._-]{1,249}$", description="It must exist.")
    key_columns: Annotated[list[Column], Field(max_length=5)] = Field(
        [],
        description="The message's key: a column's text, or a JSON list of several. Default: no key.",
    )
    value_column: Column | None = Field(
        None, description="The message's value: text as it is, else JSON. Default: the row as a JSON object."
    )
    headers: dict[Annotated[Line, Field(min_length=1, max_length=128)], Line] = Field(
        {}, max_length=20, description="Of each message."
    )
    batch_rows: int = Field(
        500,
        ge=1,
        le=5000,
        description="So many rows are read, sent and confirmed together; a batch is in memory.",
    )
    max_rows: int = Field(
        1_000_000,
        ge=1,
        le=100_000_000,
        description="A run ends after so many; if incremental, the next goes on.",
    )

    @model_validator(mode="after")
    def _placeholders_fit(self) -> "Config":
        if self.incremental is None:
            self.query.bound_for(self.connection.engine)
        else:
            self.keyset().check()
        return self

    def keyset(self) -> Keyset:
        """How pages are read. Only if it is incremental."""
        columns = self.incremental.columns if self.incremental else []
        return Keyset(self.connection.engine, self.query.sql, self.query.parameters, tuple(columns))


def target(config: Mapping[str, Any]) -> str | None:
    """The first of Kafka's servers."""
    try:
        return endpoint(str(config["kafka"]["servers"][0]), PORT)[0]
    except (KeyError, IndexError, TypeError, ValueError):
        return None


SPEC = ExecutorSpec(
    target=target,
    type="db_to_kafka",
    config=Config,
    title="Database to Kafka",
    description="Streams a query's rows to a Kafka topic, each at least once, and goes on there in the next run.",
    example={
        "connection": {
            "engine": "postgresql",
            "host": "db.example.com",
            "database": "shop",
            "user": "reader",
            "password": "example-password",
        },
        "query": {"sql": "SELECT id, customer, total, placed_at FROM orders"},
        "incremental": {"columns": ["id"]},
        "kafka": {"servers": ["kafka.example.com:9093"], "user": "chronos", "password": "example-password"},
        "topic": "orders",
        "key_columns": ["customer"],
    },
    permissions=(
        Permission(
            "To reach the database and each broker that the cluster advertises: public addresses, or allowed."
        ),
        Permission("Of the database's user: to read. Of Kafka's: to write to the topic."),
    ),
    errors=(
        "connection",
        "authentication",
        "database",
        "database_conflict",
        "broker",
        "condition",
        "file",
        "forbidden_target",
    ),
    limits=(
        "A message has at most 1 MB.",
        "A batch of rows is in memory: lower `batch_rows` where rows are large.",
    ),
    examples={
        "New orders, each five minutes": {
            "name": "orders-to-kafka",
            "schedule": {"kind": "cron", "expression": "0 */5 * * * *"},
            "concurrency": {"policy": "forbid"},
            "timeout_seconds": 240,
            "config": {
                "connection": {
                    "engine": "mysql",
                    "host": "db.example.com",
                    "database": "shop",
                    "user": "reader",
                },
                "query": {"sql": "SELECT * FROM orders WHERE placed_at < now() - INTERVAL 1 MINUTE"},
                "incremental": {"columns": ["placed_at", "id"]},
                "kafka": {"servers": ["kafka.example.com"]},
                "topic": "orders",
            },
        }
    },
)
