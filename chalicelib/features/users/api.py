"""The routes of one's own account."""

from pydantic import Field

from chalicelib.domain.errors import Conflict, Invalid
from chalicelib.domain.model import Value
from chalicelib.engine.core import Engine
from chalicelib.features.auth.handlers import own
from chalicelib.features.auth.views import Email, GivenPassword, PersonName, UserView, user_view
from chalicelib.features.base import JSON, MERGE_PATCH, Answer, Body, Request, Response, Route
from chalicelib.features.conditional import etag, require_match
from chalicelib.identity import accounts, recovery
from chalicelib.identity.users import User, normalised


class UserPatch(Value):
    """What changes; what is left out stays."""

    name: PersonName | None = None
    email: Email | None = Field(
        None, description="It becomes the user's when they show, by a mail to it, that it is theirs."
    )
    password: GivenPassword | None = Field(None, description="The present one: needed for another address.")


class Leaving(Value):
    """`password`: needed if there is one."""

    password: GivenPassword | None = None


def get_me(engine: Engine, request: Request) -> Response:
    return _told(own(engine, request))


def patch_me(engine: Engine, request: Request) -> Response:
    body: UserPatch = request.body
    user = own(engine, request)
    require_match(request.if_match, user.revision)
    if body.email is not None and normalised(body.email) != normalised(user.email):
        _confirm(engine, user, body.password)
        accounts.ask_to_move(engine, user, body.email)
    if body.name is not None and body.name != user.name:
        user = accounts.rename(engine, user, body.name)
    return _told(user)


def delete_me(engine: Engine, request: Request) -> Response:
    body: Leaving = request.body or Leaving()
    user = own(engine, request)
    _confirm(engine, user, body.password)
    accounts.leave(engine, user)
    return Response(status=204)


def _confirm(engine: Engine, user: User, password: str | None) -> None:
    """Whoever holds the token alone cannot take the account away."""
    if user.password is None:
        return
    if password is None:
        raise Invalid.field("/password", "This needs the password.", "required")
    recovery.confirm(engine, user, password)


def _told(user: User) -> Response:
    return Response(user_view(user), headers={"ETag": etag(user.revision)})


_ME = (Answer(description="The user.", model=UserView, headers=("ETag",)),)

ROUTES = (
    Route(
        method="GET",
        path="/users/me",
        handler=get_me,
        summary="Get one's own account",
        tag="accounts",
        rule="account:read",
        answers=_ME,
    ),
    Route(
        method="PATCH",
        path="/users/me",
        handler=patch_me,
        summary="Change one's name or address",
        tag="accounts",
        rule="account:write",
        secret=True,
        description="Another address needs the password, and is taken over when it is confirmed by the mail to it.",
        body=Body(
            model=UserPatch,
            media_types=(MERGE_PATCH, JSON),
            examples={"name": {"name": "Ada King"}},
        ),
        answers=_ME,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/users/me",
        handler=delete_me,
        summary="Delete one's own account",
        tag="accounts",
        rule="account:write",
        secret=True,
        description="Needs the password, if there is one. Refused while a tenant would be left without an owner "
        "(`last_owner`): make somebody else one first, or delete the tenant.",
        body=Body(model=Leaving, required=False, examples={"usual": {"password": "a long sentence will do"}}),
        answers=(Answer(description="It is gone, with all sessions and memberships.", status=204),),
        errors=(Conflict,),
    ),
)
