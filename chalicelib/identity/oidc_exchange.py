"""Asking a provider: its discovery document, its keys, and who it is that a code stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from chalicelib.domain.errors import ProviderFault, Unavailable
from chalicelib.identity.oidc import Proofs, Provider, Unusable, basic, discovery_url, provider_of
from chalicelib.identity.oidc_token import BadToken, Expected, Person, UnknownKey, person_of, verified
from chalicelib.ports.web import NoAnswer, Reply, Web


@dataclass(frozen=True, slots=True)
class Client:
    """Chronos, as the provider knows it. Without a secret it is a public client, which PKCE alone protects."""

    id: str
    redirect_uri: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a code was exchanged for."""

    id_token: str = field(repr=False)
    access_token: str | None = field(repr=False)


def discovered(web: Web, issuer: str) -> Provider:
    """The provider. ProviderFault; Unavailable."""
    try:
        return provider_of(issuer, _document(web, discovery_url(issuer)))
    except Unusable as error:
        raise ProviderFault(f"The identity provider cannot be used. {error}") from None


def person_behind(
    web: Web, provider: Provider, client: Client, code: str, proofs: Proofs, *, now_s: int
) -> Person:
    """Who signed in with this code. ProviderFault; Unavailable."""
    tokens = _exchanged(web, provider, client, code, proofs.verifier)
    expected = Expected(provider.issuer, client.id, proofs.nonce, provider.algorithms)
    try:
        person = _verified(web, provider, tokens, expected, now_s)
    except BadToken as error:
        raise ProviderFault(f"The identity provider's token proves nothing: {error}.") from None
    return person if person.email else _completed(web, provider, tokens, person)


def _document(web: Web, url: str, *, fresh: bool = False) -> Mapping[str, Any]:
    try:
        return web.document(url, fresh=fresh)
    except NoAnswer as error:
        raise _failed(error) from None


def _asked(
    web: Web, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    try:
        return web.ask(url, form=form, headers=headers)
    except NoAnswer as error:
        raise _failed(error) from None


def _failed(error: NoAnswer) -> Unavailable | ProviderFault:
    told = f"The identity provider cannot be asked. {error.message}"
    return Unavailable(told) if error.passing else ProviderFault(told)


def _exchanged(web: Web, provider: Provider, client: Client, code: str, verifier: str) -> Tokens:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": verifier,
    }
    headers: dict[str, str] = {}
    if client.secret is not None and provider.secret_in_header:
        headers["Authorization"] = basic(client.id, client.secret)
    else:
        form["client_id"] = client.id
        if client.secret is not None:
            form["client_secret"] = client.secret
    reply = _asked(web, provider.token_endpoint, form=form, headers=headers)
    id_token, access_token = reply.json.get("id_token"), reply.json.get("access_token")
    if reply.status != HTTPStatus.OK or not isinstance(id_token, str):
        raise ProviderFault(f"The identity provider did not take the code: it answered {reply.status}.")
    return Tokens(id_token, access_token if isinstance(access_token, str) else None)


def _verified(web: Web, provider: Provider, tokens: Tokens, expected: Expected, now_s: int) -> Person:
    """By the keys as they are known here, and by those of now if none of them fits: providers change theirs."""
    keys = _document(web, provider.jwks_uri)
    try:
        return verified(tokens.id_token, keys, expected, now_s, tokens.access_token)
    except UnknownKey:
        keys = _document(web, provider.jwks_uri, fresh=True)
        return verified(tokens.id_token, keys, expected, now_s, tokens.access_token)


def _completed(web: Web, provider: Provider, tokens: Tokens, person: Person) -> Person:
    """With the address that only the userinfo endpoint tells, if it speaks of the same person."""
    if provider.userinfo_endpoint is None or tokens.access_token is None:
        return person
    bearer = {"Authorization": f"Bearer {tokens.access_token}"}
    reply = _asked(web, provider.userinfo_endpoint, headers=bearer)
    try:
        told = person_of(reply.json)
    except BadToken:
        return person
    if told.subject != person.subject:
        return person
    return replace(person, email=told.email, verified=told.verified, name=person.name or told.name)
