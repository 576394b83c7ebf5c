"""The document that a job's runs hand to each other: one item of `runs`, written on condition of its version."""

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.ports.job_state import StateMoved
from chalicelib.ports.table import (
    Absent,
    Condition,
    ConditionFailed,
    Delete,
    Is,
    Item,
    Key,
    Put,
    TableName,
    Write,
)

MAX_BYTES = 100_000
KEPT_DAYS = 1_500
"""After the last write. A delete of the job takes its state along; this ends what a run wrote after that. Longer than
four years, so that no schedule outlasts it.
"""


def state_key(tenant: str, job_id: str) -> Key:
    return f"{tenant}#{job_id}#state", "state"


def forgetting(tenant: str, job_id: str) -> tuple[TableName, Write]:
    """What goes into the transaction that deletes the job."""
    return "runs", Delete(state_key(tenant, job_id))


@dataclass(frozen=True, slots=True)
class StoredJobState:
    """The port JobState, for one start of an attempt of a run."""

    engine: Engine
    run: Run

    def read(self) -> tuple[dict[str, Any], int]:
        item = self.engine.db.runs.get(state_key(self.run.tenant, self.run.job_id))
        return (json.loads(str(item["doc"])), int(item["version"])) if item else ({}, 0)

    def write(self, document: dict[str, Any], version: int) -> int:
        """As the port says. ValueError for what is over 100 KB as JSON, or what JSON cannot carry."""
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        if len(text.encode()) > MAX_BYTES:
            raise ValueError(f"a job's state must not be longer than {MAX_BYTES} bytes as JSON")
        item = self._item(text, version + 1)
        unchanged: Condition = Is("version", version) if version else Absent()
        try:
            self.engine.db.runs.write(Put(item, unchanged))
        except ConditionFailed as refused:
            if not _is_same(refused.existing, item):
                raise StateMoved from None
        return version + 1

    def _item(self, text: str, version: int) -> Item:
        pk, sk = state_key(self.run.tenant, self.run.job_id)
        expires_at = self.engine.clock.now_ms() // 1000 + KEPT_DAYS * 86_400
        writer = f"{self.run.id}#{self.run.fence}"
        return {"pk": pk, "sk": sk, "doc": text, "version": version, "by": writer, "expires_at": expires_at}


def _is_same(existing: Item | None, ours: Item) -> bool:
    """Whether an earlier try of ours, whose answer was lost, has refused the later one."""
    return existing is not None and all(existing.get(name) == ours[name] for name in ("version", "by", "doc"))
