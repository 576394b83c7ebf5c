"""How an http job says who it is. The secrets in it are named: `${{ secrets.token }}`."""

from base64 import b64encode
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from chalicelib.executors.http.checks import MAX_URL_BYTES, check_header, checked_url

_SECRET = 8_192


class _Auth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Basic(_Auth):
    """A user name and a password, in the header Authorization."""

    kind: Literal["basic"]
    username: str = Field(max_length=1_000, pattern=r"^[^:\x00-\x1f\x7f]*$", description="Without a colon.")
    password: str = Field(max_length=_SECRET, pattern=r"^[^\x00-\x1f\x7f]*$", repr=False)

    def header(self) -> str:
        return f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"


class Bearer(_Auth):
    """A token, in the header Authorization."""

    kind: Literal["bearer"]
    token: str = Field(min_length=1, max_length=_SECRET, pattern=r"^[\x21-\x7e]+$", repr=False)

    def header(self) -> str:
        return f"Bearer {self.token}"


class ApiKey(_Auth):
    """A key, in a header or in the URL's query."""

    kind: Literal["api_key"]
    place: Literal["header", "query"] = Field("header", description="Servers log queries: prefer a header.")
    name: str = Field(min_length=1, max_length=128, description="Of the header, or of the query's field.")
    value: str = Field(min_length=1, max_length=_SECRET, pattern=r"^[\x21-\x7e]+$", repr=False)

    @model_validator(mode="after")
    def _a_header_may_be_set(self) -> "ApiKey":
        if self.place == "header":
            check_header(self.name, self.value)
        return self


class OAuth2(_Auth):
    """A token of an authorization server for the client's own credentials (RFC 6749, 4.4), kept while it is good."""

    kind: Literal["oauth2"]
    token_url: Annotated[str, AfterValidator(checked_url)] = Field(
        max_length=MAX_URL_BYTES, description="Where tokens are: http or https; redirects are not followed."
    )
    client_id: str = Field(min_length=1, max_length=1_000)
    client_secret: str = Field(min_length=1, max_length=_SECRET, repr=False)
    scopes: list[
        Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]
    ] = Field([], max_length=50, description="What the token is to allow. Default: what the server gives.")
    audience: str | None = Field(
        None, min_length=1, max_length=1_000, description="For servers that want to know whom it is for."
    )
    credentials_in: Literal["header", "body"] = Field(
        "header", description="How the client's id and secret are sent: as HTTP Basic, or in the form."
    )


class SigV4(_Auth):
    """A request of AWS's own kind (Signature Version 4), as a role of the job's owner."""

    kind: Literal["aws_sigv4"]
    role_arn: str = Field(
        pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
        max_length=2048,
        description="The role to act as: its trust policy lets Chronos assume it with your tenant as external id.",
    )
    service: str = Field(
        pattern=r"^[a-z0-9-]{1,64}$", description="As AWS signs for it: `execute-api`, `lambda`, `es`, `s3`."
    )
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+){1,3}-[0-9]$", description="Such as `eu-central-1`.")


AnyAuth = Basic | Bearer | ApiKey | OAuth2 | SigV4
Auth = Annotated[AnyAuth, Field(discriminator="kind")]


def header_of(auth: AnyAuth) -> str | None:
    """The name of the header that it sets, if it sets one."""
    if isinstance(auth, ApiKey):
        return auth.name.lower() if auth.place == "header" else None
    return "authorization"
