"""OpenID Connect: what a provider says of itself (Discovery 1.0), and what a sign-in sends there. Pure."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit, urlunsplit

ALGORITHMS = frozenset({"RS256", "ES256", "PS256", "EdDSA"})
"""How ID tokens may be signed: never by a secret that we have too, and never not at all."""
SCOPES = "openid email profile"
SECRET_BYTES = 32
"""Of a state, and of what binds it to a browser."""
_MAX_URL = 2048
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Unusable(Exception):
    """The provider says something that no sign-in can rely on. The message is fit for a tenant."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What we use of a discovery document. `names_itself`: its answers carry `iss` (RFC 9207)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    algorithms: frozenset[str]
    secret_in_header: bool
    names_itself: bool


@dataclass(frozen=True, slots=True)
class Proofs:
    """What a sign-in shows the provider, at its beginning (`nonce`) and at its end (`verifier`)."""

    nonce: str
    verifier: str


def checked_issuer(issuer: str) -> str:
    """The issuer itself. ValueError unless it is a URL by https, or by http on this very machine."""
    parts = _checked_url(issuer)
    if parts.query or "?" in issuer:
        raise ValueError("must not have a query")
    return issuer


def discovery_url(issuer: str) -> str:
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def provider_of(issuer: str, document: Mapping[str, Any]) -> Provider:
    """What the discovery document says. Unusable if it speaks for another issuer, or lacks what a sign-in needs."""
    if document.get("issuer") != issuer:
        raise Unusable("Its discovery document names another issuer.")
    announced = _texts(document.get("id_token_signing_alg_values_supported", ["RS256"]))
    if not announced & ALGORITHMS:
        raise Unusable(f"It signs ID tokens by none of {', '.join(sorted(ALGORITHMS))}.")
    methods = _texts(document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]))
    userinfo = document.get("userinfo_endpoint")
    return Provider(
        issuer=issuer,
        authorization_endpoint=_endpoint(document, "authorization_endpoint"),
        token_endpoint=_endpoint(document, "token_endpoint"),
        jwks_uri=_endpoint(document, "jwks_uri"),
        userinfo_endpoint=_endpoint(document, "userinfo_endpoint") if userinfo else None,
        algorithms=announced & ALGORITHMS,
        secret_in_header="client_secret_basic" in methods or "client_secret_post" not in methods,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def proofs(browser: bytes, state: str) -> Proofs:
    """Derived from the secret that only the browser keeps: nothing that is stored here leads to them."""
    return Proofs(_derived(browser, "nonce", state), _derived(browser, "verifier", state))


def challenge(verifier: str) -> str:
    """PKCE's S256 (RFC 7636)."""
    return text_of(hashlib.sha256(verifier.encode()).digest())


def authorization_url(
    provider: Provider, client_id: str, redirect_uri: str, state: str, shown: Proofs
) -> str:
    """Where the browser goes to sign in."""
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": state,
        "nonce": shown.nonce,
        "code_challenge": challenge(shown.verifier),
        "code_challenge_method": "S256",
    }
    return with_query(provider.authorization_endpoint, asked)


def with_query(url: str, more: Mapping[str, str]) -> str:
    """The URL with these behind its own query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(more))))))


def basic(client_id: str, secret: str) -> str:
    """The client's credentials as a header (RFC 6749, section 2.3.1)."""
    from base64 import b64encode

    both = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {b64encode(both.encode()).decode()}"


def text_of(content: bytes) -> str:
    """In the letters that URLs take."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _derived(browser: bytes, purpose: str, state: str) -> str:
    return text_of(hmac.digest(browser, f"chronos sso {purpose}:{state}".encode(), "sha256"))


def _endpoint(document: Mapping[str, Any], name: str) -> str:
    found = document.get(name)
    try:
        _checked_url(found if isinstance(found, str) else "")
    except ValueError as error:
        raise Unusable(f"Its {name} {error}.") from None
    return str(found)


def _checked_url(url: str) -> Any:
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or set(url) & set(' <>"\\'):
        raise ValueError("must be a URL of at most 2048 printable ASCII characters")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("must begin with https:// (http:// goes only on this machine)")
    if not parts.hostname or "@" in parts.netloc or parts.port == 0:
        raise ValueError("must name a host, and no user")
    if parts.fragment or "#" in url:
        raise ValueError("must not have a fragment")
    return parts


def _texts(values: Any) -> frozenset[str]:
    return (
        frozenset(each for each in values if isinstance(each, str))
        if isinstance(values, list)
        else frozenset()
    )
