"""Whether who asks may do this to the job that it concerns. Another tenant's job is answered as none."""

from collections.abc import Callable, Mapping

from chalicelib.domain.errors import Forbidden, NotFound
from chalicelib.domain.job import Job
from chalicelib.domain.permissions import is_reading, may, may_on_every_job
from chalicelib.engine.core import Engine
from chalicelib.identity.principal import Principal

Find = Callable[[Engine, str, str], Job | None]
"""(engine, tenant, id) -> the job that a thing belongs to, None if only that is gone. NotFound if there is no thing."""


def check(engine: Engine, principal: Principal, permission: str, path: Mapping[str, str]) -> None:
    """Forbidden unless the principal has the permission, on the job of the path if it names one.

    NotFound if the path names what is not there. The job is read only where its answer matters.
    """
    named = next((name for name in path if name in FINDERS), None)
    if named is None or is_reading(permission):
        principal.require(permission)
    elif not may_on_every_job(principal, permission):
        _check_on(engine, principal, permission, FINDERS[named], path[named])


def check_on_job(engine: Engine, principal: Principal, permission: str, job_id: str) -> None:
    """The same of a job by its id."""
    check(engine, principal, permission, {"job_id": job_id})


def _check_on(engine: Engine, principal: Principal, permission: str, find: Find, identifier: str) -> None:
    try:
        job = find(engine, principal.tenant, identifier)
    except NotFound:
        if permission in principal.permissions:
            return  # whoever carries it out says the same, or repeats an answer from when it was there
        raise
    if job is None:
        principal.require(permission)
    elif not may(principal, job, permission):
        raise Forbidden(
            f"This needs the permission {permission} on this job: by a role that has it, unless the job is "
            "restricted, or by a grant."
        )


def _job(engine: Engine, tenant: str, identifier: str) -> Job:
    from chalicelib.features.jobs import service

    return service.read(engine, tenant, identifier)


def _job_of_run(engine: Engine, tenant: str, identifier: str) -> Job | None:
    from chalicelib.features.runs import service

    return _unless_gone(engine, tenant, service.read(engine, tenant, identifier).job_id)


def _job_of_backfill(engine: Engine, tenant: str, identifier: str) -> Job | None:
    from chalicelib.features.backfills import service

    return _unless_gone(engine, tenant, service.read(engine, tenant, identifier).job_id)


def _unless_gone(engine: Engine, tenant: str, job_id: str) -> Job | None:
    try:
        return _job(engine, tenant, job_id)
    except NotFound:
        return None


FINDERS: Mapping[str, Find] = {"job_id": _job, "run_id": _job_of_run, "backfill_id": _job_of_backfill}
"""By the name that a thing's id has in paths."""
