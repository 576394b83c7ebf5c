"""Addresses for callbacks: made with the newest key, known by every key that is kept."""

import json
from base64 import b64encode
from dataclasses import replace

import pytest

from chalicelib.domain.callback_token import Claim
from chalicelib.domain.errors import CallbackExpired, NotFound, Unavailable
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.running.signing import GRACE_SECONDS, callback_url, claim
from tests.support.memory import MemorySecrets
from tests.support.world import NOON, PUBLIC_URL, SIGNING_KEYS

RUN = Run(
    "run_1", "acme", "job_1", RunStatus.RUNNING, "schedule", NOON, NOON, 1, attempt=2, callback_by_ms=NOON
)


def keys(*names: str) -> str:
    return json.dumps([{"id": name, "key": b64encode(name.encode() * 8).decode()} for name in names])


def secrets(*names: str) -> MemorySecrets:
    return MemorySecrets(signing_key=keys(*names), public_url=PUBLIC_URL)


def token(kept: MemorySecrets) -> str:
    url = callback_url(kept, RUN)
    assert url.startswith(f"{PUBLIC_URL}/callbacks/")
    return url.rpartition("/")[2]


def test_an_address_speaks_for_its_attempt_until_an_hour_after_the_deadline() -> None:
    kept = secrets("a")
    until_s = NOON // 1000 + GRACE_SECONDS
    assert claim(kept, token(kept), now_ms=NOON) == Claim("acme", "run_1", 2, until_s)
    assert claim(kept, token(kept), now_ms=until_s * 1000 - 1)
    with pytest.raises(CallbackExpired):
        claim(kept, token(kept), now_ms=until_s * 1000)


def test_a_slash_at_the_end_of_the_public_address_does_not_matter() -> None:
    kept = secrets("a")
    kept.texts["public-url"] += "/"
    assert token(kept)


def test_the_newest_key_signs_and_the_former_one_is_still_known() -> None:
    before = token(secrets("old"))
    rotated = secrets("new", "old")
    assert claim(rotated, before, now_ms=NOON).run_id == "run_1"
    with pytest.raises(NotFound):
        claim(secrets("old"), token(rotated), now_ms=NOON)


def test_a_key_that_is_newer_than_what_is_known_is_asked_for() -> None:
    kept = secrets("new", "old")
    kept.stale["signing-key"] = keys("old")
    assert claim(kept, token(secrets("new")), now_ms=NOON).run_id == "run_1"


def test_what_is_no_token_asks_for_nothing() -> None:
    kept = secrets("a")
    kept.failures.append(AssertionError("asked"))
    with pytest.raises(NotFound):
        claim(kept, "no token", now_ms=NOON)


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (MemorySecrets(public_url=PUBLIC_URL), "no key"),
        (MemorySecrets(signing_key="[]", public_url=PUBLIC_URL), "an empty ring"),
        (MemorySecrets(signing_key=SIGNING_KEYS), "no address"),
        (MemorySecrets(signing_key="{", public_url=PUBLIC_URL), "no JSON"),
        (MemorySecrets(signing_key='["a"]', public_url=PUBLIC_URL), "no keys"),
        (MemorySecrets(signing_key='[{"id": "a"}]', public_url=PUBLIC_URL), "no secret"),
    ],
)
def test_a_deployment_that_lacks_something_has_no_addresses(kept: MemorySecrets, why: str) -> None:
    with pytest.raises(Unavailable):
        callback_url(kept, replace(RUN, id=why))
