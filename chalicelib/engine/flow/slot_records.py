"""How the slots of a job of its own, and the places in its queue, lie in the table of runs."""

from collections.abc import Sequence

from chalicelib.domain.job import Job
from chalicelib.domain.run import Run
from chalicelib.engine.flow.gates import gate_partition
from chalicelib.engine.flow.slots import Place, Slot
from chalicelib.engine.message import RunMessage
from chalicelib.ports.table import Absent, Below, Condition, Is, Item, Key, any_of

PATIENCE_MS = 180_000
"""A run that waits, or lies between attempts, keeps its place or slot so much longer than it should need."""
_KEEP_SECONDS = 86_400


def free_for(run_id: str, now_ms: int, displaced: Place | None = None) -> Condition:
    own: Sequence[Condition] = [Absent(), Below("until_ms", now_ms), Is("run", run_id)]
    return any_of(*own, Is("run", displaced.run_id)) if displaced else any_of(*own)


def slots_partition(job: Job) -> str:
    return gate_partition(job.tenant, job.id)


def slot_key(job: Job, kind: str, number: int) -> Key:
    return slots_partition(job), f"{kind}#{number:03d}"


def slot_item(job: Job, run: Run, until_ms: int) -> Item:
    pk, sk = slot_key(job, "slot", run.slot or 0)
    expires_at = until_ms // 1000 + _KEEP_SECONDS
    return {"pk": pk, "sk": sk, "run": run.id, "until_ms": until_ms, "expires_at": expires_at}


def place_item(job: Job, message: RunMessage, number: int, now_ms: int) -> Item:
    pk, sk = slot_key(job, "wait", number)
    until_ms = now_ms + PATIENCE_MS
    return {
        "pk": pk,
        "sk": sk,
        "run": message.run_id,
        "nominal_ms": message.nominal_ms,
        "until_ms": until_ms,
        "message": message.encode(),
        "expires_at": until_ms // 1000 + _KEEP_SECONDS,
    }


def decode_slot(item: Item) -> Slot:
    return Slot(_number(item), str(item["run"]), int(item["until_ms"]))


def decode_place(item: Item) -> Place:
    return Place(
        _number(item),
        str(item["run"]),
        int(item["nominal_ms"]),
        int(item["until_ms"]),
        str(item["message"]),
    )


def _number(item: Item) -> int:
    return int(str(item["sk"]).rpartition("#")[2])
