"""Revisions as clients see them."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.differences import differences
from chalicelib.domain.instants import rfc3339
from chalicelib.engine.ledger.revisions import Revision
from chalicelib.features.paging import Page

_MOMENT: dict[str, Any] = {"format": "date-time"}


class RevisionSummary(BaseModel):
    """A saved state of a job: it held from `saved_at` until the next one was saved."""

    model_config = ConfigDict(defer_build=True)

    revision: int = Field(description="Counted from 1; the job's ETag at that time.")
    saved_at: str = Field(json_schema_extra=_MOMENT)
    saved_by: str = Field(description="Who made the change.")
    status: str = Field(description="active, paused, or deleted: the last revision of a job that is gone.")
    changed: list[str] = Field(
        description="JSON pointers of what differs from the revision before; empty where that is not kept.",
        examples=[["/schedule/expression", "/status"]],
    )


class RevisionView(RevisionSummary):
    """A revision in full."""

    model_config = ConfigDict(defer_build=True)

    definition: dict[str, Any] = Field(description="What the owner had decided, as `POST /jobs` takes it.")


class RevisionPage(Page):
    """One page of a job's revisions, the newest first."""

    items: list[RevisionSummary]


class Change(BaseModel):
    """One place in which two revisions differ."""

    model_config = ConfigDict(defer_build=True)

    pointer: str = Field(description="RFC 6901, into the job.", examples=["/schedule/timezone"])
    change: Literal["added", "removed", "replaced"]
    before: Any = Field(description="null where it was added.")
    after: Any = Field(description="null where it was removed.")


class RevisionDiff(BaseModel):
    """What has to change to make `revision` of `against`."""

    model_config = ConfigDict(defer_build=True)

    revision: int
    against: int | None = Field(description="null: the first revision has none before it.")
    changes: list[Change]


def revision_summary(revision: Revision, before: Revision | None) -> RevisionSummary:
    return RevisionSummary.model_construct(**_fields(revision, before))


def revision_view(revision: Revision, before: Revision | None) -> RevisionView:
    return RevisionView.model_construct(**_fields(revision, before), definition=revision.definition)


def summaries(revisions: Sequence[Revision], count: int) -> list[RevisionSummary]:
    """The first `count` of some revisions, newest first; the others serve to tell what had changed."""
    kept = {revision.number: revision for revision in revisions}
    return [revision_summary(revision, kept.get(revision.number - 1)) for revision in revisions[:count]]


def diff_view(revision: Revision, against: Revision | None) -> RevisionDiff:
    found = differences(against.shown, revision.shown) if against else []
    changes = [
        Change.model_construct(pointer=each.pointer, change=each.change, before=each.before, after=each.after)
        for each in found
    ]
    return RevisionDiff.model_construct(
        revision=revision.number, against=against.number if against else None, changes=changes
    )


def _fields(revision: Revision, before: Revision | None) -> dict[str, Any]:
    changed = differences(before.shown, revision.shown) if before else []
    return {
        "revision": revision.number,
        "saved_at": rfc3339(revision.saved_ms),
        "saved_by": revision.saved_by,
        "status": revision.status,
        "changed": [each.pointer for each in changed],
    }
