"""What a callback may say, and what it is answered."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.masking import Masks
from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.domain.progress import MAX_MESSAGE, Progress
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.ledger.settle import MAX_MESSAGE as MAX_ERROR
from chalicelib.executors.json_values import bounded

MAX_RESULT_BYTES = 8_192
MAX_DATA_BYTES = 1_024
Kind = Literal[
    "callback_failed",
    "connection",
    "rate_limited",
    "script_exit",
    "database",
    "broker",
    "unknown",
]
_MOMENT: dict[str, Any] = {"format": "date-time"}


def _small(value: Any) -> Any:
    return bounded(value, MAX_RESULT_BYTES)


def _tiny(value: Any) -> Any:
    return bounded(value, MAX_DATA_BYTES)


class SuccessBody(BaseModel):
    """The work is done."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    result: Annotated[JsonValue, AfterValidator(_small)] = Field(
        None, description="Kept with the attempt: any JSON of at most 8 KB.", repr=False
    )


class CallbackError(BaseModel):
    """Why the work failed."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    message: str = Field(min_length=1, max_length=MAX_ERROR)
    kind: Kind = Field("callback_failed", description="As `retry_on` and `give_up_on` know it.")
    retryable: bool | None = Field(
        None,
        strict=True,
        description="false: no other attempt, whatever the policy. true: another one, unless the policy names kinds.",
    )


class FailureBody(BaseModel):
    """The work has failed."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    error: CallbackError


class ProgressBody(BaseModel):
    """How far the work has come."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    percent: float = Field(ge=0, le=100, strict=True)
    message: str | None = Field(None, max_length=MAX_MESSAGE)
    data: Annotated[dict[str, JsonValue] | None, AfterValidator(_tiny)] = Field(
        None, description="Shown with the run: at most 1 KB.", repr=False
    )


class CallbackAnswer(BaseModel):
    """The run as it is now. To a sign of life this also says: go on."""

    model_config = ConfigDict(defer_build=True)

    run_id: str
    attempt: int
    status: RunStatus
    callback_by: str | None = Field(json_schema_extra=_MOMENT, description="The attempt's deadline.")
    heartbeat_by: str | None = Field(
        json_schema_extra=_MOMENT, description="Before when the next sign of life must come; null: never."
    )


def succeeded(body: SuccessBody | None, token: str) -> Succeeded:
    """As an outcome, in which the token is not mentioned."""
    return Succeeded({"callback": _masks(token).value(body.result if body else None)})


def failed(body: FailureBody, token: str) -> Failed:
    """As `succeeded`."""
    message = _masks(token).text(body.error.message)
    return Failed(body.error.kind, message, retryable=body.error.retryable, result=None)


def progressed(body: ProgressBody, token: str, now_ms: int) -> Progress:
    """As `succeeded`."""
    masks = _masks(token)
    return Progress(body.percent, now_ms, masks.value(body.message), masks.value(body.data))


def _masks(token: str) -> Masks:
    return Masks([token], "[token]")


def callback_answer(run: Run) -> CallbackAnswer:
    must_beat = run.status is RunStatus.WAITING and run.heartbeat_ms is not None
    return CallbackAnswer.model_construct(
        run_id=run.id,
        attempt=run.attempt,
        status=run.status,
        callback_by=None if run.callback_by_ms is None else rfc3339(run.callback_by_ms),
        heartbeat_by=rfc3339(run.lease_ms) if must_beat else None,
    )
