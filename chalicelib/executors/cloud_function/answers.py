"""What services answer, as much of it as a run's result has room for."""

import json
from typing import Any

from chalicelib.domain.errors import Unavailable
from chalicelib.executors.base import Call
from chalicelib.executors.outputs import captured

MAX_TEXT = 300


def kept(call: Call, content: bytes) -> dict[str, Any]:
    """`answer` as JSON; a long one as a file, or cut where there is no place for files."""
    limit = call.settings.max_result_bytes // 2
    if len(content) <= limit:
        return {"answer": parsed(content)}
    try:
        return captured(call, "answer.json", [content], "application/json", limit)
    except Unavailable:
        return {"text": content[:limit].decode(errors="replace"), "truncated": True, "bytes": len(content)}


def parsed(content: bytes | str) -> Any:
    """The JSON, or the text if it is none."""
    try:
        return json.loads(content or b"null")
    except (ValueError, RecursionError):
        return content.decode(errors="replace") if isinstance(content, bytes) else content


def brief(text: Any, limit: int = MAX_TEXT) -> str:
    """The beginning of a text of somebody else, on one line."""
    return " ".join(str(text).split())[:limit]
