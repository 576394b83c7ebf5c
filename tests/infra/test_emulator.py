"""The launcher's and the patches' own parts, without the emulator; tests/infra/test_patches.py tries them on it."""

import asyncio
import threading
import time
from typing import Any

import pytest

from infra.local import emulator, patches

EVENT = {"Time": 1_767_225_600.9, "Resources": ["arn:schedule"], "EventId": "an id"}


@pytest.mark.parametrize(
    ("text", "filled", "why"),
    [
        (
            '{"at": "<aws.scheduler.scheduled-time>"}',
            '{"at": "2026-01-01T00:00:00Z"}',
            "whole seconds, UTC, as on AWS",
        ),
        ("<aws.scheduler.schedule-arn>", "arn:schedule", ""),
        ("<aws.scheduler.execution-id>/<aws.scheduler.attempt-number>", "an id/1", "several at once"),
        ("<aws.scheduler.unknown>", "<aws.scheduler.unknown>", "what AWS does not know it leaves alone"),
    ],
)
def test_the_schedulers_tokens_are_filled_in(text: str, filled: str, why: str) -> None:
    assert patches.with_tokens(text, EVENT) == filled, why


def test_an_impatient_event_does_not_wait_for_long() -> None:
    begun = time.monotonic()
    assert not patches.Impatient(threading.Event()).wait(60)
    assert time.monotonic() - begun < 1


def test_an_impatient_event_is_still_the_event() -> None:
    event = threading.Event()
    impatient = patches.Impatient(event)
    event.set()
    assert impatient.wait(60)
    impatient.clear()
    assert not event.is_set()


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        ('UPDATE "runs" SET a=? WHERE pk=?', "dynamodb:PartiQLUpdate"),
        ("INSERT INTO \"runs\" VALUE {'pk': ?}", "dynamodb:PartiQLInsert"),
        ('DELETE FROM "runs" WHERE pk=?', "dynamodb:PartiQLDelete"),
        ('SELECT * FROM "runs"."by_job" WHERE pk=?', "dynamodb:PartiQLSelect"),
    ],
)
def test_a_partiql_statement_is_authorized_as_its_verb_on_its_table(statement: str, action: str) -> None:
    found, table = patches._partiql(statement, "us-east-1", "1")
    assert found == action
    assert table.startswith("arn:aws:dynamodb:us-east-1:1:table/runs")


@pytest.mark.parametrize(
    ("operation", "kept", "why"),
    [
        ({"op": "replace", "path": "/name", "value": "x"}, True, "a change"),
        ({"op": "replace", "path": "/minimumCompressionSize", "value": ""}, False, "nothing to nothing"),
        ({"op": "replace", "path": "/endpointConfiguration/types/EDGE", "value": "EDGE"}, False, "as it is"),
    ],
)
def test_an_apis_patch_keeps_what_the_emulator_understands(
    operation: dict[str, str], kept: bool, why: str
) -> None:
    assert patches.without_what_stays({"patchOperations": [operation]}) == [operation] * kept, why


@pytest.mark.parametrize(
    ("path", "seen", "why"),
    [
        ("/api/jobs", "/_aws/execute-api/abc/api/jobs", "the stable address leads to the REST API"),
        ("/api", "/_aws/execute-api/abc/api", "its root too"),
        ("/apis", "/apis", "only whole segments count"),
        ("/bucket/api/key", "/bucket/api/key", "AWS's own paths are left alone"),
    ],
)
def test_the_stable_address_leads_to_the_rest_api(path: str, seen: str, why: str) -> None:
    passed, _ = _ask(path, "abc")
    assert passed == seen, why


def test_the_stable_address_is_unavailable_until_something_is_deployed() -> None:
    passed, sent = _ask("/api/jobs", None)
    assert passed is None
    assert sent[0]["status"] == 503
    assert (b"content-type", b"application/problem+json") in sent[0]["headers"]


def _ask(path: str, api: str | None) -> tuple[str | None, list[dict[str, Any]]]:
    """(the path that reached the emulator's app, what our wrapper answered by itself)."""
    seen: list[str] = []
    sent: list[dict[str, Any]] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert scope["raw_path"].decode() == scope["path"]
        seen.append(scope["path"])

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    wrapped = emulator.serve_api_at_a_stable_address(app, lambda: api)
    asyncio.run(wrapped({"type": "http", "path": path, "raw_path": path.encode()}, None, send))
    return (seen[0] if seen else None), sent
