"""Finds the executors: the folders of this package. They are listed once, and loaded when they are needed."""

import pkgutil
import traceback
from functools import cache
from importlib import import_module
from types import ModuleType

import chalicelib.executors as package
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.lanes import Lane
from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.executors.base import Call, Executor, ExecutorSpec, Follower
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.outputs import OutputTooLarge, OutputUnavailable


def types() -> tuple[str, ...]:
    """The names of all job types, sorted."""
    return _folders(tuple(package.__path__))


def spec(type_: str) -> ExecutorSpec | None:
    """What the type says about itself, None if there is no such type."""
    return None if type_ not in types() else _spec(type_)


def lane(type_: str) -> Lane:
    """What the type's folder calls for in its LANE, `fast` if it says nothing. Nothing else of it is loaded."""
    return "fast" if type_ not in types() else _lane(type_)


def executor(type_: str) -> Executor | None:
    """What carries out the type's jobs, None if there is no such type. It never raises, it returns Failed."""
    return None if type_ not in types() else _executor(type_)


def follower(type_: str) -> Follower | None:
    """How the type's work is followed: `follow` and `stop` of its module `run`; None if it has none."""
    return None if type_ not in types() else _follower(type_)


@cache
def _folders(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(module.name for module in pkgutil.iter_modules(path) if module.ispkg))


def _module(type_: str, name: str) -> ModuleType:
    return import_module(f"{package.__name__}.{type_}.{name}")


@cache
def _lane(type_: str) -> Lane:
    found: Lane = getattr(import_module(f"{package.__name__}.{type_}"), "LANE", "fast")
    return found


@cache
def _spec(type_: str) -> ExecutorSpec:
    found: ExecutorSpec = _module(type_, "spec").SPEC
    return found


@cache
def _executor(type_: str) -> Executor:
    return contained(_module(type_, "run").execute)


@cache
def _follower(type_: str) -> Follower | None:
    module = _module(type_, "run")
    return Follower(module.follow, module.stop) if hasattr(module, "follow") else None


def contained(execute: Executor) -> Executor:
    """The executor, whose exceptions become a Failed: this is the only place where that happens.

    What the ports of a call raise is told to the job's owner; of anything else only the class and the place.
    """

    def run(call: Call) -> Outcome:
        try:
            return execute(call)
        except OutputTooLarge as error:
            return Failed("output", error.message, retryable=False)
        except CloudError as error:
            return Failed("cloud", error.message, status=error.status, retryable=error.retryable)
        except Unavailable as error:
            return Failed("output" if isinstance(error, OutputUnavailable) else "unknown", error.message)
        except Exception as surprise:  # noqa: BLE001 - whatever an executor meets is the run's failure
            return Failed("unknown", told(surprise))

    return run


def told(surprise: Exception) -> str:
    """The class and the place, without the message: that may hold a secret of the job."""
    place = traceback.extract_tb(surprise.__traceback__)[-1]
    where = place.filename.replace("\\", "/").rpartition("/")[2]
    return f"The executor failed unexpectedly: {type(surprise).__name__} at {where}:{place.lineno}."
