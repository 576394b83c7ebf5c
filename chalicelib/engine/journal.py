"""The journal: a page for each dispatch, written before its rings. What is on a page and never started was lost."""

import zlib
from collections.abc import Iterable, Iterator

from chalicelib.engine.message import RunMessage, decode
from chalicelib.ports.table import Item

PARTITIONS = 8
KEEP_SECONDS = 86_400


def encode_page(messages: Iterable[RunMessage], *, now_ms: int, nonce: bytes) -> Item:
    """One page: its messages, compressed. `nonce` tells pages of one millisecond apart."""
    body = zlib.compress("\n".join(message.encode() for message in messages).encode(), 1)
    return {
        "pk": f"journal#{nonce[0] % PARTITIONS}",
        "sk": f"{now_ms:015d}#{nonce.hex()}",
        "messages": body,
        "expires_at": now_ms // 1000 + KEEP_SECONDS,
    }


def decode_page(item: Item) -> Iterator[RunMessage]:
    body = item["messages"]
    if not isinstance(body, bytes):
        raise ValueError("a journal page holds compressed bytes")
    return map(decode, zlib.decompress(body).decode().splitlines())
