"""Settings: the only reader of the environment, one validated model."""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from chalicelib.domain.lanes import LANES, Lane
from chalicelib.domain.plans import Plan
from chalicelib.domain.prices import Architecture

PREFIX = "CHRONOS_"
LAMBDAS_OWN = {"memory_mb": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"}


def _networks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = tuple(part.strip() for part in value.split(",") if part.strip())
    for each in found:
        ip_network(each)
    return found


def _roles(value: Any) -> Any:
    """From "arn:aws:iam::123456789012:role/one, ..."."""
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _queues(value: Any) -> Any:
    """From "fast=https://..., long=https://..."."""
    if not isinstance(value, str):
        return value
    return dict(part.strip().split("=", 1) for part in value.split(",") if "=" in part)


_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


def _origins(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = tuple(part.strip() for part in value.split(",") if part.strip())
    for each in found:
        if not _ORIGIN.fullmatch(each):
            raise ValueError(f"{each[:100]!r} is no origin such as https://app.example.com")
    return found


def _lanes(value: Any) -> Any:
    """From "fast,long,,data"."""
    return tuple(each for each in value.split(",") if each) if isinstance(value, str) else value


def _complete(queues: dict[Lane, str]) -> dict[Lane, str]:
    missing = [lane for lane in LANES if lane not in queues]
    if missing:
        raise ValueError(f"no queue of {', '.join(missing)}")
    return queues


RoleArn = Annotated[
    str, Field(max_length=640, pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9_+=.@/-]+$")
]
QueueUrl = Annotated[str, Field(pattern=r"^https?://")]


class Settings(BaseModel):
    """Each field is the environment variable CHRONOS_<NAME>, but those in LAMBDAS_OWN."""

    model_config = ConfigDict(frozen=True)

    catalog_table: str = Field(min_length=3)
    timers_table: str = Field(min_length=3)
    runs_table: str = Field(min_length=3)
    audit_table: str = Field(min_length=3)
    queues: Annotated[dict[Lane, QueueUrl], BeforeValidator(_queues), AfterValidator(_complete)]
    lanes: Annotated[tuple[Lane, ...], BeforeValidator(_lanes)] = LANES
    stage: str = "dev"
    lead_ms: int = Field(150, ge=0, le=10_000)
    shards: int = Field(64, ge=1, le=999)
    dispatchers: int = Field(4, ge=1, le=64)
    plan: Plan = "pro"
    job_roles: Annotated[tuple[RoleArn, ...], BeforeValidator(_roles)] = ()
    outputs_bucket: str = Field(min_length=3)
    max_output_mb: int = Field(1024, ge=1, le=10_240)
    allow_networks: Annotated[tuple[str, ...], BeforeValidator(_networks)] = ()
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_origins)] = ()
    registration: Literal["open", "closed"] = "closed"
    app_url: str = Field("", pattern="^(https?://.+)?$", description="Where links in mails lead.")
    mail_from: str = Field("", pattern="^(.+@.+)?$", description="Who mails are from; empty: none is sent.")
    mount: str = Field("", pattern="^(/.*)?$", description="A file system for jobs, such as /mnt/jobs.")
    sandbox: str | None = Field(None, description="The function in which scripts run.")
    log_level: str = "INFO"
    architecture: Architecture = "arm64"
    memory_mb: int = Field(256, ge=128, le=10_240, description="Told by Lambda itself.")


class BadSettings(Exception):
    """The environment does not hold what Chronos needs."""


def load(environ: Mapping[str, str]) -> Settings:
    """The settings in an environment. BadSettings names each variable, what it should be and what came."""
    names = {name: LAMBDAS_OWN.get(name, PREFIX + name.upper()) for name in Settings.model_fields}
    try:
        return Settings.model_validate({name: environ[key] for name, key in names.items() if key in environ})
    except ValidationError as error:
        lines = (
            f"{names[str(each['loc'][0])]}: {each['msg']} (got {each['input']!r})" for each in error.errors()
        )
        raise BadSettings("The settings do not do. " + " ".join(lines)) from error


@lru_cache(maxsize=1)
def settings() -> Settings:
    """This process's settings, read once when they are first needed."""
    import os

    return load(os.environ)
