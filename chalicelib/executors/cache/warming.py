"""Fills a cache from a query or a document, in bounded memory."""

import json
from collections.abc import Iterator
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from chalicelib.domain.outcome import Failed
from chalicelib.executors.base import Call
from chalicelib.executors.cache.operations import as_bytes
from chalicelib.executors.cache.redis_connection import CacheFailure, Part, Redis, TooLate
from chalicelib.executors.cache.spec import FromQuery, FromUrl, Warm
from chalicelib.executors.database.opening import Wanted, session
from chalicelib.executors.database.values import as_json, distinct
from chalicelib.executors.http.transport import adapter

BATCH_BYTES = 262_144
MAX_DOCUMENT_BYTES = 8_388_608
Pair = tuple[str, Any]


def warm(call: Call, redis: Redis, wanted: Warm) -> dict[str, Any]:
    source = wanted.source
    pairs = (
        _of_query(call, source, wanted) if isinstance(source, FromQuery) else _of_url(call, source, wanted)
    )
    expiry: tuple[Part, ...] = ("EX", wanted.ttl_seconds) if wanted.ttl_seconds else ()
    batch: list[tuple[Part, ...]] = []
    count = size = 0
    for key, value in pairs:
        count += 1
        if count > wanted.max_keys:
            raise _refusal(f"The source has more than {wanted.max_keys} keys.")
        batch.append(("SET", wanted.prefix + key, as_bytes(value), *expiry))
        size += len(batch[-1][2]) if isinstance(batch[-1][2], bytes) else 0
        if size > BATCH_BYTES or len(batch) >= 1000:
            redis.ask_all(batch)
            batch, size = [], 0
            call.progress(0, f"{count} keys so far.")
    if batch:
        redis.ask_all(batch)
    return {"stored": count}


def _refusal(message: str, kind: str = "cache") -> CacheFailure:
    return CacheFailure(Failed(kind, message, retryable=False))


def _of_query(call: Call, source: FromQuery, wanted: Warm) -> Iterator[Pair]:
    with session(call, source.connection, Wanted(read_only=True)) as opened:
        answer = opened.run(source.query.sql, source.query.parameters)
        names = distinct(answer.columns)
        for row in answer.rows:
            yield _pair(dict(zip(names, map(as_json, row), strict=True)), wanted)


def _of_url(call: Call, source: FromUrl, wanted: Warm) -> Iterator[Pair]:
    document = _document(call, source)
    if isinstance(document, list):
        for one in document:
            yield _pair(one, wanted)
    elif isinstance(document, dict):
        for key, value in document.items():
            yield key, _field(value, wanted.value_field) if wanted.value_field else value
    else:
        raise _refusal("The document is neither an object nor a list.")


def _pair(item: Any, wanted: Warm) -> Pair:
    key = _field(item, wanted.key_field)
    value = _field(item, wanted.value_field) if wanted.value_field else item
    return key if isinstance(key, str) else json.dumps(key), value


def _field(item: Any, name: str) -> Any:
    if not isinstance(item, dict) or item.get(name) is None:
        raise _refusal(f"Something in the source has no field {name[:64]!r}.")
    return item[name]


def _document(call: Call, source: FromUrl) -> Any:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **source.headers}
    request = requests.Request("GET", source.url, headers=headers).prepare()
    if call.remaining() <= 0:
        raise TooLate
    try:
        with adapter(call.settings).exchange(request, call.remaining()) as response:
            if response.status_code != 200:
                kind = {4: "http_4xx", 5: "http_5xx"}.get(response.status_code // 100, "http_unexpected")
                message = f"The source answered {response.status_code}; expected 200."
                raise CacheFailure(Failed(kind, message, response.status_code))
            body = response.raw.read(MAX_DOCUMENT_BYTES + 1, decode_content=False)
    except (requests.RequestException, HTTPError) as error:
        if call.stop.is_wanted or call.remaining() <= 0:
            raise TooLate from error
        raise CacheFailure(Failed("connection", "The exchange with the source broke off.")) from error
    if len(body) > MAX_DOCUMENT_BYTES:
        raise _refusal("The document is longer than 8 MB.")
    return _parsed(body)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _refusal("The document is no JSON.") from error
