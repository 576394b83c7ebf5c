"""Idempotency keys of requests that make nothing new: the answer is kept for a day, and a repeat is given it again.

Such requests may be repeated without harm at the same moment. What a key adds is that a repeat which comes late, when
others have changed the thing, does not do it again.
"""

import json
from collections.abc import Callable
from dataclasses import replace

from pydantic import BaseModel

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.core import Engine
from chalicelib.features.base import Response
from chalicelib.features.idempotency import IdempotencyKey, known, noted
from chalicelib.ports.table import ConditionFailed

MAX_KEPT = 300_000
"""Characters: an item holds 400 KB. A larger answer is not kept."""
_AGAIN = {"Idempotency-Replayed": "true"}


def replayed(
    engine: Engine, tenant: str, key: IdempotencyKey | None, answer: Callable[[], Response]
) -> Response:
    """The answer, or the one that this key has had before. IdempotencyKeyReused if it came with another payload."""
    if key is None:
        return answer()
    before = known(engine, tenant, key)
    if before is not None:
        return _decoded(before)
    response = answer()
    kept = _encoded(response)
    if len(kept) <= MAX_KEPT:
        _keep(engine, tenant, key, kept)
    return response


def _keep(engine: Engine, tenant: str, key: IdempotencyKey, kept: str) -> None:
    """What was done stands whatever happens here; of two at the same moment either answer will do."""
    try:
        engine.db.catalog.write(noted(tenant, key, kept, engine.clock.now_ms() // 1000))
    except ConditionFailed:
        pass
    except Unavailable as error:
        engine.telemetry.warning("An answer was not kept for its Idempotency-Key.", error=error.message)


def _encoded(response: Response) -> str:
    body = response.body
    text = body.model_dump_json() if isinstance(body, BaseModel) else body
    return json.dumps([response.status, dict(response.headers), response.content_type, text])


def _decoded(kept: str) -> Response:
    status, headers, content_type, text = json.loads(kept)
    return replace(Response(text, status, headers), content_type=content_type, headers={**headers, **_AGAIN})
