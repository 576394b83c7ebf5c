"""An identity provider in memory, behind the port Web: it lets in whom a test says, and says what a test wants."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.identity.oidc import challenge
from chalicelib.ports.clock import Clock
from chalicelib.ports.web import NoAnswer, Reply

ISSUER = "https://id.example.com"


@cache
def private_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The same key for the same name, in this process."""
    return ec.generate_private_key(ec.SECP256R1())


def public_key(name: str) -> dict[str, Any]:
    published = jwt.algorithms.ECAlgorithm.to_jwk(private_key(name).public_key())
    return {**json.loads(published), "kid": name, "use": "sig"}


class ProviderTwin:
    """`person` signs in at the next redirect; `claims` go into the token beside or instead of what is right.

    `down`: why it cannot be asked. `asked` lists addresses, forms and headers, the newest last, without documents.
    Clients' secrets are not looked at.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.person: dict[str, Any] = {
            "sub": "7",
            "email": "ada@corp.example",
            "email_verified": True,
            "name": "Ada",
        }
        self.claims: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.key = "one"
        self.published = ["one"]
        self.seen_keys: list[str] | None = None
        self.down: NoAnswer | None = None
        self.asked: list[tuple[str, Mapping[str, str], Mapping[str, str]]] = []
        self._codes: dict[str, dict[str, str]] = {}

    def redirect(self, location: str) -> dict[str, str]:
        """What the browser brings back from where it was sent: the query of the callback."""
        sent = {name: value for name, [value] in parse_qs(urlsplit(location).query).items()}
        assert (sent["response_type"], sent["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self._codes)}"
        self._codes[code] = sent
        return {"code": code, "state": sent["state"], "iss": ISSUER}

    def document(self, url: str, *, fresh: bool = False) -> Mapping[str, Any]:
        """Its keys are known for a while, as by a process that asked before."""
        self._check_up()
        if url.endswith("/keys"):
            stale = self.seen_keys if self.seen_keys is not None and not fresh else self.published
            return {"keys": [public_key(name) for name in stale]}
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "userinfo_endpoint": f"{ISSUER}/userinfo",
            "jwks_uri": f"{ISSUER}/keys",
            "id_token_signing_alg_values_supported": ["ES256"],
            "authorization_response_iss_parameter_supported": True,
            **self.discovery,
        }

    def ask(
        self, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        self._check_up()
        self.asked.append((url, form or {}, headers or {}))
        if url.endswith("/userinfo"):
            return Reply(200, self.userinfo)
        sent = self._codes.pop((form or {}).get("code", ""), None)
        verifier = (form or {}).get("code_verifier", "")
        if sent is None or challenge(verifier) != sent["code_challenge"]:
            return Reply(400, {"error": "invalid_grant"})
        return Reply(200, {"id_token": self._token(sent), "access_token": "access", "token_type": "Bearer"})

    def _token(self, sent: Mapping[str, str]) -> str:
        now_s = self._clock.now_ms() // 1000
        right = {
            "iss": ISSUER,
            "aud": sent["client_id"],
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": sent["nonce"],
        }
        claims = {**right, **self.person, **self.claims}
        return jwt.encode(claims, private_key(self.key), "ES256", headers={"kid": self.key})

    def _check_up(self) -> None:
        if self.down:
            raise self.down
