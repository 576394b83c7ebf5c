"""The port JobSecrets on SSM's Parameter Store and on Secrets Manager."""

import re
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from chalicelib.aws.faults import Refused, translated
from chalicelib.aws.kept import Kept
from chalicelib.aws.ssm import KEPT_SECONDS, parameter
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.templates import SecretRef
from chalicelib.ports.clock import Clock

MISSING_SECONDS, PAUSE_SECONDS = 10.0, 10.0
"""What was missing or is doubted may just have been put in; a store that does not answer is not asked by everybody."""
_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GONE = ("ResourceNotFoundException", "InvalidRequestException")
"""Not there, or to be deleted."""


class AwsJobSecrets:
    """`secrets.name` is the parameter /chronos/<stage>/secrets/<tenant>/<name>; `secretsmanager.name` is Secrets
    Manager's chronos/<stage>/<tenant>/<name>. Kept in this process's memory for five minutes.

    `client` makes a client of `ssm` or `secretsmanager`.
    """

    def __init__(self, client: Callable[[str], Any], stage: str, clock: Clock) -> None:
        self._client, self._stage = client, stage
        self._known = Kept(clock, pause=PAUSE_SECONDS)

    def read(self, tenant: str, ref: SecretRef) -> str | None:
        """One that was read before is good for as long as its store does not answer, or refuses."""
        if not _TENANT.fullmatch(tenant):
            return None
        return self._known.text(
            (tenant, ref.store, ref.name),
            lambda: self._stored(tenant, ref),
            seconds=KEPT_SECONDS,
            seconds_missing=MISSING_SECONDS,
        )

    def doubt(self, tenant: str, ref: SecretRef) -> None:
        self._known.doubt((tenant, ref.store, ref.name))

    def _stored(self, tenant: str, ref: SecretRef) -> str | None:
        try:
            if ref.store == "secrets":
                name = f"/chronos/{self._stage}/secrets/{tenant}/{ref.name}"
                return parameter(self._client("ssm"), name)
            return _secret(self._client("secretsmanager"), f"chronos/{self._stage}/{tenant}/{ref.name}")
        except Refused as error:
            raise Unavailable(
                "Its store refuses it to Chronos's workers: see how it is encrypted."
            ) from error


def _secret(client: Any, name: str) -> str | None:
    from botocore.exceptions import ClientError

    with translated("Secrets Manager"):
        try:
            answer = client.get_secret_value(SecretId=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
    return str(answer["SecretString"]) if "SecretString" in answer else _text(answer["SecretBinary"])


def _text(binary: str) -> str:
    try:
        return b64decode(binary).decode()
    except ValueError as error:
        raise Unavailable("It is binary, and not a text.") from error
