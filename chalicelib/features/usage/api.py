"""The route of usage."""

from chalicelib.engine.core import Engine
from chalicelib.engine.flow.usage import read_usage
from chalicelib.engine.retention import shown_days
from chalicelib.features.base import Answer, Request, Response, Route
from chalicelib.features.usage.views import UsageView, usage_view


def get_usage(engine: Engine, request: Request) -> Response:
    usage = read_usage(engine, request.tenant)
    return Response(usage_view(usage, shown_days(engine, request.tenant)))


ROUTES = (
    Route(
        method="GET",
        path="/tenant/usage",
        handler=get_usage,
        summary="Get the tenant's plan, and what is used of it",
        tag="tenant",
        rule="tenant:read",
        description="Another plan is known everywhere within a minute. What the plan does not allow is refused with "
        "403 and the code `quota_exceeded` or `feature_not_in_plan`; a scheduled run that the month has no room for "
        "is skipped, with the reason `quota`.",
        answers=(Answer(description="As it is now.", model=UsageView),),
    ),
)
