"""Azure Functions: with the function's key, or with a token of Microsoft Entra by client credentials."""

from chalicelib.domain.outcome import Outcome
from chalicelib.executors.base import Call
from chalicelib.executors.cloud_function.exchange import called, called_with, issued
from chalicelib.executors.cloud_function.targets import AzureTarget
from chalicelib.executors.cloud_function.tokens import Token

MAX_SECONDS = 86_400.0


def sent(call: Call, target: AzureTarget, endpoint: str) -> Outcome:
    """Call the function. `endpoint` has a place for the directory."""
    if target.function_key is not None:
        return called_with(call, target, {"x-functions-key": target.function_key})
    url = endpoint.format(directory=target.directory)
    fields = {
        "grant_type": "client_credentials",
        "client_id": target.client_id or "",
        "client_secret": target.client_secret or "",
        "scope": target.scope or "",
    }
    return called(call, target, ("azure", url, *fields.values()), lambda: _issued(call, url, fields))


def _issued(call: Call, url: str, fields: dict[str, str]) -> Token:
    said = issued(call, url, fields, "access_token")
    try:
        seconds = float(said.get("expires_in", 0))
    except (ValueError, TypeError):
        seconds = 0.0
    return Token(said["access_token"], min(max(0.0, seconds), MAX_SECONDS))
