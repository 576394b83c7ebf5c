"""Access tokens: only what we signed, for this API, in time, opens it; and what it opens is read each time."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.domain.errors import Unauthorized, Unavailable
from chalicelib.domain.permissions import ACCOUNT, ROLES
from chalicelib.identity import tokens
from chalicelib.identity.access import authenticate
from chalicelib.identity.members import membership_key
from chalicelib.identity.sessions import end
from chalicelib.identity.tokens import (
    LEEWAY_SECONDS,
    LIFE_SECONDS,
    claims_of,
    key_set,
    private_key,
    token_keys,
)
from chalicelib.ports.table import Delete, Update
from tests.support.memory import MemorySecrets
from tests.support.signed_in import bearer, signed_in
from tests.support.world import NOON, PUBLIC_URL, TOKEN_KEYS, World

NOW_S = NOON // 1000
ANOTHER = ec.derive_private_key(12345, ec.SECP256R1())
LATER_KEYS = json.dumps([{"id": "second", "key": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="}])


@pytest.fixture
def world() -> World:
    return World()


def own_key(world: World) -> Any:
    return private_key(token_keys(world.secrets)[0].secret)


def payload_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def resigned(world: World, token: str, *, key: Any = None, header: Any = None, **changed: Any) -> str:
    """The same token with other claims (None: left out), signed as ours unless `key` is another."""
    payload = {name: each for name, each in {**payload_of(token), **changed}.items() if each is not None}
    wanted = {"kid": "first", "typ": "at+jwt", **(header or {})}
    headers = {name: each for name, each in wanted.items() if each is not None}
    return jwt.encode(payload, key or own_key(world), algorithm="ES256", headers=headers)


def by_hand(header: dict[str, Any], payload: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    def encoded(part: bytes) -> str:
        return urlsafe_b64encode(part).decode().rstrip("=")

    signed = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(payload).encode())}"
    return f"{signed}.{encoded(sign(signed.encode()))}"


def unsigned(world: World, token: str) -> str:
    return by_hand({"alg": "none", "kid": "first", "typ": "at+jwt"}, payload_of(token), lambda _: b"")


def signed_with_the_public_key(world: World, token: str) -> str:
    public = own_key(world).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "kid": "first", "typ": "at+jwt"}
    return by_hand(header, payload_of(token), lambda text: hmac.digest(public, text, hashlib.sha256().name))


def with_another_tenant_in_it(world: World, token: str) -> str:
    header, payload, signature = token.split(".")
    said = json.loads(urlsafe_b64decode(payload + "=="))
    changed = urlsafe_b64encode(json.dumps({**said, "tenant": "other"}).encode()).decode().rstrip("=")
    return f"{header}.{changed}.{signature}"


ATTACKS: dict[str, Callable[[World, str], str]] = {
    "no signature": lambda world, token: token.rpartition(".")[0] + ".",
    "alg none": unsigned,
    "HS256 with the public key as its secret": signed_with_the_public_key,
    "a key of their own": lambda world, token: resigned(world, token, key=ANOTHER),
    "a kid that nobody has": lambda world, token: resigned(world, token, header={"kid": "other"}),
    "no kid": lambda world, token: resigned(world, token, header={"kid": None}),
    "a kid that is a path": lambda world, token: resigned(world, token, header={"kid": "../../first"}),
    "a key in the header": lambda world, token: resigned(
        world, token, key=ANOTHER, header={"jwk": key_set(world.secrets)[0]}
    ),
    "another type": lambda world, token: resigned(world, token, header={"typ": "JWT"}),
    "a critical extension": lambda world, token: resigned(world, token, header={"crit": ["x"], "x": 1}),
    "another issuer": lambda world, token: resigned(world, token, iss="https://evil.example"),
    "another audience": lambda world, token: resigned(world, token, aud="chronos-other"),
    "no audience": lambda world, token: resigned(world, token, aud=None),
    "no expiry": lambda world, token: resigned(world, token, exp=None),
    "an expiry that is text": lambda world, token: resigned(world, token, exp="9999999999"),
    "an expiry that is true": lambda world, token: resigned(world, token, exp=True),
    "from the future": lambda world, token: resigned(world, token, iat=NOW_S + LEEWAY_SECONDS + 1),
    "no subject": lambda world, token: resigned(world, token, sub=None),
    "no session": lambda world, token: resigned(world, token, sid=None),
    "no tenant": lambda world, token: resigned(world, token, tenant=None),
    "another user's session": lambda world, token: resigned(world, token, sub="user_other"),
    "a tenant that the user is not in": lambda world, token: resigned(world, token, tenant="other"),
    "another tenant, with the old signature": with_another_tenant_in_it,
    "far too long": lambda world, token: resigned(world, token, more="x" * 5000),
    "no JSON": lambda world, token: "a.b.c",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_what_is_not_ours_opens_nothing(world: World, attack: Callable[[World, str], str]) -> None:
    token = signed_in(world.engine).access_token
    with pytest.raises(Unauthorized):
        authenticate(world.engine, f"Bearer {attack(world, token)}")


def test_the_attacks_begin_with_what_would_be_let_in(world: World) -> None:
    token = signed_in(world.engine).access_token
    assert authenticate(world.engine, f"Bearer {resigned(world, token)}").tenant == "local"


def test_a_refresh_token_is_no_access_token(world: World) -> None:
    with pytest.raises(Unauthorized):
        authenticate(world.engine, f"Bearer {signed_in(world.engine).refresh_token}")


def test_a_token_lets_in_as_the_member_who_signed_in(world: World) -> None:
    given = signed_in(world.engine, "operator")
    found = authenticate(world.engine, bearer(given)["Authorization"])
    assert (found.tenant, found.actor, found.role) == ("local", given.user.id, "operator")
    assert (found.session, found.permissions) == (given.session.id, ROLES["operator"] | ACCOUNT)


def test_a_token_ends_after_ten_minutes_and_a_little_for_clocks_that_differ(world: World) -> None:
    token = signed_in(world.engine).access_token
    world.clock.sleep(LIFE_SECONDS + LEEWAY_SECONDS - 1)
    assert claims_of(world.engine, token)
    world.clock.sleep(1)
    with pytest.raises(Unauthorized):
        claims_of(world.engine, token)


def test_a_session_that_has_ended_takes_its_tokens_with_it(world: World) -> None:
    given = signed_in(world.engine)
    assert end(world.engine, given.user.id, given.session.id)
    with pytest.raises(Unauthorized):
        authenticate(world.engine, bearer(given)["Authorization"])


def test_who_is_no_member_any_more_is_kept_out_at_once(world: World) -> None:
    given = signed_in(world.engine)
    world.db.catalog.write(Delete(membership_key("local", given.user.id)))
    with pytest.raises(Unauthorized):
        authenticate(world.engine, bearer(given)["Authorization"])


def test_another_role_holds_at_once(world: World) -> None:
    given = signed_in(world.engine, "admin")
    world.db.catalog.write(Update(membership_key("local", given.user.id), set={"role": "viewer"}))
    found = authenticate(world.engine, bearer(given)["Authorization"])
    assert (found.role, "jobs:write" in found.permissions) == ("viewer", False)


def test_a_key_that_was_made_since_is_found_by_reading_again(world: World) -> None:
    world.secrets.stale["token-keys"] = TOKEN_KEYS
    world.secrets.texts["token-keys"] = json.dumps(json.loads(LATER_KEYS) + json.loads(TOKEN_KEYS))
    given = signed_in(World().engine)
    later = private_key(token_keys(world.secrets, fresh=True)[0].secret)
    token = resigned(world, given.access_token, key=later, header={"kid": "second"})
    assert claims_of(world.engine, token).user == given.user.id


def test_a_key_that_was_forgotten_opens_nothing(world: World) -> None:
    token = signed_in(world.engine).access_token
    world.secrets.texts["token-keys"] = LATER_KEYS
    with pytest.raises(Unauthorized):
        claims_of(world.engine, token)


def test_what_is_published_verifies_and_keeps_the_secret(world: World) -> None:
    token = signed_in(world.engine).access_token
    [published] = key_set(world.secrets)
    key = jwt.PyJWK(published)
    assert jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        audience=tokens.AUDIENCE,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert "d" not in published


@pytest.mark.parametrize(
    "secrets",
    [MemorySecrets(public_url=PUBLIC_URL), MemorySecrets(token_keys=TOKEN_KEYS)],
    ids=["no keys", "no address"],
)
def test_without_keys_or_an_address_nobody_can_sign_in(world: World, secrets: MemorySecrets) -> None:
    object.__setattr__(world.engine, "secrets", secrets)
    with pytest.raises(Unavailable):
        signed_in(world.engine)
