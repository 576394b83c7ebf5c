"""Where a database is, and how it is reached: fields, never one URL. Other types' configs use these models too."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chalicelib.executors.hosts import MAX_HOST, host_name
from chalicelib.executors.tls import TLS

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]


def _host(value: str) -> str:
    if host_name(value) is None:
        raise ValueError("must be a host name or an address, without a scheme or a port")
    return value


Host = Annotated[str, Field(max_length=MAX_HOST), AfterValidator(_host)]


class _Place(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Server(_Place):
    host: Host = Field(description="Its name or address.")
    database: Name = Field(description="The database on it.")
    user: Name = Field(description="Who logs in.")
    password: str = Field(
        "", max_length=1024, description="Name a secret here: `${{ secrets.name }}`.", repr=False
    )
    tls: TLS | None = Field(
        TLS(), description="How the connection is secured. null sends everything in clear text."
    )


class PostgreSQL(_Server):
    """PostgreSQL 12 or later, or what speaks its protocol."""

    engine: Literal["postgresql"] = "postgresql"
    port: int = Field(5432, ge=1, le=65_535, description="Its TCP port.")


class MySQL(_Server):
    """MySQL 5.7 or later, MariaDB 10.2 or later."""

    engine: Literal["mysql"] = "mysql"
    port: int = Field(3306, ge=1, le=65_535, description="Its TCP port.")


class SQLite(_Place):
    """A file on the file system that the operator mounts for jobs."""

    engine: Literal["sqlite"] = "sqlite"
    path: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[^\x00-\x1f\\]+$",
        description="Below the tenant's folder of the mount, such as `shop/orders.db`. The file must exist.",
    )


Connection = Annotated[PostgreSQL | MySQL | SQLite, Field(discriminator="engine")]
Server = PostgreSQL | MySQL


def target(config: Mapping[str, Any]) -> str | None:
    """The host of a config's `connection`, None if it has none. It never raises."""
    connection = config.get("connection")
    host = connection.get("host") if isinstance(connection, Mapping) else None
    return host_name(host) if isinstance(host, str) else None
