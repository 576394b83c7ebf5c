"""TLS as a job's owner may set it: authorities and a certificate of their own. Verification cannot be switched off."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import ssl

MAX_PEM = 65_536
Pem = Annotated[str, Field(max_length=MAX_PEM, pattern="-----BEGIN ")]


class TLS(BaseModel):
    """How a connection is secured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca: Pem | None = Field(
        None, description="Authorities (PEM, at most 64 KB) to trust instead of the public ones."
    )
    certificate: Pem | None = Field(None, description="The client's certificate and its chain (PEM).")
    key: Pem | None = Field(
        None, description="The key of `certificate` (PEM, not encrypted): name a secret here.", repr=False
    )
    server_name: str | None = Field(
        None,
        min_length=1,
        max_length=253,
        description="The name that the server's certificate must have. Default: the host.",
    )
    minimum_version: Literal["1.2", "1.3"] = Field("1.2", description="The oldest version that is accepted.")

    @model_validator(mode="after")
    def _a_certificate_has_its_key(self) -> "TLS":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both or none")
        return self


class UnusableTLS(Exception):
    """The job's own PEM is not what it should be. The message is fit for the job's owner, and holds none of it."""


def context_of(tls: TLS, ca_file: str | None) -> "ssl.SSLContext":
    """A verifying client context. Without an own `ca`: public authorities, and those of the operator's `ca_file`."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = (
        ssl.TLSVersion.TLSv1_3 if tls.minimum_version == "1.3" else ssl.TLSVersion.TLSv1_2
    )
    if tls.ca is None:
        _trust_the_public(context, ca_file)
    else:
        _trust(context, tls.ca)
    if tls.certificate and tls.key:
        _show(context, tls.certificate, tls.key)
    return context


def _trust_the_public(context: "ssl.SSLContext", ca_file: str | None) -> None:
    import certifi

    context.load_verify_locations(certifi.where())
    if ca_file:
        context.load_verify_locations(ca_file)


def _trust(context: "ssl.SSLContext", pem: str) -> None:
    import ssl

    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise UnusableTLS("tls.ca has no certificate in PEM that could be read.") from error


def _show(context: "ssl.SSLContext", certificate: str, key: str) -> None:
    """ssl reads keys from files only: one that nobody else can open, for this moment."""
    import ssl
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", suffix=".pem", encoding="utf-8") as file:
        file.write(f"{key}\n{certificate}\n")
        file.flush()
        try:
            context.load_cert_chain(file.name, password="")
        except (ssl.SSLError, ValueError) as error:
            raise UnusableTLS("tls.certificate and tls.key do not fit, or cannot be read as PEM.") from error
