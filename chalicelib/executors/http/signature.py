"""Signatures of requests as Standard Webhooks have them, so that the other side knows whose they are. Pure."""

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PREFIX = "whsec_"
_MIN_KEY, _MAX_KEY = 24, 64


def key_of(secret: str) -> bytes:
    """The key in a secret. ValueError unless it is `whsec_` and 24 to 64 bytes in base64."""
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not _MIN_KEY <= len(key) <= _MAX_KEY:
        raise ValueError(f"must be {PREFIX} and {_MIN_KEY} to {_MAX_KEY} bytes in base64")
    return key


def _checked(secret: str) -> str:
    key_of(secret)
    return secret


class Signature(BaseModel):
    """The secrets that sign a request; it carries a signature by each, so that they can be changed one by one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secrets: list[Annotated[str, AfterValidator(_checked)]] = Field(
        min_length=1,
        max_length=4,
        repr=False,
        description="Each `whsec_...`; name secrets here: `${{ secrets.webhook }}`.",
    )


def signed_headers(signature: Signature, identifier: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers. `identifier` is the same for all attempts, so that the other side can tell repeats."""
    content = b".".join((identifier.encode(), str(at_s).encode(), body))
    codes = [hmac.new(key_of(each), content, hashlib.sha256).digest() for each in signature.secrets]
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{b64encode(code).decode()}" for code in codes),
    }
