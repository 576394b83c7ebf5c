"""AWS services for jobs, as roles that their owners name; what was assumed and made is kept for the process's attempts.

botocore is used as it is, and only when a job asks for it: its calls are of all services, and their parameters users'.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from chalicelib.aws.cloud_client import GuardedClient
from chalicelib.aws.cloud_errors import cloud_errors
from chalicelib.aws.cloud_signing import signed_headers
from chalicelib.domain.run import Run
from chalicelib.ports.clock import Clock
from chalicelib.ports.cloud import CloudError, Unsigned
from chalicelib.ports.stop import Stop

SESSION_SECONDS, REFRESH_SECONDS, MUST_REFRESH_SECONDS = 1800, 300, 60
"""How long credentials are good; when they are renewed if that succeeds, and when they have to be."""
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 1, 30, 3
LONG_READ_SECONDS = {"lambda": 900, "stepfunctions": 330}
"""Services that answer when the work is done. A call is given up by its attempt's deadline all the same."""
KEPT_CLIENTS = 32
Key = tuple[str, str | None, str, str]
"""Service, region, role, tenant."""


@dataclass(slots=True)
class _Session:
    """A session of botocore for one role and tenant, once it is there."""

    botocore: Any = None
    lock: Lock = field(default_factory=Lock)


@dataclass(slots=True)
class Clouds:
    """`roles`: the ARNs that jobs may name. `make` makes botocore clients for this function's own use (`sts`)."""

    roles: tuple[str, ...]
    clock: Clock
    make: Callable[[str], Any]
    where: dict[str, str] = field(default_factory=dict)
    """botocore's region_name, endpoint_url and so on; from the environment where empty."""
    _clients: OrderedDict[Key, Any] = field(default_factory=OrderedDict)
    _sessions: dict[tuple[str, str], "_Session"] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, run: Run, deadline: float, stop: Stop) -> "RunCloud":
        """The port Cloud for an attempt, which may use it until the deadline (monotonic seconds)."""
        return RunCloud(self, run, deadline, stop)

    def client(self, service: str, region: str | None, role_arn: str, run: Run) -> Any:
        """botocore's client. CloudError if there is no such service or region, or the role cannot be assumed."""
        key = (service, region, role_arn, run.tenant)
        with self._lock:
            if key in self._clients:
                self._clients.move_to_end(key)
                return self._clients[key]
        with self._session(role_arn, run) as session, cloud_errors(service, "client"):
            made = self._made(session, service, region)
        with self._lock:
            self._clients[key] = made
            while len(self._clients) > KEPT_CLIENTS:
                self._clients.popitem(last=False)
        return made

    def credentials(self, role_arn: str, run: Run) -> Any:
        """botocore's credentials of the role, as they are now. CloudError if it cannot be assumed."""
        with self._session(role_arn, run) as session:
            return session.get_credentials().get_frozen_credentials()

    @contextmanager
    def _session(self, role_arn: str, run: Run) -> Iterator[Any]:
        """botocore's session of the role, for one thread at a time: one that STS keeps waiting delays no other role."""
        with self._lock:
            session = self._sessions.setdefault((role_arn, run.tenant), _Session())
        with session.lock:
            session.botocore = session.botocore or _session_of(self._credentials(role_arn, run.tenant, run))
            yield session.botocore

    def _made(self, session: Any, service: str, region: str | None) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=LONG_READ_SECONDS.get(service, READ_SECONDS),
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=16,
            user_agent_extra="chronos",
        )
        where = {**self.where, **({"region_name": region} if region else {})}
        return session.create_client(service, config=config, **where)

    def _credentials(self, role_arn: str, tenant: str, run: Run) -> Any:
        from botocore.credentials import RefreshableCredentials

        def assumed() -> dict[str, str]:
            return self._assume(role_arn, tenant, run.id)

        return RefreshableCredentials.create_from_metadata(
            assumed(),
            refresh_using=assumed,
            method="sts-assume-role",
            advisory_timeout=REFRESH_SECONDS,
            mandatory_timeout=MUST_REFRESH_SECONDS,
        )

    def _assume(self, role_arn: str, tenant: str, run_id: str) -> dict[str, str]:
        with cloud_errors("sts", "assume_role", _how_to_be_trusted(role_arn, tenant)):
            answer = self.make("sts").assume_role(
                RoleArn=role_arn,
                RoleSessionName=f"chronos-{run_id}"[:64],
                ExternalId=tenant,
                DurationSeconds=SESSION_SECONDS,
            )
        given = answer["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }


@dataclass(frozen=True, slots=True)
class RunCloud:
    """The port Cloud."""

    clouds: Clouds
    run: Run
    deadline: float
    stop: Stop

    def client(self, service: str, *, role_arn: str | None, region: str | None = None) -> Any:
        self._check(role_arn)
        return self._guarded(service).over(
            lambda: self.clouds.client(service, region, str(role_arn), self.run)
        )

    def signed(self, request: Unsigned, *, service: str, role_arn: str, region: str) -> dict[str, str]:
        self._check(role_arn)

        def sign() -> dict[str, str]:
            return signed_headers(request, self.clouds.credentials(role_arn, self.run), service, region)

        return self._guarded(service).within(sign, "signature")

    def _guarded(self, service: str) -> GuardedClient:
        return GuardedClient(None, service, self.clouds.clock, self.deadline, self.stop)

    def _check(self, role_arn: str | None) -> None:
        """CloudError unless jobs may use the role."""
        if role_arn is None:
            raise CloudError("role_required", "Name the role as which the job uses AWS, in `role_arn`.")
        if role_arn not in self.clouds.roles:
            raise CloudError(
                "not_allowed",
                f"Jobs of this deployment may not use the role {role_arn[:200]}: "
                "its operator has to add it to JOB_ROLES.",
            )


def _how_to_be_trusted(role_arn: str, tenant: str) -> str:
    return (
        f"Chronos cannot assume the role {role_arn}: its trust policy has to allow sts:AssumeRole to Chronos's worker, "
        f"with the external id {tenant!r}."
    )


def _session_of(credentials: Any) -> Any:
    """A session of botocore that knows these credentials only."""
    from botocore.credentials import CredentialProvider, CredentialResolver
    from botocore.session import Session

    class Given(CredentialProvider):  # type: ignore[misc]
        METHOD = "given"

        def load(self) -> Any:
            return credentials

    session = Session()
    session.register_component("credential_provider", CredentialResolver([Given()]))
    return session
