"""The routes of single sign-on: its settings, and what a browser and a page go through to sign in."""

from urllib.parse import urlsplit

from chalicelib.domain.errors import (
    ChronosError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Unavailable,
)
from chalicelib.engine.core import Engine
from chalicelib.features.auth.views import SignedInView, signed_in_view
from chalicelib.features.base import Answer, Body, Request, Response, Route
from chalicelib.features.conditional import etag
from chalicelib.features.quotas import require_feature
from chalicelib.features.sso import attempts, service, settings, tickets
from chalicelib.features.sso.attempts import Attempt, Begun
from chalicelib.features.sso.service import Returned, Waiting
from chalicelib.features.sso.settings import SsoSettings, Stored
from chalicelib.features.sso.tickets import Ticket
from chalicelib.features.sso.views import BeginQuery, ExchangeBody, ReturnQuery, SsoView, sso_view
from chalicelib.identity.oidc import with_query
from chalicelib.identity.sessions import Visit


def get_sso(engine: Engine, request: Request) -> Response:
    return _shown(engine, request, settings.read(engine, request.tenant))


def put_sso(engine: Engine, request: Request) -> Response:
    require_feature(engine, request.tenant, "sso")
    stored = settings.put(engine, request.tenant, request.body, request.if_match)
    return _shown(engine, request, stored)


def delete_sso(engine: Engine, request: Request) -> Response:
    settings.take_away(engine, request.tenant, request.if_match)
    return Response(status=204)


def begin_sso(engine: Engine, request: Request) -> Response:
    tenant = request.path["tenant"]
    begun, location = service.start(engine, tenant, _waiting(request.query))
    return Response(status=302, headers={"Location": location, "Set-Cookie": _cookie(engine, tenant, begun)})


def finish_sso(engine: Engine, request: Request) -> Response:
    query, tenant = request.query, request.path["tenant"]
    attempt, begun = attempts.take(engine, tenant, query.state, request.cookie)
    returned = Returned(query.state, query.code, query.error, query.iss)
    gone = {"Set-Cookie": _cookie(engine, tenant, begun, over=True)}
    if attempt.return_to is not None:
        return Response(status=302, headers={"Location": _way_back(engine, attempt, begun, returned), **gone})
    user = service.signed_in(engine, attempt, begun, returned)
    return Response(signed_in_view(service.session(engine, user, tenant, _visit(request))), headers=gone)


def exchange_sso(engine: Engine, request: Request) -> Response:
    body: ExchangeBody = request.body
    found = service.exchanged(engine, body.code, body.code_verifier, _visit(request))
    return Response(signed_in_view(found))


def _shown(engine: Engine, request: Request, stored: Stored) -> Response:
    view = sso_view(settings.found(stored), service.addresses(engine, request.tenant))
    return Response(view, headers={"ETag": etag(stored.revision)})


def _visit(request: Request) -> Visit:
    return Visit(request.origin.address, request.origin.agent)


def _waiting(query: BeginQuery) -> Waiting | None:
    if query.return_to is None and query.code_challenge is None:
        return None
    if query.return_to is None or query.code_challenge is None:
        missing = "return_to" if query.return_to is None else "code_challenge"
        raise Invalid.field(f"/query/{missing}", "These two go together.", "required")
    return Waiting(query.return_to, query.code_challenge)


def _way_back(engine: Engine, attempt: Attempt, begun: Begun, returned: Returned) -> str:
    """The waiting page's address, with a ticket or with the code of what went wrong; never with tokens."""
    page = str(attempt.return_to)
    try:
        user = service.signed_in(engine, attempt, begun, returned)
    except ChronosError as error:
        return with_query(page, {"sso_error": error.code})
    ticket = Ticket(user.id, attempt.tenant, str(attempt.challenge))
    return with_query(page, {"sso_code": tickets.give(engine, ticket)})


def _cookie(engine: Engine, tenant: str, begun: Begun, *, over: bool = False) -> str:
    """What binds the sign-in to the browser: no script reads it, and it goes to this tenant's sign-ins alone."""
    start = urlsplit(service.addresses(engine, tenant)[0])
    name, value = begun.cookie
    seconds = 0 if over else attempts.LIFE_SECONDS
    secure = "; Secure" if start.scheme == "https" else ""
    shown = "" if over else value
    return f"{name}={shown}; Path={start.path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


_SETTINGS = (Answer(description="The settings as they are now.", model=SsoView, headers=("ETag",)),)
_EXAMPLE = {
    "issuer": "https://id.example.com",
    "client_id": "chronos",
    "client_secret": "${{ secrets.sso }}",
    "email_domains": ["example.com"],
    "default_role": "editor",
    "auto_join": True,
}
_THERE = "To the provider, or back to the page that waits."

ROUTES = (
    Route(
        method="GET",
        path="/tenant/sso",
        handler=get_sso,
        summary="Get the settings of single sign-on",
        tag="single sign-on",
        rule="tenant:read",
        answers=_SETTINGS,
        errors=(NotFound,),
    ),
    Route(
        method="PUT",
        path="/tenant/sso",
        handler=put_sso,
        summary="Let the tenant's people sign in at its identity provider",
        tag="single sign-on",
        rule="tenant:write",
        description="The provider's discovery document is read at once, and must be usable.",
        body=Body(model=SsoSettings, examples={"a provider": _EXAMPLE}),
        answers=_SETTINGS,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/tenant/sso",
        handler=delete_sso,
        summary="End single sign-on",
        tag="single sign-on",
        rule="tenant:write",
        description="Nobody signs in there any more; its members stay, and sessions last until their end.",
        answers=(Answer(description="There are none any more.", status=204),),
        errors=(NotFound, Conflict),
        conditional=True,
    ),
    Route(
        method="GET",
        path="/auth/sso/{tenant}",
        handler=begin_sso,
        summary="Begin to sign in at the tenant's identity provider, in a browser",
        tag="single sign-on",
        public=True,
        query=BeginQuery,
        description="A page gives its own address and a `code_challenge`; it is called again with `sso_code`, good "
        "once and for a minute, or with `sso_error`.",
        answers=(Answer(description=_THERE, status=302, headers=("Location", "Set-Cookie")),),
        errors=(Conflict, Unavailable),
    ),
    Route(
        method="GET",
        path="/auth/sso/{tenant}/callback",
        handler=finish_sso,
        summary="Where the identity provider sends the browser back to",
        tag="single sign-on",
        public=True,
        query=ReturnQuery,
        answers=(
            Answer(description="The tokens, where no page waits.", model=SignedInView),
            Answer(description=_THERE, status=302, headers=("Location", "Set-Cookie")),
        ),
        errors=(Forbidden, Conflict, Gone, Unavailable),
    ),
    Route(
        method="POST",
        path="/auth/sso/token",
        handler=exchange_sso,
        summary="Exchange a page's code for tokens",
        tag="single sign-on",
        public=True,
        secret=True,
        body=Body(
            model=ExchangeBody,
            examples={"a code": {"code": "4" * 43, "code_verifier": "5" * 43}},
        ),
        answers=(Answer(description="The tokens.", model=SignedInView),),
        errors=(Gone, NotFound, Unavailable),
    ),
)
