"""What JobSecrets promises: the twin, both stores as moto knows them, and as the emulator knows them."""

import threading
from base64 import b64encode
from collections.abc import Iterator
from secrets import token_hex
from typing import Any, Protocol

import pytest

from chalicelib.aws.job_secrets import MISSING_SECONDS, PAUSE_SECONDS, AwsJobSecrets
from chalicelib.aws.kept import Kept
from chalicelib.aws.ssm import KEPT_SECONDS
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.templates import SecretRef, Store
from chalicelib.ports.job_secrets import JobSecrets, NoJobSecrets
from infra.local.fixtures import Stack
from tests.support.aws import emulated, moto
from tests.support.memory import FakeClock, MemoryJobSecrets
from tests.support.wire import Reply, ScriptedAws, error, lost

TEXT = '{"password": "ü \\"quoted\\"\\n"}'
STORES: tuple[Store, ...] = ("secrets", "secretsmanager")


class Safe(Protocol):
    """JobSecrets, and the hand of a tenant that puts something in."""

    @property
    def secrets(self) -> JobSecrets: ...

    def put(self, tenant: str, store: Store, name: str, text: str) -> None: ...


class TwinSafe:
    def __init__(self) -> None:
        self.secrets = MemoryJobSecrets()

    def put(self, tenant: str, store: Store, name: str, text: str) -> None:
        self.secrets.put(tenant, f"{store}.{name}", text)


class AwsSafe:
    def __init__(self, lean: Any, whole: Any) -> None:
        self._whole, self._stage = whole, f"contract-{token_hex(4)}"
        self.secrets = AwsJobSecrets(lean, self._stage, FakeClock())

    def put(self, tenant: str, store: Store, name: str, text: str) -> None:
        if store == "secrets":
            wanted = f"/chronos/{self._stage}/secrets/{tenant}/{name}"
            self._whole("ssm").put_parameter(Name=wanted, Value=text, Type="SecureString")
        else:
            wanted = f"chronos/{self._stage}/{tenant}/{name}"
            self._whole("secretsmanager").create_secret(
                Name=wanted, SecretString=text, ClientRequestToken=token_hex(16)
            )


@pytest.fixture
def moto_safe() -> Iterator[AwsSafe]:
    with moto() as client:
        yield AwsSafe(client, client)


@pytest.fixture
def emulator_safe(stack: Stack) -> AwsSafe:
    return AwsSafe(lambda service: emulated(service, stack.aws), stack.client)


@pytest.fixture(params=["twin", "moto", pytest.param("emulator", marks=pytest.mark.e2e)])
def safe(request: pytest.FixtureRequest) -> Safe:
    if request.param == "twin":
        return TwinSafe()
    found: Safe = request.getfixturevalue(f"{request.param}_safe")
    return found


@pytest.mark.parametrize("store", STORES)
def test_what_a_tenant_put_in_is_read_whole_whatever_the_field(safe: Safe, store: Store) -> None:
    safe.put("acme", store, "db", TEXT)
    assert safe.secrets.read("acme", SecretRef(store, "db")) == TEXT
    assert safe.secrets.read("acme", SecretRef(store, "db", "password")) == TEXT


@pytest.mark.parametrize("store", STORES)
def test_another_tenant_or_store_has_it_not(safe: Safe, store: Store) -> None:
    safe.put("acme", store, "db", TEXT)
    other: Store = "secrets" if store == "secretsmanager" else "secretsmanager"
    assert safe.secrets.read("acm", SecretRef(store, "db")) is None
    assert safe.secrets.read("acme", SecretRef(store, "d")) is None
    assert safe.secrets.read("acme", SecretRef(other, "db")) is None


@pytest.mark.parametrize("tenant", ["", "..", "acme/db", "acme/../acme", "*", "a" * 65])
def test_what_cannot_be_a_tenant_leads_to_no_name(tenant: str) -> None:
    scripted = Scripted()
    assert scripted.secrets.read(tenant, SecretRef("secrets", "db")) is None
    assert scripted.aws.sent == []


def test_a_deployment_without_secrets_says_so() -> None:
    with pytest.raises(Unavailable):
        NoJobSecrets().read("acme", SecretRef("secrets", "db"))


