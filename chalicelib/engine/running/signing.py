"""Addresses for callbacks, and what the tokens in them say."""

import json
from base64 import b64decode

from chalicelib.domain.callback_token import Claim, SigningKey, claim_of, key_id_of, signed
from chalicelib.domain.errors import CallbackExpired, NotFound, Unavailable
from chalicelib.domain.run import Run
from chalicelib.ports.secrets import Secrets

GRACE_SECONDS = 3_600
"""So long after its deadline a token is still answered with what became of its attempt."""


def keys_of(text: str | None) -> list[SigningKey]:
    """The keys in a secret such as `signing-key`, the newest first: JSON, [{"id", "key" (base64)}, ...].

    Unavailable if it is something else.
    """
    try:
        return [SigningKey(row["id"], b64decode(row["key"])) for row in json.loads(text or "[]")]
    except (ValueError, TypeError, KeyError):
        raise Unavailable("The signing keys of this deployment cannot be read.") from None


def callback_url(secrets: Secrets, run: Run) -> str:
    """The address to which the run's attempt is to call back; it ends in a token that must not be stored or logged.

    Unavailable if the deployment has no key or address, or they cannot be read now.
    """
    keys, base = keys_of(secrets.read("signing-key")), secrets.read("public-url")
    if not keys or not base:
        raise Unavailable("This deployment has no signing key or no public address: see `make callbacks`.")
    until_s = (run.callback_by_ms or 0) // 1000 + GRACE_SECONDS
    token = signed(Claim(run.tenant, run.id, run.attempt, until_s), keys[0])
    return f"{base.rstrip('/')}/callbacks/{token}"


def claim(secrets: Secrets, token: str, *, now_ms: int) -> Claim:
    """What the token says. NotFound if it is none of ours, CallbackExpired if its time is over."""
    wanted = key_id_of(token)
    keys = keys_of(secrets.read("signing-key")) if wanted is not None else []
    if wanted is not None and wanted not in {key.id for key in keys}:
        keys = keys_of(secrets.read("signing-key", fresh=True))
    said = claim_of(token, keys)
    if said is None:
        raise NotFound("There is no such callback.")
    if said.until_s * 1000 <= now_ms:
        raise CallbackExpired("The time for this callback is over.")
    return said
