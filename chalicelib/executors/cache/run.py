"""Carries out `cache` jobs."""

from collections.abc import Callable
from typing import Any

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call
from chalicelib.executors.cache import operations, patterns, warming
from chalicelib.executors.cache.redis_connection import CacheFailure, Redis, TooLate, connected
from chalicelib.executors.cache.spec import Config
from chalicelib.executors.database import session
from chalicelib.executors.database.failures import FAILURES, failed
from chalicelib.executors.guard import ForbiddenTarget

Work = Callable[[Call, Redis, Any], dict[str, Any]]
WORK: dict[str, Work] = {
    "get": operations.get,
    "set": operations.store,
    "delete": operations.delete,
    "expire": operations.expire,
    "increment": operations.increment,
    "stats": operations.stats,
    "scan": patterns.scan,
    "delete_matching": patterns.delete_matching,
    "flush_prefix": patterns.flush_prefix,
    "warm": warming.warm,
}


def execute(call: Call) -> Outcome:
    config: Config = call.config
    operation = config.operation
    try:
        with connected(call, config.connection) as redis:
            return Succeeded(WORK[operation.do](call, redis, operation))
    except (TooLate, session.TooLate):
        return Failed(
            "timeout", f"The time was up before `{operation.do}` was done. What it did until then stays."
        )
    except CacheFailure as error:
        return error.failed
    except ForbiddenTarget as refusal:
        return Failed("forbidden_target", str(refusal))
    except FAILURES as error:
        return failed(error)
