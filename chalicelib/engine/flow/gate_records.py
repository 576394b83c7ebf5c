"""How gates lie in the table of runs, a partition each: breaker, next free moment, slots and queue, in that order."""

from collections.abc import Iterable
from typing import Any

from chalicelib.domain.breaker import Breaker
from chalicelib.domain.lanes import Lane
from chalicelib.domain.limits import RANKS, Priority
from chalicelib.engine.flow.gates import Gate, gate_partition
from chalicelib.engine.flow.passage import GateState, Waiting
from chalicelib.engine.flow.slots import Slot
from chalicelib.engine.message import RunMessage
from chalicelib.ports.table import Absent, Below, Condition, Is, Item, Key, all_of, any_of

QUEUE = "wait#"
PAST_SLOTS = "slot$"
"""Sorts behind every slot, and before the queue."""
_KEEP_SECONDS = 86_400
_WAIT_KEEP_SECONDS = 90 * 86_400
_BREAKER = ("state", "failures", "since_ms", "until_ms", "trial", "version")


def rank(priority: Priority, message: RunMessage) -> str:
    """A place's sort key: priority first, then the occurrence."""
    return f"{QUEUE}{RANKS[priority]}#{message.nominal_ms:015d}#{message.run_id}"


def slot_key(partition: str, number: int) -> Key:
    return partition, f"slot#{number:03d}"


def slot_item(partition: str, number: int, run_id: str, fence: int, until_ms: int) -> Item:
    """`fence` is that of the run's start; 0 for one that was handed the slot, and has yet to start."""
    pk, sk = slot_key(partition, number)
    expires_at = until_ms // 1000 + _KEEP_SECONDS
    return {"pk": pk, "sk": sk, "run": run_id, "fence": fence, "until_ms": until_ms, "expires_at": expires_at}


def open_to(run_id: str, fence: int, now_ms: int) -> Condition:
    """Whether a slot is to be had: nobody holds it any more, or the run itself does, by this start or one before."""
    own = all_of(Is("run", run_id), Below("fence", fence + 1))
    return any_of(Absent(), Below("until_ms", now_ms), own)


def place_item(gate: Gate, sort_key: str, message: RunMessage, lane: Lane, now_ms: int) -> Item:
    return {
        "pk": gate.partition,
        "sk": sort_key,
        "run": message.run_id,
        "attempt": message.attempt,
        "message": message.encode(),
        "lane": lane,
        "called_ms": 0,
        "expires_at": now_ms // 1000 + _WAIT_KEEP_SECONDS,
    }


def place_key(tenant: str, place: str) -> Key:
    """The key of a place as a run's record names it."""
    gate, _, sort_key = place.partition("#")
    return gate_partition(tenant, gate), sort_key


def place_name(gate: Gate, sort_key: str) -> str:
    """What a run's record says of where it waits."""
    return f"{gate.name}#{sort_key}"


def gate_of_place(place: str) -> str:
    """The name of the gate."""
    return place.partition("#")[0]


def encode_breaker(gate: Gate, breaker: Breaker, now_ms: int) -> Item:
    pk, sk = gate.breaker_key
    values: dict[str, Any] = {name: getattr(breaker, name) for name in _BREAKER}
    return {"pk": pk, "sk": sk, **values, "expires_at": now_ms // 1000 + _WAIT_KEEP_SECONDS}


def decode_state(items: Iterable[Item], waiting: Iterable[Item] = ()) -> GateState:
    """What the items of a gate's partition say."""
    slots, breaker, next_us = [], Breaker(), 0
    for item in items:
        sort_key = str(item["sk"])
        if sort_key == "breaker":
            breaker = Breaker(**{name: item[name] for name in _BREAKER})  # type: ignore[arg-type]
        elif sort_key == "rate":
            next_us = int(item["next_us"])
        elif sort_key.startswith("slot#"):
            slots.append(Slot(int(sort_key[5:]), str(item["run"]), int(item["until_ms"])))
    return GateState(slots, [_waiting(item) for item in waiting], breaker, next_us)


def _waiting(item: Item) -> Waiting:
    return Waiting(
        str(item["sk"]),
        str(item["run"]),
        str(item["message"]),
        item["lane"],  # type: ignore[arg-type]
        int(item["called_ms"]),
    )
