"""The pipeline with routes of its own: what each error becomes."""

import json

import pytest
from pydantic import BaseModel, ConfigDict

from chalicelib.domain import errors
from chalicelib.domain.errors import ChronosError, FieldProblem, Invalid
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Body, Request, Response, Route
from chalicelib.http.pipeline import Incoming, Pipeline, Services
from chalicelib.http.problems import STATUS
from chalicelib.http.table import RouteTable
from tests.support.principals import everybody
from tests.support.world import World


class Greeting(BaseModel):
    """A body."""

    model_config = ConfigDict(extra="forbid")

    name: str


def greet(_engine: Engine, request: Request) -> Response:
    return Response(request.body)


def raising(error: Exception) -> Route:
    def handler(_engine: Engine, _request: Request) -> Response:
        raise error

    return Route(method="GET", path="/x", handler=handler, summary="", tag="", rule="jobs:read", answers=())


GREETING = Route(
    method="POST",
    path="/greetings",
    handler=greet,
    summary="",
    tag="",
    rule="jobs:read",
    answers=(Answer(description="", model=Greeting),),
    body=Body(model=Greeting, required=False),
)


def ask(route: Route, body: bytes = b"", **headers: str) -> Response:
    services = Services(World().engine, everybody)
    incoming = Incoming(route.method, route.path, "id-1", headers=headers, body=body)
    return Pipeline(RouteTable.of([route]), lambda: services).answer(incoming)


def tree() -> list[type[ChronosError]]:
    return [each for each in ChronosError.__subclasses__() if each.__module__ == ChronosError.__module__]


@pytest.mark.parametrize("error", tree(), ids=lambda error: error.__name__)
def test_every_error_of_the_tree_becomes_a_problem_document_with_its_status(
    error: type[ChronosError],
) -> None:
    response = ask(raising(error("It does not do.")))
    document = json.loads(str(response.body))
    assert response.content_type == "application/problem+json"
    assert (document["status"], document["code"], document["detail"]) == (
        STATUS[error],
        error.code,
        "It does not do.",
    )
    assert (response.status, document["request_id"]) == (STATUS[error], "id-1")


def test_an_adapters_own_error_is_answered_as_the_kind_it_belongs_to() -> None:
    class Busy(errors.Unavailable):
        pass

    response = ask(raising(Busy("Somebody else is at it.")))
    assert (response.status, response.headers["Retry-After"]) == (503, "5")


def test_storage_that_does_not_answer_says_when_to_come_again() -> None:
    assert ask(raising(errors.Unavailable("DynamoDB did not answer."))).headers == {"Retry-After": "5"}


def test_each_bad_field_is_an_entry() -> None:
    refusal = Invalid("Two.", [FieldProblem("/a", "A.", "x"), FieldProblem("/b", "B.")])
    assert json.loads(str(ask(raising(refusal)).body))["errors"] == [
        {"pointer": "/a", "message": "A.", "code": "x"},
        {"pointer": "/b", "message": "B.", "code": "invalid"},
    ]


def test_a_surprise_is_logged_without_its_message_and_answered_without_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = ask(raising(RuntimeError("password=hunter2")))
    assert (response.status, json.loads(str(response.body))["code"]) == (500, "internal_error")
    assert "RuntimeError" in caplog.text
    assert "test_pipeline.py" in caplog.text
    assert "hunter2" not in caplog.text + str(response.body)


def test_a_body_may_be_left_out_where_it_is_not_required() -> None:
    assert ask(GREETING).body is None


def test_a_body_that_is_given_is_checked() -> None:
    json_type = {"content-type": "application/json"}
    assert ask(GREETING, b'{"name": "Ada"}', **json_type).body == Greeting(name="Ada")
    assert ask(GREETING, b'{"nom": "Ada"}', **json_type).status == 422
    assert ask(GREETING, b'{"name": "Ada"}').status == 415


def test_each_answer_is_a_line_in_the_log() -> None:
    world = World()
    services = Services(world.engine, everybody)
    Pipeline(RouteTable.of([GREETING]), lambda: services).answer(Incoming("POST", "/greetings", "id-1"))
    [(level, sentence, fields)] = world.telemetry.lines
    assert (level, sentence) == ("info", "A request was answered.")
    assert (fields["method"], fields["route"], fields["status"]) == ("POST", "/greetings", 200)
