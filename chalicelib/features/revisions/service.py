"""Reading revisions, and going back to one."""

from chalicelib.domain.errors import FieldProblem, Invalid, NotFound
from chalicelib.domain.ids import is_id
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.revisions import DELETED, Revision, newest_first, read_revision
from chalicelib.features.jobs import service as jobs
from chalicelib.features.jobs.changes import redefined
from chalicelib.features.jobs.definition import validated
from chalicelib.features.validation import refusal
from chalicelib.identity.principal import Principal


def listed(
    engine: Engine, tenant: str, job_id: str, *, limit: int, below: int | None
) -> tuple[list[Revision], bool]:
    """Up to `limit` revisions and the one before them, newest first; whether more than `limit` are left.

    NotFound if neither the job nor a revision of it is there.
    """
    if not is_id(job_id, "job"):
        raise NotFound("There is no such job.")
    found = newest_first(engine, tenant, job_id, limit=limit + 1, below=below)
    if not found and below is None:
        jobs.read(engine, tenant, job_id)
    return found, len(found) > limit


def read(engine: Engine, tenant: str, job_id: str, number: int) -> Revision:
    """NotFound if there is none, or it is not kept any more."""
    found = read_revision(engine, tenant, job_id, number) if is_id(job_id, "job") else None
    if found is None:
        raise NotFound("There is no such revision, or it is not kept any more.")
    return found


def before(engine: Engine, tenant: str, job_id: str, number: int) -> Revision | None:
    """The revision before another, None if it is not there."""
    return read_revision(engine, tenant, job_id, number - 1)


def rollback(engine: Engine, principal: Principal, job_id: str, number: int, if_match: str | None) -> Job:
    """The job with the definition that it had in a revision. Invalid if that would not be accepted today."""
    jobs.read(engine, principal.tenant, job_id)
    revision = read_revision(engine, principal.tenant, job_id, number)
    if revision is None or revision.status == DELETED:
        raise Invalid.field("/revision", "There is no such revision of this job.", "unknown_revision")
    definition = _valid_today(revision)
    return jobs.change(
        engine,
        principal.tenant,
        job_id,
        if_match,
        lambda job, now_ms: redefined(job, definition, now_ms),
        actor=principal.actor,
    )


def _valid_today(revision: Revision) -> JobDefinition:
    try:
        return validated(revision.definition)
    except Invalid as error:
        raise refusal(
            [
                FieldProblem(
                    "/revision",
                    f"This revision would not be accepted today: {problem.pointer}: {problem.message}",
                    problem.code,
                )
                for problem in error.problems
            ]
        ) from None
