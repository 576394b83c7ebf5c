"""Entries of the trail as clients see them."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Invalid
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.schedule import Moment
from chalicelib.features.paging import Page, PageQuery
from chalicelib.identity.trail.checking import Checked, ProblemCode
from chalicelib.identity.trail.entries import Entry, Head, OutcomeName

MAX_EXPORTED = 500


class AuditFilter(PageQuery):
    """Which entries; all that are given have to hold."""

    actor: str | None = Field(None, max_length=64, description="The id of a user or key that acted.")
    operation: str | None = Field(
        None, max_length=128, description="Method and route.", examples=["POST /jobs/{job_id}/pause"]
    )
    kind: str | None = Field(None, max_length=64, description="The kind of thing.", examples=["job"])
    object: str | None = Field(
        None, max_length=200, description="The id of a thing that was asked for, or changed along with it."
    )
    outcome: OutcomeName | None = Field(None, description="How it went.")
    address: str | None = Field(None, max_length=64, description="Where the request came from.")
    from_: Moment | None = Field(None, alias="from", description="Only what began at this moment or later.")
    to: Moment | None = Field(None, description="Only what began before this moment.")
    sort: Literal["-seq", "seq"] = Field(
        "-seq", description="With a minus the newest first, without it the oldest."
    )

    @property
    def from_ms(self) -> int:
        return epoch_ms(self.from_) if self.from_ else 0

    @property
    def to_ms(self) -> int | None:
        return epoch_ms(self.to) if self.to else None

    def check(self) -> None:
        """Invalid if no moment lies between `from` and `to`."""
        if self.to_ms is not None and self.to_ms <= self.from_ms:
            raise Invalid.field("/query/to", "to must be later than from.", "end_before_start")

    def wants(self, document: dict[str, Any]) -> bool:
        """Whether an entry passes."""
        named = {name: document.get(name) for name in ("actor", "operation", "outcome", "address")}
        given = {name: getattr(self, name) for name in named}
        return (
            all(wanted in (None, named[name]) for name, wanted in given.items())
            and self.from_ms <= document["at_ms"]
            and (self.to_ms is None or document["at_ms"] < self.to_ms)
            and self._is_about(document)
        )

    def _is_about(self, document: dict[str, Any]) -> bool:
        things = [(document.get("kind"), document.get("object"))]
        things += [(change["kind"], change["id"]) for change in document.get("changes", ())]
        return any(self.kind in (None, kind) and self.object in (None, thing) for kind, thing in things)


class ExportFilter(AuditFilter):
    """Which entries, and how they are written."""

    limit: int = Field(MAX_EXPORTED, ge=1, le=MAX_EXPORTED, description="How many entries at most.")
    format: Literal["jsonl", "csv"] = "jsonl"


class VerificationQuery(BaseModel):
    """Where to begin."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    anchor: str | None = Field(
        None,
        pattern="^[0-9]{1,12}:[0-9a-f]{64}$",
        description="The `anchor` of an answer before: goes on from there, and shows whether that entry is still the "
        "same. Without it the oldest entry that is kept is the first.",
    )


class AuditActor(BaseModel):
    """Who: a user or a key, with the role and the key's name of that moment, and a user's session."""

    model_config = ConfigDict(defer_build=True)

    id: str
    name: str | None
    role: str | None
    session: str | None


class AuditOrigin(BaseModel):
    """From where."""

    model_config = ConfigDict(defer_build=True)

    address: str | None
    agent: str | None
    request_id: str | None
    trace: str | None


class AuditObject(BaseModel):
    """What a request was about."""

    model_config = ConfigDict(defer_build=True)

    kind: str
    id: str


class AuditChange(BaseModel):
    """One thing that was changed. Of `before` and `after` only what differs; secrets are masked."""

    model_config = ConfigDict(defer_build=True)

    kind: str
    id: str
    before: dict[str, Any] | None = Field(description="null: it was made.")
    after: dict[str, Any] | None = Field(description="null: it is gone.")
    cut_bytes: int | None = Field(description="The length of what there was no room for.")


class AuditEntry(BaseModel):
    """One request that changed something, was not permitted to, or was a sign-in."""

    model_config = ConfigDict(defer_build=True)

    seq: int = Field(description="Without gaps, from 1.")
    id: str
    at: str = Field(description="When the request came.")
    recorded_at: str = Field(
        description="When it was sealed into the trail; never before that of earlier entries."
    )
    actor: AuditActor
    operation: str = Field(description="Method and route.")
    object: AuditObject | None
    outcome: OutcomeName = Field(
        description="failed: answered by 5xx, and a part of it may be done. unknown: the process ended in its midst."
    )
    status: int | None = Field(description="Of the answer.")
    code: str | None = Field(description="Of the problem that was answered.")
    origin: AuditOrigin
    changes: list[AuditChange]
    hash: str = Field(description="SHA-256 of the entry as the export has it.")
    previous_hash: str


class AuditPage(Page):
    """Some entries."""

    items: list[AuditEntry]


class AuditProblem(BaseModel):
    """The first entry at which the trail is not as it was written."""

    model_config = ConfigDict(defer_build=True)

    seq: int
    code: ProblemCode
    message: str


class AuditHead(BaseModel):
    """Where a trail ends: `seq` is 0 if there is none."""

    model_config = ConfigDict(defer_build=True)

    seq: int
    hash: str


class Verification(BaseModel):
    """What was checked."""

    model_config = ConfigDict(defer_build=True)

    ok: bool
    complete: bool = Field(description="Whether the end was reached. If not, go on with `anchor`.")
    verified_from: int | None
    verified_to: int | None
    count: int
    signed_to: int | None = Field(
        description="The last entry with a signature by a key of the deployment: it vouches for all before it."
    )
    problem: AuditProblem | None
    anchor: str | None = Field(
        description="The last good entry: kept elsewhere, it shows later that nothing is gone."
    )
    head: AuditHead


def entry_view(entry: Entry) -> AuditEntry:
    document = entry.document or {}
    said: Callable[[str], Any] = document.get
    about = AuditObject(kind=said("kind"), id=said("object") or "") if said("kind") else None
    return AuditEntry.model_construct(
        seq=entry.seq,
        id=said("id"),
        at=rfc3339(document["at_ms"]),
        recorded_at=rfc3339(document["recorded_ms"]),
        actor=AuditActor.model_construct(
            id=said("actor"), name=said("name"), role=said("role"), session=said("session")
        ),
        operation=said("operation"),
        object=about,
        outcome=said("outcome"),
        status=said("status"),
        code=said("code"),
        origin=AuditOrigin.model_construct(
            **{name: said(name) for name in ("address", "agent", "request_id", "trace")}
        ),
        changes=[_change(each) for each in document.get("changes", ())],
        hash=entry.hash,
        previous_hash=document["previous"]["hash"],
    )


def _change(change: dict[str, Any]) -> AuditChange:
    told: dict[str, Any] = {name: change.get(name) for name in AuditChange.model_fields}
    return AuditChange.model_construct(**told)


def verification_view(found: Checked, head: Head, *, is_complete: bool) -> Verification:
    problem = found.problem
    return Verification.model_construct(
        ok=problem is None,
        complete=is_complete,
        verified_from=found.first,
        verified_to=found.last.seq if found.last else None,
        count=found.count,
        signed_to=found.signed_to,
        problem=AuditProblem(seq=problem.seq, code=problem.code, message=problem.message)
        if problem
        else None,
        anchor=f"{found.last.seq}:{found.last.hash}" if found.last else None,
        head=AuditHead(seq=head.seq, hash=head.hash),
    )
