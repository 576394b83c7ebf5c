"""What a cache job may ask for, and what is refused when it is saved."""

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.executors.cache.spec import SPEC, Config

SQL = {"connection": {"engine": "sqlite", "path": "a.db"}}


def _config(operation: dict[str, Any], **place: Any) -> Config:
    return Config.model_validate(
        {"connection": {"host": "cache.example.com", **place}, "operation": operation}
    )


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({}, "nothing to do"),
        ({"do": "eval", "script": "x"}, "another command"),
        ({"do": "get", "keys": []}, "no key"),
        ({"do": "get", "keys": ["a"] * 101}, "too many keys"),
        ({"do": "get", "keys": [""]}, "an empty key"),
        ({"do": "get", "keys": ["\ud800"]}, "a key that cannot be sent"),
        ({"do": "set", "key": "a"}, "no value"),
        ({"do": "set", "key": "a", "value": "x" * 131_072}, "too large a value"),
        ({"do": "set", "key": "a", "value": 1, "ttl_seconds": 0}, "expired at once"),
        ({"do": "increment", "key": "a", "by": 2**63}, "beyond 64 bits"),
        ({"do": "flush_prefix", "prefix": ""}, "all keys"),
        ({"do": "warm", "source": {"url": "ftp://a.example"}}, "no such source"),
        ({"do": "warm", "source": {**SQL, "query": {"sql": "SELECT ?", "parameters": []}}}, "no value for ?"),
        ({"do": "stats", "fields": ["a:b"]}, "no name of a field"),
    ],
)
def test_an_operation_that_cannot_be_is_refused(operation: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError):
        _config(operation)


def test_limits_know_a_cache_by_its_host() -> None:
    assert SPEC.target({"connection": {"host": "Cache.example.com"}}) == "cache.example.com"


def test_a_password_is_not_in_what_is_printed() -> None:
    assert "hunter2" not in repr(_config({"do": "stats"}, password="hunter2"))
