"""The routes of job types. They are public, and tell nothing of anyone's data."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import NotFound
from chalicelib.domain.lanes import Lane
from chalicelib.domain.retry import ErrorKind
from chalicelib.engine.core import Engine
from chalicelib.executors import registry
from chalicelib.executors.base import ExecutorSpec
from chalicelib.features.base import Answer, Request, Response, Route


class Need(BaseModel):
    """Something that a job of the type needs."""

    model_config = ConfigDict(defer_build=True)

    needs: str
    actions: list[str] = Field(
        description="AWS's names of actions that a role has to allow; empty for others."
    )


class JobType(BaseModel):
    """A type of jobs."""

    model_config = ConfigDict(defer_build=True)

    type: str = Field(description="What a job's `type` is.")
    title: str
    description: str
    lane: Lane = Field(
        description="Whose workers run it. `fast` stands for `fast`, `urgent` and `long`: see the job's time limit."
    )
    available: bool = Field(
        description="Whether this deployment runs such jobs: its operator may switch lanes off."
    )
    calls_back: bool = Field(description="Whether its jobs may wait for a callback.")
    config_schema: dict[str, Any] = Field(
        description="The JSON Schema (2020-12) of a job's `config`, with its templates filled in: a text that is one "
        "template may stand wherever its value may."
    )
    permissions: list[Need]
    errors: list[ErrorKind] = Field(description="Kinds of failure, as `retry_on` and `give_up_on` take them.")
    limits: list[str]
    examples: dict[str, dict[str, Any]] = Field(
        description="Whole definitions for POST /jobs, by their titles."
    )


class JobTypes(BaseModel):
    """All of them, by their names."""

    model_config = ConfigDict(defer_build=True)

    items: list[JobType]


def list_job_types(engine: Engine, _request: Request) -> Response:
    specs = (registry.spec(type_) for type_ in registry.types())
    return Response(JobTypes(items=[_shown(engine, spec) for spec in specs if spec]))


def get_job_type(engine: Engine, request: Request) -> Response:
    spec = registry.spec(request.path["type"])
    if spec is None:
        raise NotFound("There is no such job type.")
    return Response(_shown(engine, spec))


def _shown(engine: Engine, spec: ExecutorSpec) -> JobType:
    lane = registry.lane(spec.type)
    return JobType(
        type=spec.type,
        title=spec.title,
        description=spec.description,
        lane=lane,
        available=lane in engine.settings.lanes_on,
        calls_back=spec.calls_back,
        config_schema=spec.config.model_json_schema(),
        permissions=[Need(needs=each.needs, actions=list(each.actions)) for each in spec.permissions],
        errors=list(spec.every_error()),
        limits=list(spec.limits),
        examples=spec.every_example(),
    )


ROUTES = (
    Route(
        method="GET",
        path="/job-types",
        handler=list_job_types,
        summary="List job types",
        tag="job types",
        description="With the schema of each one's `config`, what it needs, how it may fail, and examples.",
        public=True,
        answers=(Answer(description="All types.", model=JobTypes),),
    ),
    Route(
        method="GET",
        path="/job-types/{type}",
        handler=get_job_type,
        summary="Get a job type",
        tag="job types",
        public=True,
        answers=(Answer(description="The type.", model=JobType),),
    ),
)
