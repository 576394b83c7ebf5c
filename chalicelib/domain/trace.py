"""The W3C's trace context: which trace a run belongs to, so that its request and its effects are found together."""

import re
from hashlib import blake2b

_HEADER = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
MAX_HEADER = 512


def parent_of(header: str | None) -> str | None:
    """The traceparent in a request's header, as version 00; None for anything that the W3C does not call one.

    What later versions add behind the flags is left out, as they ask for.
    """
    found = _HEADER.fullmatch((header or "")[:MAX_HEADER].strip(" \t"))
    if found is None or not int(found[2], 16) or not int(found[3], 16):
        return None
    if found[1] == "00" and found[5]:
        return None
    return f"00-{found[2]}-{found[3]}-{int(found[4], 16) & 1:02x}"


def trace_id(run_id: str, parent: str | None) -> str:
    """The id of the run's trace: that of the request which asked for it, or one of its own."""
    return parent[3:35] if parent else blake2b(run_id.encode(), digest_size=16, person=b"trace").hexdigest()


def traceparent(run_id: str, attempt: int, parent: str | None = None) -> str:
    """The header that an attempt sends: the run's trace, in which each attempt is a span."""
    span = blake2b(f"{run_id}|{attempt}".encode(), digest_size=8, person=b"span").hexdigest()
    return f"00-{trace_id(run_id, parent)}-{span}-{parent[-2:] if parent else '01'}"
