"""The port Secrets on SSM's Parameter Store, where standard parameters cost nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.aws.faults import translated
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.clock import Clock
from chalicelib.ports.secrets import SecretName

KEPT_SECONDS, FRESH_SECONDS = 300.0, 10.0


@dataclass(frozen=True, slots=True)
class _Known:
    text: str | None
    read_at: float


class SsmSecrets:
    """Parameters by their names under `prefix`, decrypted, kept in this process's memory for five minutes."""

    def __init__(self, client: Callable[[], Any], prefix: str, clock: Clock) -> None:
        self._client, self._prefix, self._clock = client, prefix, clock
        self._known: dict[SecretName, _Known] = {}

    def read(self, name: SecretName, *, fresh: bool = False) -> str | None:
        """One that was read before is good for as long as the Parameter Store does not answer."""
        known, now = self._known.get(name), self._clock.monotonic()
        if known and now - known.read_at < (FRESH_SECONDS if fresh else KEPT_SECONDS):
            return known.text
        try:
            text = self._stored(name)
        except Unavailable:
            if known is None:
                raise
            return known.text
        self._known[name] = _Known(text, now)
        return text

    def _stored(self, name: SecretName) -> str | None:
        from botocore.exceptions import ClientError

        with translated("The Parameter Store"):
            try:
                answer = self._client().get_parameter(Name=f"{self._prefix}/{name}", WithDecryption=True)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ParameterNotFound":
                    return None
                raise
            text: str = answer["Parameter"]["Value"]
            return text
