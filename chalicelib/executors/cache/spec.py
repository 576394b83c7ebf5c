"""The `cache` type: one operation of a fixed set on a Redis or Valkey server. No other command can be sent."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.database.connection import Connection, Host, target
from chalicelib.executors.database.spec import Query
from chalicelib.executors.http.checks import MAX_URL_BYTES, checked_headers, checked_url
from chalicelib.executors.json_values import bounded
from chalicelib.executors.tls import TLS

MAX_VALUE_BYTES = 131_072
MAX_TTL_SECONDS = 315_360_000
FIELDS = (
    "redis_version",
    "role",
    "uptime_in_seconds",
    "connected_clients",
    "used_memory",
    "maxmemory",
    "keyspace_hits",
    "keyspace_misses",
    "expired_keys",
    "evicted_keys",
    "instantaneous_ops_per_sec",
)


def _small(value: Any) -> Any:
    return bounded(value, MAX_VALUE_BYTES)


def _encodable(value: str) -> str:
    value.encode()  # a lone surrogate is a ValueError
    return value


def _narrow(pattern: str) -> str:
    if not _encodable(pattern).translate(str.maketrans("", "", "*?[]^-\\")):
        raise ValueError("must contain more than wildcards: it would match everything")
    return pattern


Key = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_encodable)]
Keys = Annotated[list[Key], Field(min_length=1, max_length=1000)]
Pattern = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_narrow)]
Seconds = Annotated[int, Field(ge=1, le=MAX_TTL_SECONDS)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Server(_Part):
    """A Redis (5 or later) or Valkey server: one node. Clusters are served only where its slots are."""

    host: Host = Field(description="Its name or address.")
    port: int = Field(6379, ge=1, le=65_535, description="Its TCP port.")
    database: int = Field(0, ge=0, le=1_000_000, description="The number of the database on it.")
    user: str | None = Field(
        None, min_length=1, max_length=256, description="An ACL user. Default: `default`."
    )
    password: str = Field(
        "", max_length=1024, description="Name a secret here: `${{ secrets.name }}`.", repr=False
    )
    tls: TLS | None = Field(
        TLS(),
        description="How the connection is secured. null sends everything in clear text, also the password.",
    )


class Get(_Part):
    """Read values: of strings only."""

    do: Literal["get"]
    keys: Annotated[list[Key], Field(min_length=1, max_length=100)] = Field(description="At most 100.")


class Set(_Part):
    """Store a value."""

    do: Literal["set"]
    key: Key = Field(description="At most 1,024 characters.")
    value: Annotated[JsonValue, AfterValidator(_small)] = Field(
        description="Text as it is, anything else as JSON; at most 128 KB."
    )
    ttl_seconds: Seconds | None = Field(None, description="When it expires. Default: never.")
    when: Literal["always", "absent", "present"] = Field(
        "always", description="Only if the key is absent, or only if it is there."
    )


class Delete(_Part):
    """Remove keys, of any type."""

    do: Literal["delete"]
    keys: Keys = Field(description="At most 1,000.")


class Expire(_Part):
    """Let keys expire."""

    do: Literal["expire"]
    keys: Keys = Field(description="At most 1,000.")
    ttl_seconds: Seconds = Field(description="From now.")


class Increment(_Part):
    """Add to a number. A repeat adds again."""

    do: Literal["increment"]
    key: Key = Field(description="What is absent counts as 0.")
    by: int = Field(1, ge=-(2**53), le=2**53, description="May be negative.")
    ttl_seconds: Seconds | None = Field(
        None, description="When the key expires, unless that is set already (Redis 7 or later)."
    )


class Scan(_Part):
    """List keys."""

    do: Literal["scan"]
    pattern: Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_encodable)] = Field(
        "*", description="With `*`, `?` and `[...]`, as Redis reads it."
    )
    max_keys: int = Field(1000, ge=1, le=10_000, description="It ends after so many.")


class DeleteMatching(_Part):
    """Remove all keys that match a pattern, in batches, without blocking the server."""

    do: Literal["delete_matching"]
    pattern: Pattern = Field(description="With `*`, `?` and `[...]`; not wildcards alone.")
    max_keys: int = Field(100_000, ge=1, le=100_000_000, description="It ends after so many.")
    dry_run: bool = Field(default=False, description="Only count them.")


class FlushPrefix(_Part):
    """Remove all keys that begin so, in batches, without blocking the server."""

    do: Literal["flush_prefix"]
    prefix: Key = Field(description="Taken literally: `*` is a star.")
    max_keys: int = Field(100_000, ge=1, le=100_000_000, description="It ends after so many.")
    dry_run: bool = Field(default=False, description="Only count them.")


class FromQuery(_Part):
    """Rows of a database."""

    connection: Connection = Field(description="As of `database` jobs.")
    query: Query = Field(
        description="What it returns is stored, a key for each row. It cannot change anything."
    )


class FromUrl(_Part):
    """A JSON document: an object (a key for each member), or a list of objects."""

    url: Annotated[str, AfterValidator(checked_url)] = Field(
        max_length=MAX_URL_BYTES, description="Fetched by GET; redirects are not followed. At most 8 MB."
    )
    headers: Annotated[dict[str, str], AfterValidator(checked_headers)] = Field(
        {}, description="Sent along. Name secrets here."
    )


class Warm(_Part):
    """Fill the cache: each value is the row or object as JSON, or one of its fields."""

    do: Literal["warm"]
    source: FromQuery | FromUrl = Field(description="Where the values come from.")
    key_field: str = Field(
        "key", min_length=1, max_length=256, description="Of rows and lists: names the key."
    )
    value_field: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Only this field is the value. Default: all of it, as JSON.",
    )
    prefix: str = Field("", max_length=256, description="Before each key.")
    ttl_seconds: Seconds | None = Field(None, description="When they expire. Default: never.")
    max_keys: int = Field(100_000, ge=1, le=10_000_000, description="More are a failure.")


class Stats(_Part):
    """What the server tells about itself (INFO), and the number of keys."""

    do: Literal["stats"]
    fields: Annotated[
        list[Annotated[str, Field(pattern="^[a-z0-9_]{1,64}$")]], Field(min_length=1, max_length=50)
    ] = Field(list(FIELDS), description="Of INFO, by their names.")


Operation = Annotated[
    Get | Set | Delete | Expire | Increment | Scan | DeleteMatching | FlushPrefix | Warm | Stats,
    Field(discriminator="do"),
]


class Config(_Part):
    """One operation on a cache."""

    connection: Server = Field(description="Where the cache is, and who logs in.")
    operation: Operation = Field(description="What to do, by its `do`.")

    @model_validator(mode="after")
    def _a_query_has_its_values(self) -> "Config":
        if isinstance(self.operation, Warm) and isinstance(self.operation.source, FromQuery):
            source = self.operation.source
            source.query.bound_for(source.connection.engine)
        return self


SPEC = ExecutorSpec(
    target=target,
    type="cache",
    config=Config,
    title="Cache operation",
    description="Reads, fills, expires, counts and clears a Redis or Valkey cache, within bounds.",
    example={
        "connection": {"host": "cache.example.com", "password": "example-password"},
        "operation": {"do": "flush_prefix", "prefix": "page:"},
    },
    permissions=(
        Permission("To reach the server: a public address, or one of a network that the operator allows."),
        Permission(
            "Of an ACL user: the commands of its operation, such as SCAN and UNLINK to flush a prefix."
        ),
    ),
    errors=(
        "connection",
        "authentication",
        "cache",
        "forbidden_target",
        "database",
        "http_4xx",
        "http_5xx",
        "http_unexpected",
    ),
    limits=(
        "8 KB of values and keys are kept in the result.",
        "1,000 keys by name; by pattern as many as `max_keys`.",
        "One node; a cluster's other slots are not followed.",
    ),
    examples={
        "Prices, read from the shop's database each hour": {
            "name": "warm-prices",
            "schedule": {"kind": "cron", "expression": "0 0 * * * *"},
            "timeout_seconds": 120,
            "config": {
                "connection": {
                    "host": "cache.example.com",
                    "user": "chronos",
                    "password": "example-password",
                },
                "operation": {
                    "do": "warm",
                    "prefix": "price:",
                    "key_field": "sku",
                    "ttl_seconds": 7200,
                    "source": {
                        "connection": {
                            "engine": "postgresql",
                            "host": "db.example.com",
                            "database": "shop",
                            "user": "reader",
                        },
                        "query": {"sql": "SELECT sku, price, currency FROM prices"},
                    },
                },
            },
        }
    },
)
