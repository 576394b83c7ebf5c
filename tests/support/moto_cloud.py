"""The port Cloud over moto: clients as a worker's adapter gives them, without a role to assume."""

from typing import Any

from chalicelib.aws.clock import SystemClock
from chalicelib.aws.cloud_client import GuardedClient
from chalicelib.ports.stop import Stop


class MotoCloud:
    """One client of botocore for whoever asks; `roles` lists as whom."""

    def __init__(self, client: Any) -> None:
        self.botocore, self.roles = client, list[str | None]()

    def client(self, service: str, *, role_arn: str | None, region: str | None = None) -> Any:
        self.roles.append(role_arn)
        clock = SystemClock()
        return GuardedClient(self.botocore, service, clock, clock.monotonic() + 60, Stop())
