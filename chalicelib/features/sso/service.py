"""A sign-in by the tenant's provider: sent there with proofs of its own, taken up again when the browser comes back."""

import re
from dataclasses import dataclass, field

from chalicelib.domain.errors import (
    FeatureNotInPlan,
    Invalid,
    NotFound,
    ProviderFault,
    SignInOver,
    SignInRefused,
    Unavailable,
)
from chalicelib.engine.core import Engine
from chalicelib.features.quotas import require_feature
from chalicelib.features.sso import attempts, tickets
from chalicelib.features.sso.attempts import LIFE_SECONDS, Attempt, Begun
from chalicelib.features.sso.people import admitted
from chalicelib.features.sso.settings import SsoSettings, fingerprint, found, read, secret_of
from chalicelib.features.sso.tickets import Ticket
from chalicelib.identity.oidc import Provider, authorization_url
from chalicelib.identity.oidc_exchange import Client, discovered, person_behind
from chalicelib.identity.sessions import PROVIDER, SignedIn, Visit, begin
from chalicelib.identity.users import User, read_user

_PAGE = re.compile(r"(https?://[a-z0-9.:-]+)(?:[/?][\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7e]*)?")
"""Plain ASCII of a URL, without a fragment; browsers read a backslash as a slash."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A page that wants to know how a sign-in ended: where it is, and the challenge that it will meet."""

    return_to: str
    challenge: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What the provider's redirect says. `cookies` is the browser's header."""

    state: str
    code: str | None = field(default=None, repr=False)
    error: str | None = None
    issuer: str | None = None
    cookies: str = field(default="", repr=False)


def addresses(engine: Engine, tenant: str) -> tuple[str, str]:
    """Where the tenant's people begin, and where the provider sends them back to."""
    base = engine.secrets.read("public-url")
    if not base:
        raise Unavailable("This deployment has no public address: see `make callbacks`.")
    start = f"{base.rstrip('/')}/auth/sso/{tenant}"
    return start, f"{start}/callback"


def start(engine: Engine, tenant: str, waiting: Waiting | None) -> tuple[Begun, str]:
    """What the browser is to keep, and where it is to go. NotFound without single sign-on; ProviderFault."""
    if waiting is not None:
        check_return(engine.settings.origins, waiting.return_to)
    settings = _settings(engine, tenant)
    provider = discovered(engine.web, settings.issuer)
    attempt = Attempt(
        tenant=tenant,
        provider=fingerprint(settings),
        until_ms=engine.clock.now_ms() + LIFE_SECONDS * 1000,
        return_to=waiting.return_to if waiting else None,
        challenge=waiting.challenge if waiting else None,
    )
    begun = attempts.begin(engine, attempt)
    _, redirect_uri = addresses(engine, tenant)
    return begun, authorization_url(provider, settings.client_id, redirect_uri, begun.state, begun.proofs)


def signed_in(engine: Engine, attempt: Attempt, begun: Begun, returned: Returned) -> User:
    """Who it is, as the provider says, and a member of the tenant. SignInRefused; ProviderFault; Unavailable."""
    settings = _settings(engine, attempt.tenant)
    if fingerprint(settings) != attempt.provider:
        raise SignInOver("The tenant has another identity provider by now: begin again.")
    provider = discovered(engine.web, settings.issuer)
    code = _code(provider, returned)
    client = Client(
        settings.client_id, addresses(engine, attempt.tenant)[1], _secret(engine, attempt.tenant, settings)
    )
    now_s = engine.clock.now_ms() // 1000
    person = person_behind(engine.web, provider, client, code, begun.proofs, now_s=now_s)
    return admitted(engine, attempt.tenant, settings, person)


def session(engine: Engine, user: User, tenant: str, visit: Visit) -> SignedIn:
    """A new session, of this tenant alone."""
    return begin(engine, user, tenant, visit, by=PROVIDER)


def exchanged(engine: Engine, code: str, verifier: str, visit: Visit) -> SignedIn:
    """What a page's ticket stands for. SignInOver."""
    ticket: Ticket = tickets.take(engine, code, verifier)
    user = read_user(engine, ticket.user)
    if user is None:
        raise SignInOver("The user is gone.")
    return session(engine, user, ticket.tenant, visit)


def check_return(origins: tuple[str, ...], return_to: str) -> None:
    """Invalid unless it is a page of one of the origins."""
    found = _PAGE.fullmatch(return_to)
    if found is None or found[1] not in origins:
        raise Invalid.field(
            "/query/return_to",
            "This must be a page of an origin that the deployment names.",
            "unknown_origin",
        )


def _settings(engine: Engine, tenant: str) -> SsoSettings:
    """NotFound also if the plan has none any more: who is outside need not know."""
    settings = found(read(engine, tenant))
    try:
        require_feature(engine, tenant, "sso")
    except FeatureNotInPlan:
        raise NotFound("This tenant has no single sign-on.") from None
    return settings


def _code(provider: Provider, returned: Returned) -> str:
    if returned.issuer != provider.issuer and (returned.issuer is not None or provider.names_itself):
        raise ProviderFault("The answer is not of the tenant's identity provider (iss).")
    if returned.error is not None:
        raise SignInRefused(
            "The identity provider did not let you in, or you did not want to.", "provider_refused"
        )
    if not returned.code:
        raise ProviderFault("The identity provider sent no code.")
    return returned.code


def _secret(engine: Engine, tenant: str, settings: SsoSettings) -> str | None:
    if settings.client_secret is None:
        return None
    ref = secret_of(settings.client_secret)
    text = engine.tenant_secrets.read(tenant, ref)
    if text is None:
        raise ProviderFault(f"There is no secret {ref}, which the tenant's settings name.")
    return text
