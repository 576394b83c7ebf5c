"""ID tokens (OpenID Connect Core 1.0, section 3.1.3.7): whether one is the provider's word about this sign-in. Pure."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from chalicelib.identity.oidc import ALGORITHMS

MAX_LENGTH = 16_384
LEEWAY_S = 60
MAX_AGE_S = 900
"""A token is issued while its sign-in lasts."""
_KINDS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_CURVES = {"ES256": ("P-256",), "EdDSA": ("Ed25519",)}
_HASHES = {"RS256": "sha256", "PS256": "sha256", "ES256": "sha256", "EdDSA": "sha512"}
_MIN_RSA_BITS = 2048
_MAX_NAME = 200


class BadToken(Exception):
    """It proves nothing. The message says which rule it breaks, and nothing of what it holds."""


class UnknownKey(BadToken):
    """None of the keys is the one that it names: the provider may have a new one."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must say, and by what it may be signed."""

    issuer: str
    client_id: str
    nonce: str
    algorithms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider has let in. `verified`: it says that the address is theirs."""

    subject: str
    email: str | None
    verified: bool
    name: str | None


def verified(
    token: str, keys: Mapping[str, Any], expected: Expected, now_s: int, access_token: str | None = None
) -> Person:
    """Who signed in. `keys` is the provider's key set. BadToken; UnknownKey."""
    header = _header(token, expected)
    claims = _signed_claims(token, _key(header, keys), str(header["alg"]))
    _check_parties(claims, expected)
    _check_times(claims, now_s)
    if not hmac.compare_digest(_bytes(claims.get("nonce")), expected.nonce.encode()):
        raise BadToken("it is not of this sign-in (nonce)")
    _check_access_token(claims, str(header["alg"]), access_token)
    return person_of(claims)


def person_of(claims: Mapping[str, Any]) -> Person:
    """As claims have it, of a token or of the provider's userinfo endpoint."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise BadToken("it names no subject")
    email, name = claims.get("email"), claims.get("name")
    is_verified = claims.get("email_verified")
    return Person(
        subject,
        email if isinstance(email, str) else None,
        is_verified is True or is_verified == "true",
        name[:_MAX_NAME] if isinstance(name, str) and name.isprintable() and name.strip() else None,
    )


def _header(token: str, expected: Expected) -> Mapping[str, Any]:
    if len(token) > MAX_LENGTH or not token.isascii():
        raise BadToken("it is no token")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise BadToken("it is no token") from None
    if header.get("alg") not in expected.algorithms & ALGORITHMS:
        raise BadToken("it is not signed by an algorithm that the provider announces and we take")
    if "crit" in header:
        raise BadToken("it has critical extensions")
    return header


def _key(header: Mapping[str, Any], keys: Mapping[str, Any]) -> Any:
    """The one key that the header names; without a name, the only one that fits."""
    rows = keys.get("keys")
    named, algorithm = header.get("kid"), str(header["alg"])
    fitting = [
        row
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and _fits(row, algorithm) and named in (None, row.get("kid"))
    ]
    if len(fitting) != 1:
        raise UnknownKey("it is signed by no key that the provider publishes")
    return _loaded(fitting[0], algorithm)


def _fits(row: Mapping[str, Any], algorithm: str) -> bool:
    return (
        row.get("kty") == _KINDS[algorithm]
        and row.get("use", "sig") == "sig"
        and row.get("alg", algorithm) == algorithm
        and (algorithm not in _CURVES or row.get("crv") in _CURVES[algorithm])
    )


def _loaded(row: Mapping[str, Any], algorithm: str) -> Any:
    public = {
        name: value for name, value in row.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")
    }
    try:
        key = jwt.PyJWK(public, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        raise BadToken("the provider's key cannot be read") from None
    if _KINDS[algorithm] == "RSA" and key.key_size < _MIN_RSA_BITS:
        raise BadToken("the provider's key is too short")
    return key


def _signed_claims(token: str, key: Any, algorithm: str) -> Mapping[str, Any]:
    """The claims, once the signature is good. What they say is judged by us: time is passed in."""
    try:
        claims = json.loads(jwt.PyJWS(algorithms=[algorithm]).decode(token, key, algorithms=[algorithm]))
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise BadToken("its signature is wrong") from None
    if not isinstance(claims, dict):
        raise BadToken("it holds no claims")
    return claims


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise BadToken("it is of another issuer")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in named:
        raise BadToken("it is for another client")
    party = claims.get("azp")
    if (party is not None or len(named) > 1) and party != expected.client_id:
        raise BadToken("it was issued to another client")


def _check_times(claims: Mapping[str, Any], now_s: int) -> None:
    expires, issued = _moment(claims, "exp"), _moment(claims, "iat")
    if not expires > now_s - LEEWAY_S:
        raise BadToken("it is over")
    if not now_s - MAX_AGE_S <= issued <= now_s + LEEWAY_S:
        raise BadToken("it was not issued just now")
    if "nbf" in claims and _moment(claims, "nbf") > now_s + LEEWAY_S:
        raise BadToken("it does not hold yet")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise BadToken(f"it lacks {name}")
    return found


def _bytes(claim: Any) -> bytes:
    return str(claim).encode("utf-8", "replace")


def _check_access_token(claims: Mapping[str, Any], algorithm: str, access_token: str | None) -> None:
    """An `at_hash` binds the access token that came along."""
    if "at_hash" not in claims:
        return
    digest = hashlib.new(_HASHES[algorithm], (access_token or "").encode()).digest()
    wanted = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not hmac.compare_digest(_bytes(claims["at_hash"]), wanted):
        raise BadToken("the access token beside it is another's (at_hash)")
