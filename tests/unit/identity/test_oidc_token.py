"""An ID token is the provider's word about this very sign-in, or it is nothing."""

import hmac
import json
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256, sha512
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.identity.oidc_token import BadToken, Expected, Person, UnknownKey, person_of, verified

NOW_S = 1_800_014_400
ISSUER, CLIENT = "https://id.example.com", "chronos"
EXPECTED = Expected(ISSUER, CLIENT, "of this sign-in", frozenset({"RS256", "ES256", "PS256", "EdDSA"}))
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "248289761001",
    "aud": CLIENT,
    "exp": NOW_S + 300,
    "iat": NOW_S - 2,
    "nonce": "of this sign-in",
    "email": "ada@example.com",
    "email_verified": True,
    "name": "Ada Lovelace",
}
KINDS = {"RS256": "rsa", "PS256": "rsa", "ES256": "p256", "EdDSA": "ed25519"}


@cache
def private(name: str) -> Any:
    """The same key for the same name, in this process."""
    if name.startswith("rsa"):
        return rsa.generate_private_key(65537, 1024 if name == "rsa short" else 2048)
    return (
        ed25519.Ed25519PrivateKey.generate() if name == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    )


def public(name: str, **more: Any) -> dict[str, Any]:
    """As a provider publishes it."""
    family = {"rsa": jwt.algorithms.RSAAlgorithm, "p256": jwt.algorithms.ECAlgorithm}
    algorithm = family.get(name.partition(" ")[0], jwt.algorithms.OKPAlgorithm)
    return {**json.loads(algorithm.to_jwk(private(name).public_key())), "kid": name, "use": "sig", **more}


def token(claims: dict[str, Any] = CLAIMS, algorithm: str = "ES256", **headers: Any) -> str:
    key = KINDS[algorithm]
    return jwt.encode(claims, private(key), algorithm, headers={"kid": key, **headers})


def check(text: str, *keys: dict[str, Any], access_token: str | None = None, **expected: Any) -> Person:
    published = keys or (public("p256"), public("rsa"), public("ed25519"))
    wanted = Expected(**{name: expected.get(name, getattr(EXPECTED, name)) for name in Expected.__slots__})
    return verified(text, {"keys": list(published)}, wanted, NOW_S, access_token)


def pem(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def text_of(value: Any) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", KINDS)
def test_a_good_token_says_who_it_is(algorithm: str) -> None:
    found = check(token(algorithm=algorithm))
    assert found == Person("248289761001", "ada@example.com", True, "Ada Lovelace")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://id.example.com/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "another"}, "another client"),
        ({"aud": ["another"]}, "another client"),
        ({"aud": [CLIENT, "another"]}, "issued to another client"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "issued to another client"),
        ({"azp": "another"}, "issued to another client"),
        ({"exp": NOW_S - 61}, "is over"),
        ({"exp": None}, "lacks exp"),
        ({"exp": float("nan")}, "is over"),
        ({"exp": True}, "lacks exp"),
        ({"exp": str(NOW_S + 300)}, "lacks exp"),
        ({"iat": None}, "lacks iat"),
        ({"iat": NOW_S + 61}, "not issued just now"),
        ({"iat": NOW_S - 901}, "not issued just now"),
        ({"nbf": NOW_S + 61}, "does not hold yet"),
        ({"nonce": "of another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": "\ud800"}, "nonce"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
        ({"sub": None}, "no subject"),
        ({"sub": ""}, "no subject"),
        ({"sub": "x" * 256}, "no subject"),
        ({"sub": 7}, "no subject"),
    ],
)
def test_a_token_that_says_anything_else_proves_nothing(changed: dict[str, Any], reason: str) -> None:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    text = ".".join((text_of({"alg": "ES256", "kid": "p256"}), text_of(claims)))
    signature = private_signature(text)
    with pytest.raises(BadToken, match=reason):
        check(f"{text}.{signature}")


def private_signature(text: str) -> str:
    """Over exactly this text: jwt.encode would look at the claims."""
    return text_of(jwt.get_algorithm_by_name("ES256").sign(text.encode(), private("p256")))


def test_several_audiences_are_good_if_it_was_issued_to_us() -> None:
    assert check(token({**CLAIMS, "aud": ["another", CLIENT], "azp": CLIENT})).subject == "248289761001"


def test_clocks_may_differ_by_a_minute() -> None:
    assert check(token({**CLAIMS, "exp": NOW_S - 59, "iat": NOW_S + 60})).subject


