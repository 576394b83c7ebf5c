"""Settling whose a job is, and who may change and operate it."""

from chalicelib.domain.access import Access
from chalicelib.domain.differences import pointer
from chalicelib.domain.errors import FieldProblem, Forbidden
from chalicelib.domain.job import Job
from chalicelib.domain.permissions import may_share
from chalicelib.engine.core import Engine
from chalicelib.features.jobs import service as jobs
from chalicelib.features.validation import refusal
from chalicelib.identity.keys import read_key
from chalicelib.identity.members import read_member
from chalicelib.identity.principal import Principal


def settle(
    engine: Engine, principal: Principal, job_id: str, wanted: Access, owner: str | None, if_match: str | None
) -> Job:
    """The job with this access, and this owner unless that is None. Forbidden; Invalid if the tenant knows no such."""

    def change(job: Job, now_ms: int) -> Job:
        if not may_share(principal, job):
            raise Forbidden(
                "Only the owner of this job, and the tenant's owners and admins, may settle this."
            )
        _check_known(engine, job, wanted, owner)
        return _settled(job, wanted, owner, now_ms)

    return jobs.change(engine, principal.tenant, job_id, if_match, change, actor=principal.actor)


def _settled(job: Job, wanted: Access, owner: str | None, now_ms: int) -> Job:
    access = None if wanted == Access() else wanted
    owned_by = owner or job.owned_by
    if (access, owned_by) == (job.access, job.owned_by):
        return job
    update = {"access": access, "revision": job.revision + 1, "updated_ms": now_ms}
    return job.model_copy(update={**update, "owner": None if owned_by == job.created_by else owned_by})


def _check_known(engine: Engine, job: Job, wanted: Access, owner: str | None) -> None:
    """Invalid, with pointers, if somebody is named who was not before, and is no member or key of the tenant."""
    before = {job.owned_by, *(job.access.grants if job.access else ())}
    named = {pointer(["grants", each]): each for each in wanted.grants} | ({"/owner": owner} if owner else {})
    problems = [
        FieldProblem(place, "The tenant has no such member or key.", "unknown_principal")
        for place, each in named.items()
        if each not in before and not _is_known(engine, job.tenant, each)
    ]
    if problems:
        raise refusal(problems)


def _is_known(engine: Engine, tenant: str, identifier: str) -> bool:
    if identifier.startswith("user_"):
        return read_member(engine, tenant, identifier) is not None
    key = read_key(engine, identifier)
    return key is not None and key.tenant == tenant
