"""The route of a run's files, with links that are made when somebody asks."""

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Request, Response, Route
from chalicelib.features.runs import service
from chalicelib.features.runs.views import OutputView, output_fields
from chalicelib.ports.outputs import LINK_SECONDS


class LinkedOutput(OutputView):
    """A file, and where to fetch it."""

    attempt: int = Field(description="The attempt that has stored it.")
    url: str = Field(
        description="Fetches it without a key, for 15 minutes: whoever has it may read the file."
    )


class OutputList(BaseModel):
    """All files of a run, by attempt."""

    model_config = ConfigDict(defer_build=True)

    items: list[LinkedOutput]
    links_expire_at: str = Field(json_schema_extra={"format": "date-time"})


def list_outputs(engine: Engine, request: Request) -> Response:
    run = service.read(engine, request.tenant, request.path["run_id"])
    expires_ms = engine.clock.now_ms() + LINK_SECONDS * 1000
    return Response(
        OutputList.model_construct(items=_linked(engine, run), links_expire_at=rfc3339(expires_ms))
    )


def _linked(engine: Engine, run: Run) -> list[LinkedOutput]:
    return [
        LinkedOutput.model_construct(
            **output_fields(file), attempt=attempt.number, url=engine.links.link(run.tenant, run.id, file)
        )
        for attempt in run.attempts
        for file in attempt.outputs
    ]


ROUTES = (
    Route(
        method="GET",
        path="/runs/{run_id}/outputs",
        handler=list_outputs,
        summary="List a run's files, with links to fetch them",
        tag="runs",
        rule="runs:read",
        description="What attempts have stored because it is too large for their results. Files are kept as long as "
        "their run.",
        answers=(Answer(description="The files.", model=OutputList),),
        errors=(Unavailable,),
    ),
)
