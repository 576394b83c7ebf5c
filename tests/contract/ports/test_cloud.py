"""AWS for jobs, as roles of their owners: what is asked of STS, what is kept, how calls end, and what errors say."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

from chalicelib.aws.clients import make_stock_client
from chalicelib.aws.clock import SystemClock
from chalicelib.aws.cloud import KEPT_CLIENTS, SESSION_SECONDS, Clouds
from chalicelib.aws.cloud_client import GuardedClient
from chalicelib.domain.run import Run, RunStatus
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.stop import Stop
from tests.support.aws import ACCESS, moto
from tests.support.memory import FakeClock
from tests.support.world import NOON

ROLE, OTHER = "arn:aws:iam::123456789012:role/jobs", "arn:aws:iam::123456789012:role/other"
RUN = Run("run_01KVB7TZ00F3Z9S8D0QX4Y1W2E", "acme", "job_1", RunStatus.RUNNING, "manual", NOON, NOON, 1)


@dataclass
class Asked:
    """STS as the worker sees it: it notes who asks for what, and may refuse."""

    sts: Any
    calls: list[dict[str, Any]] = field(default_factory=list)
    refusal: Exception | None = None

    def assume_role(self, **parameters: Any) -> Any:
        self.calls.append(parameters)
        if self.refusal:
            raise self.refusal
        return self.sts.assume_role(**parameters)


@dataclass
class Account:
    """An AWS account with a role, and a process of Chronos that may use it."""

    sts: Asked
    clouds: Clouds
    seconds: float = 20
    stop: Stop = field(default_factory=Stop)

    def client(
        self, service: str = "s3", role: str | None = ROLE, region: str | None = None, run: Run = RUN
    ) -> Any:
        deadline = self.clouds.clock.monotonic() + self.seconds
        return self.clouds.of(run, deadline, self.stop).client(service, role_arn=role, region=region)


@pytest.fixture
def account() -> Iterator[Account]:
    with moto():
        sts = Asked(make_stock_client("sts", **ACCESS))
        clouds = Clouds((ROLE, OTHER), SystemClock(), lambda _service: sts, {"region_name": "eu-central-1"})
        yield Account(sts, clouds)


def refused(call: Callable[[], Any]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value


def test_a_job_acts_as_its_role_with_its_tenant_as_external_id(account: Account) -> None:
    identity = account.client("sts").get_caller_identity()
    assert identity["Arn"].endswith(":assumed-role/jobs/chronos-run_01KVB7TZ00F3Z9S8D0QX4Y1W2E")
    assert account.sts.calls == [
        {
            "RoleArn": ROLE,
            "RoleSessionName": f"chronos-{RUN.id}",
            "ExternalId": "acme",
            "DurationSeconds": SESSION_SECONDS,
        }
    ]


def test_a_role_is_assumed_once_for_each_tenant_and_a_client_made_once_for_each_service_and_region(
    account: Account,
) -> None:
    for service, region in (("s3", None), ("s3", None), ("s3", "us-west-2"), ("sqs", None)):
        account.client(service, region=region)
    assert len(account.sts.calls) == 1
    assert account.client()._client is account.client()._client
    account.client(role=OTHER)
    account.client(run=replace(RUN, tenant="rival"))
    assert [(call["RoleArn"], call["ExternalId"]) for call in account.sts.calls] == [
        (ROLE, "acme"),
        (OTHER, "acme"),
        (ROLE, "rival"),
    ]


def test_credentials_are_renewed_before_they_end(account: Account) -> None:
    credentials = account.clouds._credentials(ROLE, "acme", RUN)
    first = credentials.get_frozen_credentials().access_key
    credentials._expiry_time = credentials._expiry_time.replace(year=2000)
    assert credentials.get_frozen_credentials().access_key != first
    assert len(account.sts.calls) == 2


def test_clients_are_not_kept_without_end(account: Account) -> None:
    made = account.clouds._clients
    for number in range(KEPT_CLIENTS + 3):
        made[("s3", str(number), ROLE, "acme")] = object()
    account.client()
    assert len(made) == KEPT_CLIENTS
    assert ("s3", None, ROLE, "acme") in made


@pytest.mark.parametrize(
    ("role", "code", "said"),
    [
        (None, "role_required", "role_arn"),
        ("arn:aws:iam::123456789012:role/unknown", "not_allowed", "JOB_ROLES"),
        ("", "not_allowed", "JOB_ROLES"),
    ],
)
def test_only_roles_that_the_operator_lets_in_are_assumed(
    account: Account, role: str | None, code: str, said: str
) -> None:
    error = refused(lambda: account.client(role=role))
    assert (error.code, error.retryable, account.sts.calls) == (code, False, [])
    assert said in error.message


def test_a_role_that_does_not_trust_chronos_is_told_with_what_to_do(account: Account) -> None:
    said = {
        "Error": {"Code": "AccessDenied", "Message": "User: arn:aws:sts::1:assumed-role/worker is not ..."}
    }
    account.sts.refusal = ClientError(said, "AssumeRole")
    error = refused(account.client)
    assert (error.code, error.retryable) == ("AccessDenied", False)
    assert ROLE in error.message
    assert "external id 'acme'" in error.message
    assert "worker is not" not in error.message
    account.sts.refusal = None
    assert account.client().list_buckets()["Buckets"] == [], "who is trusted later is let in then"


@pytest.mark.parametrize(
    ("service", "region", "why"),
    [("nonsense", None, "no such service"), ("s3", "evil.example/", "no region"), ("s3", "a b", "no region")],
)
def test_what_is_no_service_or_region_is_a_cloud_error(
    account: Account, service: str, region: str | None, why: str
) -> None:
    assert not refused(lambda: account.client(service, region=region)).retryable, why


def test_files_lists_and_bodies_work_as_botocores(account: Account) -> None:
    s3 = account.client()
    s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for number in range(5):
        s3.put_object(Bucket="data", Key=f"k{number}", Body=b"x" * 100_000)
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(Bucket="data", PaginationConfig={"PageSize": 2})
    )
    assert [len(page["Contents"]) for page in pages] == [2, 2, 1]
    body = s3.get_object(Bucket="data", Key="k0")["Body"]
    assert body.read(10) == b"x" * 10
    assert sum(map(len, body.iter_chunks(1000))) == 99_990
    body.close()
    assert s3.get_object(Bucket="data", Key="k1")["Body"].read() == b"x" * 100_000
    assert s3.meta.region_name == "eu-central-1"


def test_an_error_of_the_service_is_told_with_its_code_and_status(account: Account) -> None:
    error = refused(lambda: account.client().get_object(Bucket="nobody", Key="k"))
    assert (error.code, error.status, error.retryable) == ("NoSuchBucket", 404, False)
    assert error.message.startswith("s3 get_object answered NoSuchBucket: ")
    pages = account.client().get_paginator("list_objects_v2").paginate(Bucket="nobody")
    assert refused(lambda: list(pages)).code == "NoSuchBucket"
    assert refused(lambda: account.client().get_paginator("get_object")).code == "OperationNotPageableError"


def test_parameters_that_do_not_fit_are_told_without_their_values(account: Account) -> None:
    error = refused(lambda: account.client().put_object(Bucket="data", Key={"secret": "hunter2"}, Nonsense=1))
    assert error.code == "bad_parameters"
    assert "hunter2" not in error.message
    assert "Key" in error.message


class Broken:
    """A client, and a body, whose every use raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def send(self, **_: Any) -> Any:
        raise self.error

    def get(self, **_: Any) -> Any:
        return {"Body": self}

    def read(self, _amt: int | None) -> bytes:
        raise self.error

    def iter_chunks(self) -> None:
        """As a body has it."""


