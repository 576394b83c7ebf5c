"""The routes of a job's access."""

from pydantic import ConfigDict, Field

from chalicelib.domain.access import Access, PrincipalId
from chalicelib.domain.errors import Conflict
from chalicelib.domain.job import Job
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Body, Request, Response, Route
from chalicelib.features.conditional import etag
from chalicelib.features.jobs import service as jobs
from chalicelib.features.sharing import service


class AccessBody(Access):
    """What is to hold, all of it."""

    owner: PrincipalId | None = Field(
        None, description="Whose the job is to be: a member or a key of the tenant. Left out: it stays."
    )


class AccessView(Access):
    """What holds for a job."""

    model_config = ConfigDict(defer_build=True)

    owner: str | None = Field(description="A user or a key. null: from before that was noted.")


def get_access(engine: Engine, request: Request) -> Response:
    return _shown(jobs.read(engine, request.tenant, request.path["job_id"]))


def put_access(engine: Engine, request: Request) -> Response:
    body: AccessBody = request.body
    wanted = Access(restricted=body.restricted, grants=body.grants)
    job_id = request.path["job_id"]
    return _shown(service.settle(engine, request.principal, job_id, wanted, body.owner, request.if_match))


def _shown(job: Job) -> Response:
    access = job.access or Access()
    view = AccessView.model_construct(
        owner=job.owned_by, restricted=access.restricted, grants=dict(access.grants)
    )
    return Response(view, headers={"ETag": etag(job.revision)})


_SHOWN = (Answer(description="What holds. The ETag is the job's.", model=AccessView, headers=("ETag",)),)

ROUTES = (
    Route(
        method="GET",
        path="/jobs/{job_id}/access",
        handler=get_access,
        summary="See whose a job is, and who may change it",
        tag="jobs",
        rule="jobs:read",
        answers=_SHOWN,
    ),
    Route(
        method="PUT",
        path="/jobs/{job_id}/access",
        handler=put_access,
        summary="Settle whose a job is, and who may change it",
        tag="jobs",
        rule="jobs:write",
        description="Only its owner, and the tenant's owners and admins, may. It holds from the next request on. It is "
        "no part of the definition: exports leave it out, imports and rollbacks let it be.",
        body=Body(model=AccessBody, examples={"mine alone": {"restricted": True}}),
        answers=_SHOWN,
        errors=(Conflict,),
        conditional=True,
    ),
)
