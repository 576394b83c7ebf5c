"""What the routes of accounts do."""

from chalicelib.domain.errors import NotFound, Unauthorized
from chalicelib.engine.core import Engine
from chalicelib.features.auth.views import (
    Accepted,
    EmailBody,
    JwkSet,
    LoginBody,
    PasswordBody,
    RefreshBody,
    RegistrationBody,
    ResetBody,
    TokenBody,
    signed_in_view,
    user_view,
)
from chalicelib.features.base import Origin, Request, Response
from chalicelib.identity import accounts, recovery, sessions
from chalicelib.identity.accounts import Registration
from chalicelib.identity.sessions import Visit
from chalicelib.identity.sign_in import Credentials, sign_in
from chalicelib.identity.tokens import key_set
from chalicelib.identity.users import User, read_user

KEPT = {"Cache-Control": "public, max-age=300"}
_ACCEPTED = Accepted(detail="If this address can have a mail from us, it is on its way.")


def visit_of(origin: Origin) -> Visit:
    return Visit(origin.address, origin.agent)


def own(engine: Engine, request: Request) -> User:
    """Who asks. Unauthorized if they were deleted at this moment."""
    user = read_user(engine, request.principal.actor)
    if user is None:
        raise Unauthorized("There is no such user any more.")
    return user


def register(engine: Engine, request: Request) -> Response:
    body: RegistrationBody = request.body
    given = Registration(body.email, body.password, body.name, body.tenant_name or "")
    accounts.register(engine, given, visit_of(request.origin))
    return Response(_ACCEPTED, 202)


def verify(engine: Engine, request: Request) -> Response:
    body: TokenBody = request.body
    return Response(user_view(accounts.verify(engine, body.token)))


def resend(engine: Engine, request: Request) -> Response:
    body: EmailBody = request.body
    accounts.ask_again(engine, body.email, visit_of(request.origin))
    return Response(_ACCEPTED, 202)


def login(engine: Engine, request: Request) -> Response:
    body: LoginBody = request.body
    given = Credentials(body.email, body.password, body.tenant)
    return Response(signed_in_view(sign_in(engine, given, visit_of(request.origin))))


def refresh(engine: Engine, request: Request) -> Response:
    body: RefreshBody = request.body
    found = sessions.refresh(engine, body.refresh_token, body.tenant, visit_of(request.origin))
    return Response(signed_in_view(found))


def logout(engine: Engine, request: Request) -> Response:
    sessions.end(engine, request.principal.actor, request.principal.session or "")
    return Response(status=204)


def change_password(engine: Engine, request: Request) -> Response:
    body: PasswordBody = request.body
    user, session = own(engine, request), request.principal.session
    recovery.change(engine, user, body.current_password, body.new_password, session=session)
    return Response(status=204)


def forgot_password(engine: Engine, request: Request) -> Response:
    body: EmailBody = request.body
    recovery.forgot(engine, body.email, visit_of(request.origin))
    return Response(_ACCEPTED, 202)


def reset_password(engine: Engine, request: Request) -> Response:
    body: ResetBody = request.body
    recovery.reset(engine, body.token, body.password)
    return Response(status=204)


def get_keys(engine: Engine, _request: Request) -> Response:
    keys = key_set(engine.secrets)
    if not keys:
        raise NotFound("This deployment has no keys for access tokens.")
    return Response(JwkSet.model_validate({"keys": keys}), headers=KEPT)
