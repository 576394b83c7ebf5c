"""The route of a run's log."""

from dataclasses import astuple
from typing import Any

from pydantic import Field

from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.run_logs import Place
from chalicelib.features.base import Answer, Request, Response, Route
from chalicelib.features.logs.service import Wanted, read
from chalicelib.features.logs.views import LogPage, line_view
from chalicelib.features.paging import List, PageQuery
from chalicelib.ports.run_log import Level


class LogsQuery(PageQuery):
    """Which lines."""

    limit: int = Field(100, ge=1, le=1000, description="How many lines at most.")
    level: Level = Field("debug", description="Lines of at least this level.")
    attempt: int | None = Field(None, ge=1, le=9999, description="Only those of this attempt.")
    follow: bool = Field(
        default=False, description="Wait up to 20 seconds for new lines if there are none past the cursor."
    )

    def filters(self) -> dict[str, Any]:
        return {"level": self.level, "attempt": self.attempt}


def list_lines(engine: Engine, request: Request) -> Response:
    query: LogsQuery = request.query
    run_id = request.path["run_id"]
    pages = List(engine.secrets, request.tenant, f"log of {run_id}", "", query)
    after = _place(pages.after(query.cursor))
    wanted = Wanted(query.level, query.attempt, after, query.limit)
    told = read(engine, request.tenant, run_id, wanted, follow=query.follow)
    cursor = None if told.complete else pages.cursor(".".join(map(str, astuple(told.last))))
    items = [line_view(attempt, line) for attempt, line in told.lines]
    return Response(LogPage.model_construct(items=items, next_cursor=cursor, complete=told.complete))


def _place(text: str | None) -> Place:
    """From a cursor that we made."""
    return Place(*map(int, text.split("."))) if text else Place()


ROUTES = (
    Route(
        method="GET",
        path="/runs/{run_id}/logs",
        handler=list_lines,
        summary="Read what a run's attempts tell",
        tag="runs",
        rule="runs:read",
        description="The lines of all attempts in the order of telling. They come with the attempts' heartbeats, every "
        "ten seconds, and with their end. As long as the run is not over there is a cursor to go on from.",
        query=LogsQuery,
        answers=(Answer(description="A page of lines.", model=LogPage),),
    ),
)
