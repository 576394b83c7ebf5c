"""The routes of accounts: most are public, since who uses them has no token yet."""

from chalicelib.domain.errors import (
    Conflict,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from chalicelib.features.auth import handlers
from chalicelib.features.auth.views import (
    Accepted,
    EmailBody,
    JwkSet,
    LoginBody,
    PasswordBody,
    RefreshBody,
    RegistrationBody,
    ResetBody,
    SignedInView,
    TokenBody,
    UserView,
)
from chalicelib.features.base import Answer, Body, NoFields, Route

_TAG = "accounts"
_ADA, _PASSWORD = "ada@example.com", "a long sentence will do"
_ONCE = "chronos_once_4cWpJxVb1nQ2eYkTqv0mR8sHuZ6dLg3AiXfEoB7NtKw"
_REFRESH = (
    "chronos_refresh_01MCCKG2G0QZ4T8N6W2X5V7Y9B_01MCCKG2G0ZB1C3D5E7F9G2H4J_"
    "4cWpJxVb1nQ2eYkTqv0mR8sHuZ6dLg3AiXfEoB7NtKw"
)
_MAILED = (
    Answer(description="The same whether or not the address has an account.", status=202, model=Accepted),
)
_TOKENS = (Answer(description="The tokens.", model=SignedInView),)
MAILED_MS, SIGN_IN_MS = 1_500, 500
"""So long answers take that must not tell whether there is an account: longer than sending a mail, or a sign-in."""
_LIMITED = "Attempts are counted by account and by address: 429 says when to go on. "

ROUTES = (
    Route(
        method="POST",
        path="/auth/register",
        handler=handlers.register,
        summary="Register as a user with a tenant of one's own",
        tag=_TAG,
        public=True,
        secret=True,
        level_ms=MAILED_MS,
        description="A mail asks to confirm the address. A deployment may be closed to strangers: then it answers 403, "
        "`registration_closed`, and members invite.",
        body=Body(
            model=RegistrationBody,
            examples={"usual": {"email": _ADA, "password": _PASSWORD, "name": "Ada Lovelace"}},
        ),
        answers=_MAILED,
        errors=(Forbidden, TooManyRequests, Unavailable),
    ),
    Route(
        method="POST",
        path="/auth/verify",
        handler=handlers.verify,
        summary="Confirm an address by the token that was mailed to it",
        tag=_TAG,
        public=True,
        secret=True,
        body=Body(model=TokenBody, examples={"usual": {"token": _ONCE}}),
        answers=(Answer(description="The user, whose address is confirmed.", model=UserView),),
        errors=(Unavailable,),
    ),
    Route(
        method="POST",
        path="/auth/verify/resend",
        handler=handlers.resend,
        summary="Ask for another mail to confirm an address with",
        tag=_TAG,
        public=True,
        secret=True,
        level_ms=MAILED_MS,
        unrecorded="a mail changes nothing, and whether there is an account is not told",
        body=Body(model=EmailBody, examples={"usual": {"email": _ADA}}),
        answers=_MAILED,
        errors=(TooManyRequests, Unavailable),
    ),
    Route(
        method="POST",
        path="/auth/login",
        handler=handlers.login,
        summary="Sign in with an address and a password",
        tag=_TAG,
        public=True,
        secret=True,
        level_ms=SIGN_IN_MS,
        description=_LIMITED
        + "A wrong password and an unknown address are answered alike (`bad_credentials`).",
        body=Body(model=LoginBody, examples={"usual": {"email": _ADA, "password": _PASSWORD}}),
        answers=_TOKENS,
        errors=(Unauthorized, NotFound, TooManyRequests, Unavailable),
    ),
    Route(
        method="POST",
        path="/auth/refresh",
        handler=handlers.refresh,
        summary="Exchange a refresh token for new tokens",
        tag=_TAG,
        public=True,
        secret=True,
        description="Each refresh token is good for one use. One that comes twice ends the session: two have it then.",
        body=Body(model=RefreshBody, examples={"usual": {"refresh_token": _REFRESH}}),
        answers=_TOKENS,
        errors=(Unauthorized, NotFound, Unavailable),
    ),
    Route(
        method="POST",
        path="/auth/logout",
        handler=handlers.logout,
        summary="End the session of this access token",
        tag=_TAG,
        rule="account:leave",
        secret=True,
        body=Body(model=NoFields, required=False),
        answers=(Answer(description="It has ended, with all its tokens.", status=204),),
    ),
    Route(
        method="POST",
        path="/auth/password",
        handler=handlers.change_password,
        summary="Change the password",
        tag=_TAG,
        rule="account:write",
        secret=True,
        description="All other sessions of the user end.",
        body=Body(
            model=PasswordBody,
            examples={"usual": {"current_password": _PASSWORD, "new_password": "another long sentence"}},
        ),
        answers=(Answer(description="It is changed.", status=204),),
        errors=(Conflict,),
    ),
    Route(
        method="POST",
        path="/auth/password/forgot",
        handler=handlers.forgot_password,
        summary="Ask for a mail to choose another password with",
        tag=_TAG,
        public=True,
        secret=True,
        level_ms=MAILED_MS,
        unrecorded="a mail changes nothing, and whether there is an account is not told",
        body=Body(model=EmailBody, examples={"usual": {"email": _ADA}}),
        answers=_MAILED,
        errors=(TooManyRequests, Unavailable),
    ),
    Route(
        method="POST",
        path="/auth/password/reset",
        handler=handlers.reset_password,
        summary="Choose another password by the token that was mailed",
        tag=_TAG,
        public=True,
        secret=True,
        description="All sessions of the user end, and the address counts as confirmed.",
        body=Body(model=ResetBody, examples={"usual": {"token": _ONCE, "password": "another long sentence"}}),
        answers=(Answer(description="It is changed.", status=204),),
        errors=(Unavailable,),
    ),
    Route(
        method="GET",
        path="/.well-known/jwks.json",
        handler=handlers.get_keys,
        summary="The public keys of access tokens, as a JWK Set",
        tag=_TAG,
        public=True,
        answers=(Answer(description="The keys.", model=JwkSet),),
        errors=(NotFound, Unavailable),
    ),
)
