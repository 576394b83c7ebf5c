"""The routes of callbacks. They are public: who has the token may speak for its attempt, and for nothing else."""

from chalicelib.domain.errors import Conflict, Gone, Unavailable
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Body, NoFields, Request, Response, Route
from chalicelib.features.callbacks import service
from chalicelib.features.callbacks.views import (
    CallbackAnswer,
    FailureBody,
    ProgressBody,
    SuccessBody,
    callback_answer,
    failed,
    progressed,
    succeeded,
)


def report_success(engine: Engine, request: Request) -> Response:
    token = request.path["token"]
    return Response(callback_answer(service.end(engine, token, succeeded(request.body, token))))


def report_failure(engine: Engine, request: Request) -> Response:
    token = request.path["token"]
    return Response(callback_answer(service.end(engine, token, failed(request.body, token))))


def report_heartbeat(engine: Engine, request: Request) -> Response:
    return Response(callback_answer(service.alive(engine, request.path["token"])))


def report_progress(engine: Engine, request: Request) -> Response:
    token = request.path["token"]
    told = progressed(request.body, token, engine.clock.now_ms())
    return Response(callback_answer(service.alive(engine, token, told)))


_ENDS = "Saying the same again changes nothing (200); saying the opposite is refused (409). 410: nobody waits for it."
_ALIVE = "200: go on. 410: stop, nobody waits for it any more; the code says why (`run_cancelled`, `attempt_over`)."

_RUNS_OWN = "what work tells of itself is in its run"
_ANSWERED = (Answer(description="The run as it is now.", model=CallbackAnswer),)

ROUTES = (
    Route(
        method="POST",
        path="/callbacks/{token}/success",
        handler=report_success,
        summary="Tell that the work of an attempt is done",
        description=_ENDS,
        tag="callbacks",
        public=True,
        unrecorded=_RUNS_OWN,
        body=Body(model=SuccessBody, required=False, examples={"a result": {"result": {"rows": 1200}}}),
        answers=_ANSWERED,
        errors=(Gone, Conflict, Unavailable),
    ),
    Route(
        method="POST",
        path="/callbacks/{token}/failure",
        handler=report_failure,
        summary="Tell that the work of an attempt has failed",
        description=f"The job's retry policy decides how the run goes on. {_ENDS}",
        tag="callbacks",
        public=True,
        unrecorded=_RUNS_OWN,
        body=Body(
            model=FailureBody,
            examples={"a failure": {"error": {"message": "The disk is full.", "retryable": True}}},
        ),
        answers=_ANSWERED,
        errors=(Gone, Conflict, Unavailable),
    ),
    Route(
        method="POST",
        path="/callbacks/{token}/heartbeat",
        handler=report_heartbeat,
        summary="Tell that the work goes on",
        description=_ALIVE,
        tag="callbacks",
        public=True,
        unrecorded=_RUNS_OWN,
        body=Body(model=NoFields, required=False),
        answers=_ANSWERED,
        errors=(Gone, Unavailable),
    ),
    Route(
        method="POST",
        path="/callbacks/{token}/progress",
        handler=report_progress,
        summary="Tell how far the work has come, which is a heartbeat too",
        description=f"Of reports within two seconds the first is stored. {_ALIVE}",
        tag="callbacks",
        public=True,
        unrecorded=_RUNS_OWN,
        body=Body(model=ProgressBody, examples={"a third": {"percent": 33.3, "message": "400 of 1200 rows"}}),
        answers=_ANSWERED,
        errors=(Gone, Unavailable),
    ),
)
