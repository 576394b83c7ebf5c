"""Bulk operations as clients ask for them and see them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chalicelib.domain.job import TagKey, TagValue
from chalicelib.domain.pause import MAX_NOTE
from chalicelib.features.jobs.filters import FilterBody

Action = Literal["pause", "resume", "trigger", "delete", "tag"]
Outcome = Literal["done", "unchanged", "would", "failed"]
MAX_ITEMS = 100


class BulkBody(BaseModel):
    """One action, and the jobs that it is for."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    action: Action
    filter: FilterBody = Field(description="Which jobs. It has to name something, or to say `all`.")
    note: str | None = Field(
        None, max_length=MAX_NOTE, description="With `pause` and `trigger`: shown with the job or the run."
    )
    set_tags: dict[TagKey, TagValue] = Field(
        default_factory=dict, max_length=50, description="With `tag`: these are added, or get another value."
    )
    remove_tags: list[TagKey] = Field([], max_length=50, description="With `tag`: these are taken away.")
    dry_run: bool = Field(default=False, description="Only tell which jobs are meant.")
    limit: int = Field(
        50, ge=1, le=MAX_ITEMS, strict=True, description="At most so many jobs in this request."
    )
    cursor: str | None = Field(
        None, max_length=512, description="`next_cursor` of the request before, which was for the same."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> "BulkBody":
        if not self.filter.says_something():
            raise ValueError("filter names nothing; to mean every job, say all: true")
        is_tag = self.action == "tag"
        if is_tag != bool(self.set_tags or self.remove_tags):
            raise ValueError("set_tags or remove_tags belong to the action tag, and it needs one of them")
        if self.note is not None and self.action not in ("pause", "trigger"):
            raise ValueError(f"note means nothing to the action {self.action}")
        return self


class BulkError(BaseModel):
    """Why it did not work for one job."""

    model_config = ConfigDict(defer_build=True)

    code: str = Field(description="As in problem documents.")
    message: str


class BulkItem(BaseModel):
    """What became of one job."""

    model_config = ConfigDict(defer_build=True)

    job_id: str
    name: str
    outcome: Outcome = Field(description="`would`: of a dry run. `unchanged`: it was so before.")
    revision: int | None = Field(description="The job's revision now; null: it is deleted, or it failed.")
    run_id: str | None = Field(description="With `trigger`: the run to come.")
    error: BulkError | None


class BulkResult(BaseModel):
    """What became of the jobs of this request, the newest first."""

    model_config = ConfigDict(defer_build=True)

    items: list[BulkItem]
    failed: int = Field(description="How many of the items failed. Ask again for those: nothing else will.")
    next_cursor: str | None = Field(
        description="Send the same again with it as `cursor` for the jobs that follow. null: these were the last."
    )
