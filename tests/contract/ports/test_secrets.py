"""What Secrets promises: the twin, the Parameter Store as moto knows it, and as the emulator knows it."""

import itertools
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from chalicelib.aws.ssm import FRESH_SECONDS, KEPT_SECONDS, SsmSecrets
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.secrets import NoSecrets, Secrets
from infra.local.fixtures import Stack
from tests.support.aws import emulated, moto
from tests.support.memory import FakeClock, MemorySecrets
from tests.support.wire import Reply, ScriptedAws, error, lost

COUNT = itertools.count()
TEXT = '[{"id": "a", "key": "ü \\"quoted\\""}]'


class Safe(Protocol):
    """Secrets, and a hand that puts something in."""

    @property
    def secrets(self) -> Secrets: ...

    def put(self, name: str, text: str) -> None: ...


class TwinSafe:
    def __init__(self) -> None:
        self.secrets = MemorySecrets()

    def put(self, name: str, text: str) -> None:
        self.secrets.texts[name] = text


class SsmSafe:
    def __init__(self, client: Any) -> None:
        self._client, self._prefix = client, f"/contract/{next(COUNT)}"
        self.secrets = SsmSecrets(lambda: client, self._prefix, FakeClock())

    def put(self, name: str, text: str) -> None:
        self._client.put_parameter(Name=f"{self._prefix}/{name}", Value=text, Type="SecureString")


@pytest.fixture
def moto_safe() -> Iterator[SsmSafe]:
    with moto() as client:
        yield SsmSafe(client("ssm"))


@pytest.fixture
def emulator_safe(stack: Stack) -> SsmSafe:
    return SsmSafe(emulated("ssm", stack.aws))


@pytest.fixture(params=["twin", "moto", pytest.param("emulator", marks=pytest.mark.e2e)])
def safe(request: pytest.FixtureRequest) -> Safe:
    if request.param == "twin":
        return TwinSafe()
    found: Safe = request.getfixturevalue(f"{request.param}_safe")
    return found


def test_what_was_put_in_is_read(safe: Safe) -> None:
    safe.put("signing-key", TEXT)
    safe.put("public-url", "https://example.com/api")
    assert safe.secrets.read("signing-key") == TEXT
    assert safe.secrets.read("public-url", fresh=True) == "https://example.com/api"


def test_what_is_not_there_is_none(safe: Safe) -> None:
    assert safe.secrets.read("signing-key") is None


def test_a_deployment_without_secrets_has_none() -> None:
    assert NoSecrets().read("signing-key") is None


class Scripted:
    """The adapter over a script."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.aws, self.clock = ScriptedAws(answers), FakeClock()
        client = self.aws.client("ssm")
        self.secrets = SsmSecrets(lambda: client, "/chronos/dev", self.clock)

    def read(self, *, fresh: bool = False) -> str | None:
        return self.secrets.read("signing-key", fresh=fresh)


def found(text: str) -> Reply:
    return Reply({"Parameter": {"Value": text}})


def test_a_text_is_asked_for_decrypted_and_kept_for_five_minutes() -> None:
    scripted = Scripted(found("one"), found("two"))
    assert scripted.read() == scripted.read() == "one"
    scripted.clock.ms += KEPT_SECONDS * 1000 - 1  # type: ignore[assignment]
    assert scripted.read() == "one"
    scripted.clock.ms += 1
    assert scripted.read() == "two"
    assert [sent.body for sent in scripted.aws.sent] == [
        {"Name": "/chronos/dev/signing-key", "WithDecryption": True}
    ] * 2


def test_a_fresh_one_is_asked_for_at_most_every_ten_seconds() -> None:
    scripted = Scripted(found("one"), found("two"))
    assert [scripted.read(fresh=True) for _ in range(3)] == ["one"] * 3
    scripted.clock.ms += FRESH_SECONDS * 1000  # type: ignore[assignment]
    assert [scripted.read(fresh=True) for _ in range(3)] == ["two"] * 3


def test_what_is_missing_is_not_asked_for_each_time() -> None:
    scripted = Scripted(error("ParameterNotFound"))
    assert [scripted.read() for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("trouble", [error("ThrottlingException"), error("InternalServerError", 500), lost()])
def test_what_was_read_before_is_good_while_the_store_does_not_answer(trouble: Reply | Exception) -> None:
    scripted = Scripted(found("one"), trouble, trouble, trouble, found("two"))
    assert scripted.read() == "one"
    scripted.clock.ms += KEPT_SECONDS * 1000  # type: ignore[assignment]
    assert scripted.read() == "one"
    assert scripted.read() == "two"


def test_before_the_first_answer_there_is_nothing_to_go_on_with() -> None:
    with pytest.raises(Unavailable):
        Scripted(lost(), lost(), lost()).read()
