"""Who asks. One key, known by its SHA-256, opens everything; accounts and roles come on top of this."""

import hashlib
import hmac

from chalicelib.domain.errors import Unauthorized
from chalicelib.features.base import Principal

_LOCAL = "local"


def authenticate(authorization: str | None, api_key_sha256: str) -> Principal:
    """The principal of an Authorization header. Unauthorized unless its key has this digest; empty lets all in."""
    if not api_key_sha256:
        return Principal(_LOCAL, "anonymous")
    scheme, _, key = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("Send the API key: Authorization: Bearer KEY.")
    digest = hashlib.sha256(key.strip().encode("utf-8", "replace")).hexdigest()
    if not hmac.compare_digest(digest, api_key_sha256.lower()):
        raise Unauthorized("The API key is not known.")
    return Principal(_LOCAL, "api-key")
