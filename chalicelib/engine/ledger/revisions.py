"""Revisions: what a job was from one change to the next. Each is written in the transaction of its change.

A revision that has been followed by another expires after 400 days, so that nothing is left behind whatever becomes of
its job. A deleted job ends with one more revision, of the status `deleted`.
"""

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.engine.core import Engine, EngineSettings
from chalicelib.engine.retention import is_kept
from chalicelib.ports.table import Item, Key, Put, TableName, Write

KEPT_DAYS = 400
"""How long a revision is kept after it was followed by another; as long as the widest timeline."""
DELETED = "deleted"
_LOW, _HIGH = "revision#", "revision$"
_DIGITS = 10
_BOOKKEEPING = ("id", "tenant", "shard", "revision", "schedule_revision", "created_ms", "updated_ms")
_HIDDEN = (*_BOOKKEEPING, "updated_by", "paused_ms", "pause_cause", "schedule_ms")
_OF_A_PAUSE = ("paused_until_ms", "pause_note")
"""Kept when the pause is over, but of no meaning to a person then."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision. `document` is the job as it was stored then: what today's models would refuse can still be read."""

    number: int
    document: dict[str, Any]

    @property
    def saved_ms(self) -> int:
        return int(self.document["updated_ms"])

    @property
    def saved_by(self) -> str:
        return str(self.document.get("updated_by", ""))

    @property
    def status(self) -> str:
        """At the moment of its saving: a pause may have ended by itself before."""
        stored, until_ms = str(self.document["status"]), self.document.get("paused_until_ms")
        has_ended = stored == "paused" and until_ms is not None and until_ms <= self.saved_ms
        return "active" if has_ended else stored

    @property
    def definition(self) -> dict[str, Any]:
        """What its owner had decided, as a client would send it."""
        ours = Job.model_fields.keys() - JobDefinition.model_fields.keys()
        return {name: value for name, value in self.document.items() if name not in ours}

    @property
    def shown(self) -> dict[str, Any]:
        """What a person would compare: the definition and the state, moments as RFC 3339."""
        hidden = _HIDDEN if self.status == "paused" else (*_HIDDEN, *_OF_A_PAUSE)
        state = {**self.document, "status": self.status}
        seen = {name: value for name, value in state.items() if name not in hidden}
        return {
            name.removesuffix("_ms"): rfc3339(value) if name.endswith("_ms") else value
            for name, value in seen.items()
        }


def revision_key(tenant: str, job_id: str, number: int) -> Key:
    return f"{tenant}#{job_id}", f"revision#{number:0{_DIGITS}d}"


def revision_of(job: Job) -> Revision:
    return Revision(job.revision, job.model_dump(mode="json", exclude_none=True))


def decode_revision(item: Item) -> Revision:
    return Revision(int(str(item["sk"]).rpartition("#")[2]), json.loads(str(item["doc"])))


def change_writes(
    before: Job | None, after: Job, settings: EngineSettings
) -> tuple[tuple[TableName, Write], ...]:
    """What goes into the transaction that makes `after` of `before` (None: a new job)."""
    new: tuple[TableName, Write] = ("catalog", Put(_encode(after)))
    return (new,) if before is None else (new, ("catalog", _closing(before, after.updated_ms, settings)))


def deletion_writes(
    job: Job, *, actor: str, now_ms: int, settings: EngineSettings
) -> tuple[tuple[TableName, Write], ...]:
    """What goes into the transaction that deletes the job: its last revision says who did it, and when."""
    last = job.model_copy(
        update={"revision": job.revision + 1, "updated_ms": now_ms, "updated_by": actor, "status": DELETED}
    )
    item = {**_encode(last), "expires_at": settings.expires_at(now_ms)}
    return ("catalog", Put(item)), ("catalog", _closing(job, now_ms, settings))


def expire_all(engine: Engine, job: Job, now_ms: int) -> None:
    """After a delete: let the latest thousand revisions expire with the job's last runs. Unavailable may be raised."""
    tenant_job, _ = revision_key(job.tenant, job.id, 0)
    expires_at = engine.settings.expires_at(now_ms)
    page = engine.db.catalog.query(tenant_job, low=_LOW, high=_HIGH, backwards=True)
    engine.db.catalog.put_all({**item, "expires_at": expires_at} for item in page.items)


def newest_first(
    engine: Engine, tenant: str, job_id: str, *, limit: int, below: int | None = None
) -> list[Revision]:
    """At most `limit` revisions, those under the number `below` if there is one."""
    pk, high = revision_key(tenant, job_id, below or 0)
    page = engine.db.catalog.query(
        pk, low=_LOW, high=high if below is not None else _HIGH, limit=limit, backwards=True
    )
    return [decode_revision(item) for item in page.items if is_kept(engine, item)]


def read_revision(engine: Engine, tenant: str, job_id: str, number: int) -> Revision | None:
    if not 0 < number < 10**_DIGITS:
        return None
    item = engine.db.catalog.get(revision_key(tenant, job_id, number))
    return decode_revision(item) if item and is_kept(engine, item) else None


def oldest_first(engine: Engine, tenant: str, job_id: str, *, number: int, limit: int) -> list[Revision]:
    """At most `limit` revisions from `number` on."""
    pk, low = revision_key(tenant, job_id, number)
    page = engine.db.catalog.query(pk, low=low, high=_HIGH, limit=limit)
    return [decode_revision(item) for item in page.items if is_kept(engine, item)]


def _encode(job: Job) -> Item:
    pk, sk = revision_key(job.tenant, job.id, job.revision)
    return {"pk": pk, "sk": sk, "doc": job.model_dump_json(exclude_none=True, warnings=False)}


def _closing(job: Job, now_ms: int, settings: EngineSettings) -> Put:
    """The revision that is followed by another: written whole, so that it is there whatever was before."""
    days = max(KEPT_DAYS, settings.retention.runs)
    return Put({**_encode(job), "expires_at": now_ms // 1000 + days * 86_400})
