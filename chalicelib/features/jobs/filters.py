"""Which jobs are meant: the filters of lists, of bulk operations and of exports."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.job import Job, JobStatus
from chalicelib.domain.pause import status_at

MAX_TAGS = 10
_NAME = "Exactly this name, whatever the case."
_OWNER = "Owned by this user or key: who created it, unless it was given away."
_TEXT = "This text in the name, the description, the id or a tag, whatever the case."


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What all has to hold of a job; None or empty: anything does. A tag's value None: whatever it is."""

    status: JobStatus | None = None
    type: str | None = None
    name: str | None = None
    owner: str | None = None
    text: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    """Tags as parameters name them, `key` or `key=value`: keys may hold the sign too, so they are compared as text."""

    def matches(self, job: Job, now_ms: int) -> bool:
        """Whether the job passes, as of that moment."""
        return (
            self.status in (None, status_at(job, now_ms))
            and self.type in (None, job.type)
            and (self.name is None or job.name.casefold() == self.name.strip().casefold())
            and self.owner in (None, job.owned_by)
            and self._has_tags(job.tags)
            and (self.text is None or self.text.casefold() in _searched(job))
        )

    def _has_tags(self, tags: Mapping[str, str]) -> bool:
        wanted = all(key in tags and value in (None, tags[key]) for key, value in self.tags.items())
        texts = {*tags, *(f"{key}={value}" for key, value in tags.items())}
        return wanted and texts.issuperset(self.marks)


def _searched(job: Job) -> str:
    tags = (f"{key}={value}" for key, value in job.tags.items())
    return "\n".join((job.name, job.description, job.id, *tags)).casefold()


class FilterFields(BaseModel):
    """What parameters and bodies have in common."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    status: JobStatus | None = None
    type: str | None = Field(None, min_length=1, max_length=64, description="Only jobs of this type.")
    name: str | None = Field(None, min_length=1, max_length=128, description=_NAME)
    owner: str | None = Field(None, min_length=1, max_length=128, description=_OWNER)
    text: str | None = Field(None, min_length=1, max_length=128, description=_TEXT)


class FilterBody(FilterFields):
    """A filter in a body. It names something, or says `all`."""

    tags: dict[str, str | None] = Field(
        default_factory=dict, max_length=MAX_TAGS, description="All of these. null: whatever the value."
    )
    all: bool = Field(
        default=False, description="Every job: has to be said, so that nothing forgotten means it."
    )

    def wanted(self) -> JobFilter:
        return JobFilter(self.status, self.type, self.name, self.owner, self.text, self.tags)

    def says_something(self) -> bool:
        return self.all or self.wanted() != JobFilter()


class FilterQuery(FilterFields):
    """A filter in parameters."""

    tags: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="All of these, separated by commas: `key` or `key=value`.",
        examples=["team=data,nightly"],
    )

    def wanted(self) -> JobFilter:
        marks = tuple(each.strip() for each in (self.tags or "").split(",") if each.strip())
        return JobFilter(self.status, self.type, self.name, self.owner, self.text, marks=marks)
