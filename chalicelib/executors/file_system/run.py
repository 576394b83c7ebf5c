"""Carries out `file_system` jobs."""

from collections.abc import Callable
from typing import Any

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call
from chalicelib.executors.file_system import work
from chalicelib.executors.file_system.local import LocalStore
from chalicelib.executors.file_system.locations import Location
from chalicelib.executors.file_system.s3 import S3Store
from chalicelib.executors.file_system.spec import Config
from chalicelib.executors.file_system.stores import Store, TooLate, check_time
from chalicelib.executors.mount import ForbiddenPath, tenant_root
from chalicelib.executors.trouble import Trouble
from chalicelib.ports.cloud import CloudError

WORK: dict[str, Callable[[work.Desk, Any], dict[str, Any]]] = {
    "list": work.listed,
    "check": work.checked,
    "checksum": work.checksums,
    "delete": work.deleted,
    "copy": work.copied,
    "move": work.copied,
    "archive": work.archived,
    "extract": work.extracted,
    "compress": work.recoded,
    "decompress": work.recoded,
}
LATE = Failed("timeout", "The time was up before all files were done. What was done until then stays.")


def execute(call: Call) -> Outcome:
    config: Config = call.config
    try:
        check_time(call)
        return Succeeded(WORK[config.operation.do](work.Desk(call, _stores(call, config)), config.operation))
    except TooLate:
        return LATE
    except Trouble as error:
        return error.failed
    except ForbiddenPath as error:
        return Failed("file", str(error), retryable=False)
    except CloudError as error:
        if error.code in ("timeout", "stopped") and call.remaining() <= 0:
            return LATE
        return Failed("cloud", error.message, status=error.status, retryable=error.retryable)


def _stores(call: Call, config: Config) -> Callable[[Location], Store]:
    """The store of a location, made when it is first asked for."""
    known: dict[str, Store] = {}

    def store_of(place: Location) -> Store:
        if place.bucket not in known:
            known[place.bucket] = _made(call, config, place)
        return known[place.bucket]

    return store_of


def _made(call: Call, config: Config, place: Location) -> Store:
    if place.scheme == "file":
        return LocalStore(tenant_root(call.settings, call.tenant))
    return S3Store(call.cloud.client("s3", role_arn=config.role_arn, region=config.region), place.bucket)
