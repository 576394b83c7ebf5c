"""What callbacks need in the Parameter Store: made once, kept by later deployments, rotated without a gap."""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.aws.ssm import KEPT_SECONDS
from chalicelib.identity.tokens import LEEWAY_SECONDS, LIFE_SECONDS, key_set
from infra.callbacks import provide, remove
from infra.keys import CALLBACKS, MAX_KEYS, TOKENS, rotate, rotated
from tests.support.memory import MemorySecrets

GATEWAY, OWN = "https://a1.execute-api.eu-central-1.amazonaws.com/api", "https://chronos.example.com"
DAY = 86_400
NAMES = (CALLBACKS.name, TOKENS.name, "public-url")


@pytest.fixture
def ssm() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client(
            "ssm", region_name="eu-central-1", aws_access_key_id="t", aws_secret_access_key="t"
        )


def stored(ssm: Any, name: str) -> Any:
    found = ssm.get_parameters(Names=[f"/chronos/dev/{name}"], WithDecryption=True)["Parameters"]
    return found[0] if found else None


def keys(ssm: Any) -> Any:
    return json.loads(stored(ssm, "signing-key")["Value"])


def test_a_first_deployment_makes_a_secret_key_and_notes_the_address(ssm: Any) -> None:
    provide(ssm, "dev", GATEWAY + "/")
    assert stored(ssm, "public-url")["Value"] == GATEWAY
    assert stored(ssm, "signing-key")["Type"] == "SecureString"
    [key] = keys(ssm)
    assert len(b64decode(key["key"])) == 32


def test_a_later_deployment_keeps_the_key(ssm: Any) -> None:
    provide(ssm, "dev", GATEWAY)
    before = keys(ssm)
    provide(ssm, "dev", GATEWAY.replace("a1", "b2"))
    assert keys(ssm) == before
    assert stored(ssm, "public-url")["Value"] == GATEWAY.replace("a1", "b2")


def test_an_address_of_the_operators_own_stays_until_another_is_given(ssm: Any) -> None:
    provide(ssm, "dev", GATEWAY, given=OWN)
    provide(ssm, "dev", GATEWAY)
    assert stored(ssm, "public-url")["Value"] == OWN
    provide(ssm, "dev", GATEWAY, given=GATEWAY)
    assert stored(ssm, "public-url")["Value"] == GATEWAY


def test_a_local_address_follows_the_port(ssm: Any) -> None:
    provide(ssm, "dev", "http://127.0.0.1:8000/api")
    provide(ssm, "dev", "http://127.0.0.1:9000/api")
    assert stored(ssm, "public-url")["Value"] == "http://127.0.0.1:9000/api"


def test_a_new_key_comes_first_and_the_former_is_still_known(ssm: Any) -> None:
    provide(ssm, "dev", GATEWAY)
    [first] = keys(ssm)
    assert rotate(ssm, "dev", CALLBACKS, now_s=DAY) == 2
    second, also = keys(ssm)
    assert also == first
    assert second["key"] != first["key"]
    assert second["id"] != first["id"]


def test_former_keys_can_be_forgotten_at_once(ssm: Any) -> None:
    provide(ssm, "dev", GATEWAY)
    [first] = keys(ssm)
    assert rotate(ssm, "dev", CALLBACKS, now_s=DAY, forget=True) == 1
    assert keys(ssm)[0]["key"] != first["key"]


def test_a_key_is_known_as_long_as_something_signed_with_it_may_be_waited_for() -> None:
    ring: list[Any] = []
    for day in range(60):
        ring = rotated(ring, str(day), b"x", now_s=day * DAY, keep_seconds=15 * DAY)
    days = [int(key["id"]) for key in ring]
    assert days == list(range(59, 59 - len(days), -1))
    assert len(days) == 15 + 1, "each is kept for 15 days after another took its place"


def test_the_ring_fits_into_a_parameter() -> None:
    ring: list[Any] = []
    for number in range(100):
        ring = rotated(
            ring,
            f"{number:08x}",
            bytes(32),
            now_s=2_000_000_000 + number,
            keep_seconds=CALLBACKS.keep_seconds,
        )
    assert len(ring) == MAX_KEYS
    assert len(json.dumps(ring, separators=(",", ":"))) < 4096


def test_what_was_made_can_be_removed_and_that_twice(ssm: Any) -> None:
    provide(ssm, "dev", GATEWAY)
    for _ in range(2):
        remove(ssm, "dev")
        assert [stored(ssm, name) for name in NAMES] == [None] * 3


def test_access_tokens_have_keys_of_their_own_kind(ssm: Any) -> None:
    provide(ssm, "dev", GATEWAY)
    assert stored(ssm, "token-keys")["Type"] == "SecureString"
    secrets = MemorySecrets(token_keys=stored(ssm, "token-keys")["Value"])
    [published] = key_set(secrets)
    assert published["crv"] == "P-256"


def test_a_former_key_of_access_tokens_is_known_until_the_last_token_has_ended(ssm: Any) -> None:
    provide(ssm, "dev", GATEWAY)
    assert [rotate(ssm, "dev", TOKENS, now_s=now_s) for now_s in (DAY, DAY + 60, DAY + 3_600)] == [2, 3, 3]
    assert TOKENS.keep_seconds >= LIFE_SECONDS + LEEWAY_SECONDS + 2 * KEPT_SECONDS
