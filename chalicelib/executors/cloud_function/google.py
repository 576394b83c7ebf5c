"""Google Cloud Functions and Cloud Run: a service account's key becomes an ID token for the audience."""

import json
from base64 import urlsafe_b64decode
from typing import Any

from chalicelib.domain.outcome import Failed, Outcome
from chalicelib.executors.base import Call
from chalicelib.executors.cloud_function.exchange import Broken, called, issued
from chalicelib.executors.cloud_function.rs256 import signed
from chalicelib.executors.cloud_function.targets import GoogleTarget
from chalicelib.executors.cloud_function.tokens import Token

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE_SECONDS = 3600


def requested(call: Call, target: GoogleTarget, endpoint: str) -> Outcome:
    """Call the function with an ID token."""
    key = ("google", endpoint, target.credentials, target.token_audience)
    return called(call, target, key, lambda: _issued(call, target, endpoint))


def _issued(call: Call, target: GoogleTarget, endpoint: str) -> Token:
    account = _account(target.credentials)
    now_s = call.clock.now_ms() // 1000
    claims = {
        "iss": account["client_email"],
        "sub": account["client_email"],
        "aud": endpoint,
        "target_audience": target.token_audience,
        "iat": now_s,
        "exp": now_s + LIFE_SECONDS,
    }
    try:
        assertion = signed(claims, account["private_key"], account.get("private_key_id"))
    except ValueError as error:
        raise Broken(Failed("authentication", f"The service account's key cannot sign: {error}.")) from None
    said = issued(call, endpoint, {"grant_type": GRANT, "assertion": assertion}, "id_token")
    return Token(said["id_token"], _life(said["id_token"], now_s))


def _account(text: str) -> dict[str, str]:
    try:
        account: Any = json.loads(text)
    except (ValueError, RecursionError):
        account = None
    wanted = ("client_email", "private_key")
    if not isinstance(account, dict) or not all(isinstance(account.get(name), str) for name in wanted):
        message = (
            "The credentials are not the key of a service account as JSON, with client_email and private_key."
        )
        raise Broken(Failed("authentication", message))
    return account


def _life(token: str, now_s: int) -> float:
    """For how many seconds it is good: it says so itself."""
    try:
        middle = token.split(".")[1]
        said = json.loads(urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return min(float(said["exp"]) - now_s, LIFE_SECONDS)
    except (ValueError, LookupError, TypeError):
        return 0.0