class Scripted:
    """The adapter over a script."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.aws, self.clock = ScriptedAws(answers), FakeClock()
        self.secrets = AwsJobSecrets(self.aws.client, "dev", self.clock)

    def read(self, store: Store = "secretsmanager") -> str | None:
        return self.secrets.read("acme", SecretRef(store, "db"))

    def wait(self, seconds: float) -> None:
        self.clock.ms += seconds * 1000  # type: ignore[assignment]


def found(text: str) -> Reply:
    return Reply({"SecretString": text, "Parameter": {"Value": text}})


def test_each_store_is_asked_by_the_name_below_stage_and_tenant() -> None:
    scripted = Scripted(found("one"), found("two"))
    assert [scripted.read(store) for store in STORES] == ["one", "two"]
    assert [(sent.operation, sent.body) for sent in scripted.aws.sent] == [
        ("GetParameter", {"Name": "/chronos/dev/secrets/acme/db", "WithDecryption": True}),
        ("GetSecretValue", {"SecretId": "chronos/dev/acme/db"}),
    ]


def test_a_text_is_kept_for_five_minutes() -> None:
    scripted = Scripted(found("one"), found("two"))
    assert [scripted.read() for _ in range(3)] == ["one"] * 3
    scripted.wait(KEPT_SECONDS)
    assert scripted.read() == "two"


@pytest.mark.parametrize(
    ("store", "code"),
    [
        ("secrets", "ParameterNotFound"),
        ("secretsmanager", "ResourceNotFoundException"),
        ("secretsmanager", "InvalidRequestException"),
    ],
)
def test_what_is_missing_may_be_put_in_and_is_soon_found(store: Store, code: str) -> None:
    scripted = Scripted(error(code), found("new"))
    assert [scripted.read(store) for _ in range(3)] == [None] * 3
    scripted.wait(MISSING_SECONDS)
    assert scripted.read(store) == "new"


@pytest.mark.parametrize(
    "trouble",
    [
        [error("ThrottlingException")] * 3,
        [error("InternalServerError", 500)] * 3,
        [lost()] * 3,
        [error("AccessDeniedException")],
    ],
)
def test_what_was_read_before_is_good_while_the_store_gives_none_and_it_is_not_asked_by_everybody(
    trouble: list[Reply | Exception],
) -> None:
    scripted = Scripted(found("one"), *trouble, found("two"))
    assert scripted.read() == "one"
    scripted.wait(KEPT_SECONDS)
    assert [scripted.read() for _ in range(5)] == ["one"] * 5
    assert len(scripted.aws.sent) == 1 + len(trouble)
    scripted.wait(PAUSE_SECONDS)
    assert scripted.read() == "two"


@pytest.mark.parametrize(
    "trouble", [[lost()] * 3, [error("AccessDeniedException")], [error("DecryptionFailure")]]
)
def test_before_the_first_answer_there_is_nothing_to_go_on_with(trouble: list[Reply | Exception]) -> None:
    with pytest.raises(Unavailable) as caught:
        Scripted(*trouble).read()
    assert "acme" not in caught.value.message


def test_one_that_was_refused_somewhere_is_asked_for_again_after_ten_seconds() -> None:
    scripted = Scripted(found("old"), found("new"))
    ref = SecretRef("secretsmanager", "db", "password")
    scripted.secrets.doubt("acme", ref)
    assert scripted.read() == "old"
    scripted.secrets.doubt("acme", ref)
    scripted.secrets.doubt("other", ref)
    assert scripted.read() == "old"
    scripted.wait(MISSING_SECONDS)
    assert scripted.read() == "new"
    scripted.wait(MISSING_SECONDS)
    assert scripted.read() == "new", "nobody doubts the new one"


def test_a_binary_secret_is_its_text_if_it_is_one() -> None:
    assert Scripted(Reply({"SecretBinary": b64encode(b"text").decode()})).read() == "text"
    with pytest.raises(Unavailable, match="binary"):
        Scripted(Reply({"SecretBinary": b64encode(b"\xff\x00").decode()})).read()


def test_threads_that_want_the_same_one_fetch_it_once() -> None:
    kept, fetched, together = Kept(FakeClock()), [], threading.Barrier(8)

    def fetch() -> str:
        fetched.append(1)
        return "text"

    def work() -> None:
        together.wait()
        assert kept.text("key", fetch, seconds=300, seconds_missing=10) == "text"

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(fetched) == 1


def test_no_more_is_kept_than_there_is_room_for() -> None:
    kept, fetched = Kept(FakeClock(), most=2), []

    def read(key: str) -> None:
        kept.text(key, lambda: fetched.append(key) or key, seconds=300, seconds_missing=10)  # type: ignore[func-returns-value]

    for key in ("a", "b", "a", "c", "b", "a"):
        read(key)
    assert fetched == ["a", "b", "c", "a"], "the oldest was forgotten"
