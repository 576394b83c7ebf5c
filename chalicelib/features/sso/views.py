"""Single sign-on as clients see it."""

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.features.sso.settings import SsoSettings


class SsoView(SsoSettings):
    """A tenant's identity provider, and what it must know of Chronos."""

    model_config = ConfigDict(defer_build=True)

    redirect_uri: str = Field(description="What to register at the provider.")
    sign_in_url: str = Field(description="Where the tenant's people begin, in a browser.")


class BeginQuery(BaseModel):
    """Of a page that waits for the end of a sign-in: both or none."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    return_to: str | None = Field(
        None, max_length=2048, description="A page of an origin that the deployment names (CORS)."
    )
    code_challenge: str | None = Field(
        None,
        pattern="^[A-Za-z0-9_-]{43}$",
        description="With `return_to`: S256 of the `code_verifier` that the page will send (RFC 7636).",
    )


class ReturnQuery(BaseModel):
    """What a provider adds to the address; whatever else it says is left alone."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    state: str = Field(pattern="^[A-Za-z0-9_-]{43}$")
    code: str | None = Field(None, max_length=4096, repr=False)
    error: str | None = Field(None, max_length=200)
    iss: str | None = Field(None, max_length=2048)


class ExchangeBody(BaseModel):
    """What a page exchanges for tokens."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    code: str = Field(pattern="^[A-Za-z0-9_-]{43}$", description="`sso_code` of the address.", repr=False)
    code_verifier: str = Field(pattern="^[A-Za-z0-9._~-]{43,128}$", repr=False)


def sso_view(settings: SsoSettings, addresses: tuple[str, str]) -> SsoView:
    start, back = addresses
    return SsoView.model_construct(**settings.model_dump(), redirect_uri=back, sign_in_url=start)
