"""The port Secrets on SSM's Parameter Store, where standard parameters cost nothing."""

from collections.abc import Callable
from typing import Any

from chalicelib.aws.faults import translated
from chalicelib.aws.kept import Kept
from chalicelib.ports.clock import Clock
from chalicelib.ports.secrets import SecretName

KEPT_SECONDS, FRESH_SECONDS = 300.0, 10.0


class SsmSecrets:
    """Parameters by their names under `prefix`, decrypted, kept in this process's memory for five minutes."""

    def __init__(self, client: Callable[[], Any], prefix: str, clock: Clock) -> None:
        self._client, self._prefix = client, prefix
        self._known = Kept(clock)

    def read(self, name: SecretName, *, fresh: bool = False) -> str | None:
        """One that was read before is good for as long as the Parameter Store does not answer."""
        seconds = FRESH_SECONDS if fresh else KEPT_SECONDS
        wanted = f"{self._prefix}/{name}"
        return self._known.text(
            name, lambda: parameter(self._client(), wanted), seconds=seconds, seconds_missing=seconds
        )


def parameter(client: Any, name: str) -> str | None:
    """The parameter's text, decrypted; None if there is none. Unavailable or Refused."""
    from botocore.exceptions import ClientError

    with translated("The Parameter Store"):
        try:
            answer = client.get_parameter(Name=name, WithDecryption=True)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return None
            raise
        text: str = answer["Parameter"]["Value"]
        return text