def code_of(code: str, status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Send")


@pytest.mark.parametrize(
    ("raised", "code", "retryable"),
    [
        (code_of("ThrottlingException"), "ThrottlingException", True),
        (code_of("SlowDown", 503), "SlowDown", True),
        (code_of("Whatever", 500), "Whatever", True),
        (code_of("ResourceNotFoundException", 404), "ResourceNotFoundException", False),
        (ReadTimeoutError(endpoint_url="https://x"), "timeout", True),
        (ConnectTimeoutError(endpoint_url="https://x"), "timeout", True),
        (EndpointConnectionError(endpoint_url="https://x"), "connection", True),
        (ParamValidationError(report="a\nb, value: hunter2"), "bad_parameters", False),
    ],
    ids=lambda value: getattr(value, "args", [""])[0][:20] if isinstance(value, Exception) else "",
)
def test_nothing_of_botocores_is_raised(raised: Exception, code: str, retryable: bool) -> None:
    client = GuardedClient(Broken(raised), "sqs", SystemClock(), SystemClock().monotonic() + 10, Stop())
    for call in (client.send, client.get()["Body"].read):
        error = refused(call)
        assert (error.code, error.retryable) == (code, retryable)
        assert "hunter2" not in error.message


class Stuck:
    """A client that never answers, until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def invoke(self, **_: Any) -> None:
        self.let_go.wait(30)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    found = Stuck()
    yield found
    found.let_go.set()


def test_a_call_that_is_not_answered_ends_with_the_attempts_time(stuck: Stuck) -> None:
    clock = SystemClock()
    began = clock.monotonic()
    error = refused(lambda: GuardedClient(stuck, "lambda", clock, began + 0.5, Stop()).invoke())
    assert error.code == "timeout"
    assert 0.4 < clock.monotonic() - began < 3


def test_a_call_that_is_not_answered_ends_soon_after_the_wish_to_stop(stuck: Stuck) -> None:
    clock, stop = SystemClock(), Stop()
    threading.Timer(0.3, stop.want).start()
    began = clock.monotonic()
    error = refused(lambda: GuardedClient(stuck, "lambda", clock, began + 60, stop).invoke())
    assert error.code == "stopped"
    assert clock.monotonic() - began < 3


def test_after_the_deadline_nothing_is_called() -> None:
    clock = FakeClock()
    broken = GuardedClient(Broken(AssertionError()), "sqs", clock, clock.monotonic(), Stop())
    assert refused(broken.send).code == "timeout"


def test_a_client_is_no_place_for_names_of_its_own() -> None:
    client = GuardedClient(object(), "sqs", FakeClock(), 1, Stop())
    with pytest.raises(AttributeError):
        client._hidden  # noqa: B018
