"""The route of a job's timeline. Its service is loaded when it is first asked for: no cold start pays for it."""

from pydantic import Field

from chalicelib.domain.errors import Invalid
from chalicelib.domain.ids import instant_of, run_id
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.schedule import Moment
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Request, Response, Route
from chalicelib.features.paging import List, PageQuery
from chalicelib.features.timeline.views import Timeline, entry_view, gaps

MAX_DAYS = 400
DAY_MS = 86_400_000


class TimelineQuery(PageQuery):
    """Which stretch of time."""

    limit: int = Field(100, ge=1, le=500, description="How many occurrences at most.")
    from_: Moment | None = Field(
        None, alias="from", description="Default: a day ago; two days before `to` if that is given."
    )
    to: Moment | None = Field(
        None, description=f"Not included. Default: two days after `from`; at most {MAX_DAYS} days after it."
    )

    def window(self, now_ms: int) -> tuple[int, int]:
        """[start, end). Invalid if it is empty or too wide."""
        start_ms = epoch_ms(self.from_) if self.from_ else None
        end_ms = epoch_ms(self.to) if self.to else None
        if start_ms is None:
            start_ms = now_ms - DAY_MS if end_ms is None else end_ms - 2 * DAY_MS
        end_ms = start_ms + 2 * DAY_MS if end_ms is None else end_ms
        if end_ms <= start_ms:
            raise Invalid.field("/query/to", "to must be later than from.", "end_before_start")
        if end_ms - start_ms > MAX_DAYS * DAY_MS:
            raise Invalid.field("/query/to", f"The window is wider than {MAX_DAYS} days.", "window_too_wide")
        return start_ms, end_ms


def get_timeline(engine: Engine, request: Request) -> Response:
    from chalicelib.features.timeline import service

    query: TimelineQuery = request.query
    job_id = request.path["job_id"]
    start_ms, end_ms = query.window(engine.clock.now_ms())
    pages = List(engine.secrets, request.tenant, f"timeline of {job_id}", "run", query)
    after = pages.after(query.cursor)
    begin_ms = start_ms if after is None else instant_of(after) + 1
    told = service.told(engine, request.tenant, job_id, start_ms=begin_ms, end_ms=end_ms, limit=query.limit)
    last = None if told.next_after_ms is None else run_id(job_id, told.next_after_ms)
    return Response(
        Timeline.model_construct(
            from_at=rfc3339(start_ms),
            until_at=rfc3339(end_ms),
            items=[entry_view(entry) for entry in told.entries],
            gaps=gaps(told.known_from_ms, told.unreadable),
            next_cursor=pages.cursor(last),
        )
    )


ROUTES = (
    Route(
        method="GET",
        path="/jobs/{job_id}/timeline",
        handler=get_timeline,
        summary="See what became of each occurrence of a job, and why",
        tag="runs",
        rule="runs:read",
        description="Every moment at which the job was to run, by the revisions that held at the time: run, skipped "
        "and why, or still to come. Also of a deleted job, until its records expire. Triggers are not occurrences: "
        "they are in the list of runs.",
        query=TimelineQuery,
        answers=(Answer(description="A page of the timeline.", model=Timeline),),
    ),
)
