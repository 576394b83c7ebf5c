"""Where the rows of a report come from: a query, a JSON document, or the tenant's runs."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from chalicelib.domain.durations import duration_ms
from chalicelib.domain.ids import is_id
from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.job import TagKey, TagValue
from chalicelib.domain.run import RunStatus, Trigger
from chalicelib.domain.schedule import Moment
from chalicelib.domain.zones import check_zone
from chalicelib.executors.database.connection import Connection
from chalicelib.executors.database.spec import Query
from chalicelib.executors.hosts import host_name
from chalicelib.executors.http.checks import MAX_URL_BYTES, checked_headers, checked_url

MAX_JOBS = 20
MAX_DAYS, DAY_MS = 400, 86_400_000
"""How wide a window of runs may be."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def _line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    return text


def _stretch(text: str) -> str:
    if not 1000 <= duration_ms(text) <= MAX_DAYS * DAY_MS:
        raise ValueError(f"must be from a second to {MAX_DAYS} days")
    return text


def _job_id(text: str) -> str:
    if not is_id(text, "job"):
        raise ValueError("must be the id of a job, such as job_01KVB7TYZ0A1B2C3D4E5F6G7H8")
    return text


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
JobId = Annotated[str, Field(max_length=64), AfterValidator(_job_id)]


class Part(BaseModel):
    """A part of a report's config."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FromQuery(Part):
    """Rows of a database. The query cannot change anything."""

    kind: Literal["query"]
    connection: Connection = Field(description="As of `database` jobs.")
    query: Query = Field(description="What it returns is shown.")

    @model_validator(mode="after")
    def _its_parameters_fit(self) -> "FromQuery":
        self.query.bound_for(self.connection.engine)
        return self

    @property
    def host(self) -> str | None:
        return host_name(getattr(self.connection, "host", ""))


class FromUrl(Part):
    """A JSON document: a list of objects, or one that has such a list somewhere."""

    kind: Literal["http"]
    url: Annotated[str, AfterValidator(checked_url)] = Field(
        max_length=MAX_URL_BYTES, description="Fetched by GET; redirects are not followed. At most 8 MB."
    )
    headers: Annotated[dict[str, str], AfterValidator(checked_headers)] = Field(
        {}, description="Sent along. Name secrets here."
    )
    pointer: str = Field(
        "",
        max_length=512,
        pattern=r"^(/.*)?$",
        description="JSON pointer of the list: `/items` for what GET /jobs/{id}/runs answers.",
    )

    @property
    def host(self) -> str | None:
        return host_name(urlsplit(self.url).hostname or "")


class FromRuns(Part):
    """Runs of the job's own tenant, the latest first; or what they come to. All that is named has to hold."""

    kind: Literal["runs"]
    jobs: Annotated[tuple[JobId, ...], Field(max_length=MAX_JOBS)] = Field(
        (), description="Ids. With them only these jobs' runs are read. Empty: of all jobs."
    )
    names: Annotated[tuple[Line, ...], Field(max_length=MAX_JOBS)] = Field(
        (), description="Names of jobs, whatever the case."
    )
    tags: dict[TagKey, TagValue | None] = Field(
        default_factory=dict,
        max_length=10,
        description="Of their jobs, all of these. null: whatever the value.",
    )
    status: tuple[RunStatus, ...] = Field((), max_length=len(RunStatus), description="One of these.")
    trigger: tuple[Trigger, ...] = Field((), max_length=5, description="One of these.")
    last: Annotated[str, Field(max_length=64), AfterValidator(_stretch)] | None = Field(
        None, description="How far back from `until`, in ISO 8601. Default without `from`: P1D."
    )
    from_: Moment | None = Field(
        None, alias="from", description="Nominal times from here; instead of `last`."
    )
    until: Moment | None = Field(
        None, description="Nominal times before this. Default: the nominal time of the report's own run."
    )
    per: Literal["day", "job"] | None = Field(
        None, description="Instead of the runs, their numbers by day, without gaps, or by job: for charts."
    )
    timezone: Annotated[str, AfterValidator(check_zone)] = Field(
        "UTC", description="Whose days: an IANA name."
    )

    @model_validator(mode="after")
    def _is_one_window(self) -> "FromRuns":
        if self.from_ and self.last:
            raise ValueError("give either from or last")
        if self.from_ and self.until and self.until <= self.from_:
            raise ValueError("until must be later than from")
        return self

    @property
    def host(self) -> None:
        """It goes nowhere."""

    def window(self, nominal_ms: int) -> tuple[int, int]:
        """[start, end) for a run of the report at a nominal time; it may be empty."""
        end_ms = epoch_ms(self.until) if self.until else nominal_ms
        return epoch_ms(self.from_) if self.from_ else end_ms - duration_ms(self.last or "P1D"), end_ms