def test_a_token_without_a_signature_is_none() -> None:
    for algorithm in ("none", "None", ""):
        with pytest.raises(BadToken, match="algorithm"):
            check(f"{text_of({'alg': algorithm, 'kid': 'p256'})}.{text_of(CLAIMS)}.")


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    head = f"{text_of({'alg': 'HS256', 'kid': 'rsa'})}.{text_of(CLAIMS)}"
    for shape in (json.dumps(public("rsa")).encode(), pem(private("rsa").public_key())):
        with pytest.raises(BadToken, match="algorithm"):
            check(f"{head}.{text_of(hmac.digest(shape, head.encode(), 'sha256'))}")


def test_an_algorithm_that_the_provider_does_not_announce_is_refused() -> None:
    with pytest.raises(BadToken, match="algorithm"):
        check(token(algorithm="PS256"), algorithms=frozenset({"RS256"}))


def test_an_algorithm_that_only_the_provider_takes_is_refused() -> None:
    text = jwt.encode(CLAIMS, private("rsa"), "RS512", headers={"kid": "rsa"})
    with pytest.raises(BadToken, match="algorithm"):
        check(text, algorithms=frozenset({"RS512", "ES256"}))


def test_a_changed_token_is_refused() -> None:
    head, _, signature = token().split(".")
    with pytest.raises(BadToken, match="signature"):
        check(f"{head}.{text_of({**CLAIMS, 'sub': 'another'})}.{signature}")


def test_another_key_of_the_same_name_does_not_fit() -> None:
    with pytest.raises(BadToken, match="signature"):
        check(token(), public("p256 of another", kid="p256"))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"kid": "another"}, "no other name will do"),
        ({"use": "enc"}, "it is for encryption"),
        ({"alg": "ES384"}, "it is for another algorithm"),
        ({"crv": "P-384"}, "it is on another curve"),
        ({"kty": "oct"}, "it is a secret"),
    ],
)
def test_a_key_that_is_for_something_else_is_not_used(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnknownKey):
        check(token(), public("p256", **row))


def test_a_token_that_names_no_key_is_of_the_only_one_that_fits() -> None:
    text = jwt.encode(CLAIMS, private("p256"), "ES256")
    assert check(text).subject
    with pytest.raises(UnknownKey):
        check(text, public("p256"), public("p256 of another"))


def test_a_key_that_comes_with_the_token_is_not_looked_at() -> None:
    thief = jwt.encode(
        CLAIMS, private("p256 of another"), "ES256", headers={"jwk": public("p256 of another")}
    )
    with pytest.raises(BadToken, match="signature"):
        check(thief)


def test_a_short_key_is_refused() -> None:
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        text = jwt.encode(CLAIMS, private("rsa short"), "RS256", headers={"kid": "rsa short"})
    with pytest.raises(BadToken, match="too short"):
        check(text, public("rsa short"))


def test_critical_extensions_are_refused() -> None:
    with pytest.raises(BadToken):
        check(token(crit=["exp"], exp=1))


@pytest.mark.parametrize("text", ["", "a.b.c", "..", "x" * 20_000, "ä.b.c", "e30.e30.e30"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        check(text)


@pytest.mark.parametrize(
    "keys", [{}, {"keys": None}, {"keys": [7, "x", {}]}, {"keys": [{"kty": "EC", "kid": "p256"}]}]
)
def test_a_key_set_that_is_none_has_no_key(keys: dict[str, Any]) -> None:
    with pytest.raises(UnknownKey):
        verified(token(), keys, EXPECTED, NOW_S)


def test_a_key_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadToken, match="cannot be read"):
        check(token(), public("p256", x="AA", y="AA"))


@pytest.mark.parametrize(("algorithm", "hashed"), [("ES256", sha256), ("EdDSA", sha512)])
def test_the_access_token_beside_it_is_bound_to_it(algorithm: str, hashed: Any) -> None:
    digest = hashed(b"access").digest()
    text = token({**CLAIMS, "at_hash": text_of(digest[: len(digest) // 2])}, algorithm)
    assert check(text, access_token="access").subject
    for other in ("another", None):
        with pytest.raises(BadToken, match="at_hash"):
            check(text, access_token=other)


@pytest.mark.parametrize(
    ("said", "is_verified"),
    [(True, True), ("true", True), (False, False), ("false", False), (1, False), (None, False)],
)
def test_an_address_counts_as_verified_if_the_provider_says_so(said: Any, is_verified: bool) -> None:
    assert person_of({**CLAIMS, "email_verified": said}).verified is is_verified


@pytest.mark.parametrize("name", [7, "", "  ", "\ud800", "a\nb"])
def test_a_name_that_cannot_be_shown_is_none(name: Any) -> None:
    assert person_of({**CLAIMS, "name": name}).name is None
