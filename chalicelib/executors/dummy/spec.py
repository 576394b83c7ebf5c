"""The `dummy` type: succeeds or fails as it is told."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from chalicelib.domain.retry import ErrorKind
from chalicelib.executors.base import ExecutorSpec
from chalicelib.executors.json_values import bounded

MAX_OUTPUT_BYTES = 4096


def _small(value: Any) -> Any:
    return bounded(value, MAX_OUTPUT_BYTES)


class Config(BaseModel):
    """What a dummy run does."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    outcome: Literal["success", "failure", "wait", "follow"] = Field(
        "success",
        description="`wait`: for a callback, which a job with `callback` can do; none will come. `follow`: work that "
        "goes on elsewhere for `follow_seconds`.",
    )
    follow_seconds: float = Field(
        0, ge=0, le=1_209_600, description="How long the work that is followed takes; it is looked after."
    )
    follow_deadline_seconds: int = Field(
        1_209_600, ge=1, le=1_209_600, description="It must be over so long after the attempt's start."
    )
    duration_seconds: float = Field(
        0, ge=0, le=900, description="How long an attempt takes, unless its time is up."
    )
    output: Annotated[JsonValue, AfterValidator(_small)] = Field(
        None, description="What a success returns: any JSON of at most 4,096 bytes."
    )
    fail_attempts: int = Field(0, ge=0, le=100, description="The first attempts fail, this many of them.")
    failure_rate: float = Field(
        0, ge=0, le=1, description="The share of attempts that fail, chosen by a hash of run id and attempt."
    )
    report_progress: bool = Field(
        default=False, description="Whether an attempt reports how much of its time has passed."
    )
    log_lines: int = Field(
        0, ge=0, le=5000, description="How many lines an attempt tells at its beginning; 2,000 are kept."
    )
    file_bytes: int = Field(
        0, ge=0, le=100_000_000, description="How many bytes an attempt stores as its output `dummy.bin`."
    )
    count_runs: bool = Field(
        default=False, description="Whether an attempt adds one to `runs` in the state of its job."
    )
    error_kind: ErrorKind = Field("unknown", description="The kind of its failures, as `retry_on` knows it.")


SPEC = ExecutorSpec(
    type="dummy",
    config=Config,
    title="Dummy",
    calls_back=True,
    description="Waits, then succeeds or fails as told: for tests, demos and benchmarks.",
    example={"duration_seconds": 0.5, "fail_attempts": 1, "output": {"rows": 3}},
    limits=("It needs nothing, and reaches nothing.",),
    examples={
        "A success each five seconds": {
            "name": "hello",
            "schedule": {"kind": "interval", "every": "PT5S"},
            "config": {"output": {"said": "hello"}},
        }
    },
)
