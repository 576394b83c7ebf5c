"""Whether a trail is as it was written. Pure, over any number of entries in a row, so that it can be done in parts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from chalicelib.domain.callback_token import SigningKey
from chalicelib.identity.trail.entries import GENESIS, Entry, Head, hashed, is_signed

ProblemCode = Literal["changed", "missing", "broken", "forged", "truncated", "set_back"]


@dataclass(frozen=True, slots=True)
class Problem:
    """The first entry at which the trail is not as it was written."""

    seq: int
    code: ProblemCode
    message: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """An entry that is known to be good: its number and hash."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Checked:
    """How far a trail was looked at. `last` is the last good entry, after which the next part goes on.

    `signed_to`: the last entry whose signature is by a known key; it vouches for all before it.
    """

    first: int | None = None
    last: Anchor | None = None
    signed_to: int | None = None
    problem: Problem | None = None
    count: int = 0


def checked(
    entries: Iterable[Entry],
    *,
    tenant: str,
    keys: Sequence[SigningKey],
    now_s: int,
    anchor: Anchor | None = None,
) -> Checked:
    """The entries in the order of their keys, from the anchor's own on, or from the beginning.

    What has expired may be gone, in any order; as none outlives a later one, it is the beginning that is gone.
    """
    found = Checked()
    for entry in entries:
        if found.last is None and entry.expires_at <= now_s and not _is_anchor(entry, anchor):
            continue
        document = entry.document
        problem = _in_itself(entry, document, tenant, keys)
        if problem is None and document is not None:
            problem = _in_its_place(entry, document["previous"], found.last, anchor, now_s)
        if problem:
            return replace(found, problem=problem)
        found = Checked(
            entry.seq if found.first is None else found.first,
            Anchor(entry.seq, entry.hash),
            entry.seq if is_signed(entry, keys) else found.signed_to,
            count=found.count + 1,
        )
    return found


def ended(found: Checked, before: Head, after: Head, now_s: int, anchor: Anchor | None = None) -> Checked:
    """With what shows only at the end of a trail: `before` and `after` are the head just before and after reading."""
    last_seq = found.last.seq if found.last else 0
    if found.problem:
        return found
    if found.last is None and anchor and before.seq < anchor.seq:
        told = f"Entry {anchor.seq} is gone, and all that came after it."
        return replace(found, problem=Problem(before.seq + 1, "truncated", told))
    if before.seq > last_seq and (found.last or before.expires_at > now_s):
        told = f"The trail ended with entry {before.seq}, and nothing after {last_seq} is there."
        return replace(found, problem=Problem(last_seq + 1, "truncated", told))
    if after.seq < last_seq:
        told = f"The trail's head says that it ends with {after.seq}, and it goes on to {last_seq}."
        return replace(found, problem=Problem(after.seq + 1, "set_back", told))
    if found.last and before.seq == last_seq and before.hash != found.last.hash:
        return replace(
            found, problem=Problem(last_seq, "changed", "The last entry is another than the head says.")
        )
    return found


def _is_anchor(entry: Entry, anchor: Anchor | None) -> bool:
    return anchor is not None and entry.seq == anchor.seq


def _in_itself(
    entry: Entry, document: dict[str, Any] | None, tenant: str, keys: Sequence[SigningKey]
) -> Problem | None:
    if document is None or hashed(entry.text) != entry.hash or not _is_shaped(document):
        return Problem(entry.seq, "changed", f"Entry {entry.seq} is not what its hash was made of.")
    said = (document["tenant"], document["seq"], document["expires_at"])
    if said != (tenant, entry.seq, entry.expires_at):
        return Problem(entry.seq, "changed", f"Entry {entry.seq} is not where, or not kept as, it says.")
    if is_signed(entry, keys) is False:
        return Problem(entry.seq, "forged", f"Entry {entry.seq} was not signed by this deployment.")
    return None


def _is_shaped(document: dict[str, Any]) -> bool:
    previous = document.get("previous")
    return (
        {"tenant", "seq", "expires_at"} <= document.keys()
        and isinstance(previous, dict)
        and isinstance(previous.get("hash"), str)
        and isinstance(previous.get("expires_at"), int)
    )


def _in_its_place(
    entry: Entry, previous: dict[str, Any], last: Anchor | None, anchor: Anchor | None, now_s: int
) -> Problem | None:
    if last is None:
        return _as_the_first(entry, previous, anchor, now_s)
    if entry.seq != last.seq + 1:
        return Problem(
            last.seq + 1, "missing", f"There is no entry {last.seq + 1}, and later ones are there."
        )
    if previous["hash"] != last.hash:
        return Problem(entry.seq, "broken", f"Entry {entry.seq} does not follow on entry {last.seq}.")
    return None


def _as_the_first(
    entry: Entry, previous: dict[str, Any], anchor: Anchor | None, now_s: int
) -> Problem | None:
    if _is_anchor(entry, anchor):
        same = anchor is not None and anchor.hash == entry.hash
        return (
            None if same else Problem(entry.seq, "changed", f"Entry {entry.seq} is another than was given.")
        )
    if entry.seq == 1:
        told = "Entry 1 follows on something."
        return None if previous["hash"] == GENESIS else Problem(1, "broken", told)
    if previous["expires_at"] > now_s:
        return Problem(entry.seq - 1, "missing", f"Entry {entry.seq - 1} is gone before its time.")
    return None
