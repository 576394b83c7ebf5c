"""Exports and imports as clients see them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.job import JobDefinition
from chalicelib.features.jobs.filters import FilterQuery
from chalicelib.features.paging import PageQuery
from chalicelib.features.revisions.views import Change

MAX_JOBS = 100
OnConflict = Literal["fail", "skip", "replace"]
Outcome = Literal["created", "replaced", "unchanged", "skipped", "conflict", "failed"]


class ExportQuery(PageQuery, FilterQuery):
    """Which jobs, and how they are written."""

    limit: int = Field(MAX_JOBS, ge=1, le=MAX_JOBS, description="How many jobs at most.")
    format: Literal["json", "yaml"] = "json"


class Export(BaseModel):
    """Definitions, as `POST /jobs/import` takes them."""

    model_config = ConfigDict(defer_build=True)

    jobs: list[JobDefinition]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page. null: this was the last."
    )


class ImportQuery(BaseModel):
    """What becomes of jobs that are there already."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    on_conflict: OnConflict = Field(
        "fail",
        description="A job of this name is there and is different. fail: 409, and nothing is imported. "
        "skip: it stays as it is. replace: it gets the definition, and keeps its id and its pause.",
    )
    dry_run: bool = Field(
        default=False, description="Only tell what would become of each, with the differences."
    )


class ImportBody(BaseModel):
    """What was exported, or written by hand."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    jobs: list[dict[str, Any]] = Field(
        min_length=1, max_length=MAX_JOBS, description="Each as `POST /jobs` takes it. Names are there once."
    )
    next_cursor: str | None = Field(None, description="Of an export. It means nothing here.")


class ImportFailure(BaseModel):
    """Why a job was not imported."""

    model_config = ConfigDict(defer_build=True)

    code: str = Field(description="As in problem documents.")
    message: str


class ImportItem(BaseModel):
    """What became of one job of the document."""

    model_config = ConfigDict(defer_build=True)

    name: str
    outcome: Outcome = Field(description="Of a dry run: what would become of it.")
    job_id: str | None = Field(description="null: there is none (yet), or several have the name.")
    changes: list[Change] = Field(
        description="How the definition differs from that of the job that is there."
    )
    error: ImportFailure | None


class ImportResult(BaseModel):
    """What became of the document, in its order."""

    model_config = ConfigDict(defer_build=True)

    items: list[ImportItem]
    dry_run: bool
    failed: int
