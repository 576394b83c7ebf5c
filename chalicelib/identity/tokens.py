"""Access tokens: JWTs (RFC 9068) of ten minutes, signed with ES256 by the key that their `kid` names.

A token names a user, a session and a tenant, and says nothing of what they may do: that is read on each request.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from chalicelib.domain.callback_token import SigningKey
from chalicelib.domain.errors import Unauthorized, Unavailable
from chalicelib.engine.core import Engine
from chalicelib.engine.running.signing import keys_of
from chalicelib.ports.secrets import Secrets

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ALGORITHM, TYPE, AUDIENCE = "ES256", "at+jwt", "chronos-api"
LIFE_SECONDS, LEEWAY_SECONDS = 600, 30
MAX_LENGTH = 4096
_REQUIRED = ["iss", "aud", "sub", "tenant", "sid", "iat", "exp", "jti"]
_NOT_OURS = "The access token is not known, or its time is over: refresh it."


@dataclass(frozen=True, slots=True)
class Claims:
    """Who asks, signed in by which session, for which tenant."""

    user: str
    session: str
    tenant: str


def issued(engine: Engine, claims: Claims) -> str:
    """A new token. Unavailable if the deployment has no key or address."""
    import jwt

    keys, now_s = token_keys(engine.secrets), engine.clock.now_ms() // 1000
    if not keys:
        raise Unavailable("This deployment has no keys for access tokens: see `make keys`.")
    payload = {
        "iss": _issuer(engine.secrets),
        "aud": AUDIENCE,
        "sub": claims.user,
        "tenant": claims.tenant,
        "sid": claims.session,
        "iat": now_s,
        "exp": now_s + LIFE_SECONDS,
        "jti": engine.ids.random_bytes(16).hex(),
    }
    headers = {"kid": keys[0].id, "typ": TYPE}
    return jwt.encode(payload, private_key(keys[0].secret), algorithm=ALGORITHM, headers=headers)


def claims_of(engine: Engine, token: str) -> Claims:
    """What the token says. Unauthorized unless it is one of ours, and its time is not over."""
    import jwt

    if len(token) > MAX_LENGTH:
        raise Unauthorized(_NOT_OURS)
    try:
        header = jwt.get_unverified_header(token)
        key = _key_named(engine.secrets, header.get("kid"))
        if key is None or header.get("alg") != ALGORITHM or header.get("typ") != TYPE:
            raise Unauthorized(_NOT_OURS)
        payload = jwt.decode(
            token,
            private_key(key.secret).public_key(),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=_issuer(engine.secrets),
            options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except (jwt.InvalidTokenError, ValueError):
        raise Unauthorized(_NOT_OURS) from None
    if not _is_timely(payload, engine.clock.now_ms() // 1000):
        raise Unauthorized(_NOT_OURS)
    return Claims(str(payload["sub"]), str(payload["sid"]), str(payload["tenant"]))


def _is_timely(payload: dict[str, Any], now_s: int) -> bool:
    """By our clock, not by the library's."""
    made, ends = payload["iat"], payload["exp"]
    if type(made) is not int or type(ends) is not int:
        return False
    return made <= now_s + LEEWAY_SECONDS and now_s < ends + LEEWAY_SECONDS


def key_set(secrets: Secrets) -> list[dict[str, str]]:
    """The public halves of the keys, as a JWK Set (RFC 7517) has them."""
    return [_public(key) for key in token_keys(secrets)]


def token_keys(secrets: Secrets, *, fresh: bool = False) -> list[SigningKey]:
    """The newest first. Unavailable if they cannot be read."""
    return keys_of(secrets.read("token-keys", fresh=fresh))


@lru_cache(maxsize=8)
def private_key(secret: bytes) -> "EllipticCurvePrivateKey":
    """The key on P-256 that these 32 bytes are. ValueError if they are none."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())


def _key_named(secrets: Secrets, kid: Any) -> SigningKey | None:
    """A key that is not known yet may have been made since the keys were read."""
    known = _among(token_keys(secrets), kid)
    return known or _among(token_keys(secrets, fresh=True), kid)


def _among(keys: Sequence[SigningKey], kid: Any) -> SigningKey | None:
    return next((key for key in keys if key.id == kid), None)


def _issuer(secrets: Secrets) -> str:
    issuer = secrets.read("public-url")
    if not issuer:
        raise Unavailable("This deployment has no public address: see `make callbacks`.")
    return issuer


def _public(key: SigningKey) -> dict[str, str]:
    numbers = private_key(key.secret).public_key().public_numbers()
    x, y = (
        urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")
        for number in (numbers.x, numbers.y)
    )
    return {"kty": "EC", "crv": "P-256", "alg": ALGORITHM, "use": "sig", "kid": key.id, "x": x, "y": y}
