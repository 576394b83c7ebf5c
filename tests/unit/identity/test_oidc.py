"""What a provider says of itself is looked at before anything goes there."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.identity.oidc import (
    Unusable,
    authorization_url,
    basic,
    challenge,
    checked_issuer,
    proofs,
    provider_of,
)

ISSUER = "https://id.example.com/realms/one"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://id.example.com/authorize?flow=a",
    "token_endpoint": "https://id.example.com/token",
    "jwks_uri": "https://id.example.com/keys",
    "id_token_signing_alg_values_supported": ["none", "HS256", "RS256", "ES384"],
    "token_endpoint_auth_methods_supported": ["client_secret_post"],
}


def test_only_what_we_take_of_the_announced_algorithms_is_left() -> None:
    found = provider_of(ISSUER, DOCUMENT)
    assert (found.algorithms, found.secret_in_header) == ({"RS256"}, False)
    assert provider_of(ISSUER, {**DOCUMENT, "token_endpoint_auth_methods_supported": None}).secret_in_header


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"issuer": ISSUER + "/"}, "another issuer"),
        ({"issuer": None}, "another issuer"),
        ({"id_token_signing_alg_values_supported": ["none", "HS256"]}, "none of"),
        ({"id_token_signing_alg_values_supported": "RS256"}, "none of"),
        ({"token_endpoint": None}, "token_endpoint"),
        ({"token_endpoint": "http://id.example.com/token"}, "token_endpoint must begin with https"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
        ({"authorization_endpoint": "https://user@id.example.com/"}, "no user"),
        ({"authorization_endpoint": "https://id.example.com/\r\nSet-Cookie: a=b"}, "authorization_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"userinfo_endpoint": "http://id.example.com/"}, "userinfo_endpoint"),
    ],
)
def test_a_provider_that_cannot_be_relied_on_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        provider_of(ISSUER, {**DOCUMENT, **changed})


@pytest.mark.parametrize(
    "issuer",
    [
        "http://id.example.com",
        "https://",
        "https://id.example.com?x=1",
        "https://id.example.com#x",
        "https://a:b@id.example.com",
        "https://id.example.com/ä",
        "https://id.example.com:0",
        "https://id.example.com:x",
        "https://id.example.com/" + "x" * 2048,
        "https://[::1",
        "ftp://127.0.0.1",
        "id.example.com",
    ],
)
def test_what_can_be_no_issuer_is_refused(issuer: str) -> None:
    with pytest.raises(ValueError):
        checked_issuer(issuer)


@pytest.mark.parametrize("issuer", [ISSUER, "http://127.0.0.1:5000", "http://localhost"])
def test_an_issuer_is_asked_by_tls_but_on_this_machine(issuer: str) -> None:
    assert checked_issuer(issuer) == issuer


def test_the_browser_is_sent_with_a_challenge_and_the_proof_stays_here() -> None:
    shown = proofs(bytes(32), "state")
    url = authorization_url(provider_of(ISSUER, DOCUMENT), "chronos", "https://us/callback", "state", shown)
    asked = {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
    assert asked["flow"] == "a", "the endpoint's own query stays"
    assert (asked["state"], asked["nonce"], asked["redirect_uri"]) == (
        "state",
        shown.nonce,
        "https://us/callback",
    )
    assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge(shown.verifier), "S256")
    assert shown.verifier not in url


def test_proofs_are_of_one_browser_and_one_sign_in() -> None:
    made = [proofs(browser, state) for browser in (bytes(32), bytes([1] * 32)) for state in ("one", "two")]
    assert len({proof for each in made for proof in (each.nonce, each.verifier)}) == 8
    assert proofs(bytes(32), "one") == made[0]


def test_pkce_is_as_its_specification_has_it() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_credentials_are_encoded_before_they_are_joined() -> None:
    assert basic("a:b", "c d") == "Basic YSUzQWI6Yytk"
