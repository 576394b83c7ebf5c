"""The journal: pages of what was rung, written before the rings. Where the auditor looks for what got lost.

A page lies at the moment of that look, when all of it should be on record. What is to be looked at once more goes onto
a new page, so pages are never changed; they expire.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chalicelib.domain.ids import bucket_of
from chalicelib.engine.message import BadMessage, RunMessage, decode
from chalicelib.engine.records import RUN_BUCKETS
from chalicelib.ports.table import Item

PARTITIONS = 8
KEEP_SECONDS = 86_400
"""How long a page is kept after its look."""
PAGE_MESSAGES = 1000
"""Some 32 KB, compressed."""
SPREAD_FROM = 256
"""So many messages are spread by where their runs' records lie: the auditor of a partition finds them side by side."""
SPAN_MS = 75_000
"""What is due so soon after the first shares its page, lest the first waits long. A tick brings a minute's more."""
GRACE_MS = 120_000
"""From when a message is due to the first look: one that was received in vain is back after 100 s (lane `fast`)."""
MAX_ROUND = 7
"""From here on the looks come every 4.3 hours."""


@dataclass(frozen=True, slots=True)
class JournalPage:
    """`round` counts the looks before this one; `unreadable` the messages that nobody can decode."""

    look_ms: int
    round: int
    messages: tuple[RunMessage, ...]
    unreadable: int = 0


def grace_ms(look_round: int) -> int:
    """Each look waits twice as long as the one before: a lane that is hours behind is not flooded."""
    return GRACE_MS << min(look_round, MAX_ROUND)


def journal_partition(number: int) -> str:
    return f"journal#{number}"


def look_of(sort_key: str) -> int:
    """The moment, in epoch ms, of a page's look."""
    return int(sort_key.partition("#")[0])


def encode_pages(
    messages: Iterable[RunMessage], *, now_ms: int, nonce: bytes, look_round: int = 0, not_before_ms: int = 0
) -> list[Item]:
    """Pages for these messages, to be looked at when they are due (or after `not_before_ms`) and the grace is over.

    `nonce` tells pages of one millisecond apart.
    """
    found = list[Item]()
    for partition, together in _grouped(list(messages), now_ms, nonce):
        for start in range(0, len(together), PAGE_MESSAGES):
            part = together[start : start + PAGE_MESSAGES]
            due_ms = max(now_ms, not_before_ms, *(message.at_ms for message in part))
            look_ms = due_ms + grace_ms(look_round)
            item: Item = {
                "pk": journal_partition(partition),
                "sk": f"{look_ms:015d}#{nonce.hex()}{len(found):03d}",
                "messages": zlib.compress("\n".join(message.encode() for message in part).encode(), 1),
                "expires_at": look_ms // 1000 + KEEP_SECONDS,
            }
            found.append(item | {"round": look_round} if look_round else item)
    return found


def decode_page(item: Item) -> JournalPage:
    """ValueError if the item is no page."""
    body = item["messages"]
    if not isinstance(body, bytes):
        raise ValueError("a journal page holds compressed bytes")
    try:
        lines = zlib.decompress(body).decode().splitlines()
    except zlib.error as error:
        raise ValueError(f"a journal page cannot be decompressed: {error}") from error
    messages = tuple(_readable(lines))
    return JournalPage(
        look_of(str(item["sk"])), int(item.get("round", 0)), messages, len(lines) - len(messages)
    )


def _grouped(messages: list[RunMessage], now_ms: int, nonce: bytes) -> Iterator[tuple[int, list[RunMessage]]]:
    """What shares pages, and their partition: a few messages lie anywhere, since each page is a write."""
    groups: dict[tuple[int, int], list[RunMessage]] = defaultdict(list)
    first_ms = max(now_ms, min((message.at_ms for message in messages), default=now_ms))
    for message in messages:
        span = max(0, message.at_ms - first_ms) // SPAN_MS
        place = bucket_of(message.run_id, RUN_BUCKETS) if len(messages) >= SPREAD_FROM else nonce[0]
        groups[place % PARTITIONS, span].append(message)
    for (partition, _), together in groups.items():
        yield partition, together


def _readable(lines: Iterable[str]) -> Iterator[RunMessage]:
    for line in lines:
        try:
            yield decode(line)
        except BadMessage:
            continue
