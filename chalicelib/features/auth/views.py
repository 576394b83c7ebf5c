"""What is sent to sign in, and what comes back."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.model import Value
from chalicelib.domain.permissions import Role
from chalicelib.identity.passwords import LONGEST, SHORTEST
from chalicelib.identity.sessions import SignedIn
from chalicelib.identity.tokens import LIFE_SECONDS
from chalicelib.identity.users import User

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


def _plain(text: str) -> str:
    if not text.isprintable():
        raise ValueError("this has characters that cannot be shown")
    return text


Email = Annotated[
    str,
    Field(max_length=254, pattern=rf"^{_LOCAL}@{_LABEL}(\.{_LABEL})+$", examples=["ada@example.com"]),
]
"""An address as mail servers take it; letters beyond ASCII are written as Punycode has them."""
PersonName = Annotated[
    str, Field(min_length=1, max_length=100, examples=["Ada Lovelace"]), AfterValidator(_plain)
]
NewPassword = Annotated[
    str,
    Field(
        min_length=SHORTEST,
        max_length=LONGEST,
        json_schema_extra={"format": "password"},
        description=f"{SHORTEST} to {LONGEST} characters of any kind; not one of the first that anybody guesses.",
        examples=["a long sentence will do"],
    ),
]
GivenPassword = Annotated[
    str, Field(min_length=1, max_length=LONGEST, json_schema_extra={"format": "password"})
]
TenantId = Annotated[str, Field(min_length=1, max_length=64)]
OneTimeText = Annotated[str, Field(min_length=1, max_length=200, description="From the mail.")]


class RegistrationBody(Value):
    """Somebody new, who becomes the owner of a tenant."""

    email: Email
    password: NewPassword
    name: PersonName
    tenant_name: PersonName | None = Field(None, description="What the tenant is called; null: as its owner.")


class LoginBody(Value):
    """Who signs in, and to which of their tenants: null is the one that they joined first."""

    email: Annotated[str, Field(min_length=1, max_length=254)]
    password: GivenPassword
    tenant: TenantId | None = None


class RefreshBody(Value):
    """`tenant`: go on in another of the user's tenants."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=400)]
    tenant: TenantId | None = None


class EmailBody(Value):
    """Whose mail is wanted."""

    email: Email


class TokenBody(Value):
    """A token that came by mail."""

    token: OneTimeText


class ResetBody(Value):
    """A token that came by mail, and the new password."""

    token: OneTimeText
    password: NewPassword


class PasswordBody(Value):
    """The present password, and the next one."""

    current_password: GivenPassword
    new_password: NewPassword


class Accepted(BaseModel):
    """The same whether or not the address has an account."""

    model_config = ConfigDict(defer_build=True)

    detail: str


class UserView(BaseModel):
    """A user, as they see themselves."""

    model_config = ConfigDict(defer_build=True)

    id: str
    email: str
    name: str
    verified: bool = Field(description="Whether the address was shown to be theirs.")
    has_password: bool = Field(description="Without one they sign in by a provider.")
    created_at: str = Field(json_schema_extra={"format": "date-time"})


class SignedInView(BaseModel):
    """Tokens, told this once: the access token goes with each request, the refresh token gets the next ones."""

    model_config = ConfigDict(defer_build=True)

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds for which the access token is good.")
    refresh_token: str = Field(
        description="Good for one use: each refresh gives another. One that is used twice ends the session."
    )
    refresh_expires_at: str = Field(json_schema_extra={"format": "date-time"})
    session: str
    user: UserView
    tenant: str | None = Field(
        description="null: the user belongs to none, and the tokens open the account only."
    )
    role: Role | None


class Jwk(BaseModel):
    """A public key (RFC 7517)."""

    model_config = ConfigDict(defer_build=True)

    kty: str
    crv: str
    alg: str
    use: str
    kid: str
    x: str
    y: str


class JwkSet(BaseModel):
    """The public keys, the newest first."""

    model_config = ConfigDict(defer_build=True)

    keys: list[Jwk]


def user_view(user: User) -> UserView:
    return UserView.model_construct(
        id=user.id,
        email=user.email,
        name=user.name,
        verified=user.verified,
        has_password=user.password is not None,
        created_at=rfc3339(user.created_ms),
    )


def signed_in_view(given: SignedIn) -> SignedInView:
    return SignedInView.model_construct(
        access_token=given.access_token,
        token_type="Bearer",  # noqa: S106
        expires_in=LIFE_SECONDS,
        refresh_token=given.refresh_token,
        refresh_expires_at=rfc3339(given.session.expires_ms),
        session=given.session.id,
        user=user_view(given.user),
        tenant=given.member.tenant if given.member else None,
        role=given.member.role if given.member else None,
    )
