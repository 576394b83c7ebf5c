"""Functions of Google and Azure, and the places that issue their tokens: real servers, over TLS."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from chalicelib.executors.cloud_function.endpoints import Endpoints
from chalicelib.executors.cloud_function.run import executor
from chalicelib.executors.registry import contained
from tests.support.calls import call_of
from tests.support.certificates import Authority
from tests.support.http_servers import Received, Server, Talk, serving

PRIVATE = rsa.generate_private_key(65537, 2048).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
ACCOUNT = {"client_email": "jobs@project.example", "private_key": PRIVATE.decode(), "private_key_id": "k1"}
ENTRA = {
    "directory": "d.example",
    "client_id": "app",
    "client_secret": "s3cret",
    "scope": "api://app/.default",
}


@dataclass
class Cloud:
    """A place that issues tokens, numbered, and a function. `refused` tokens get a 401."""

    authority: Authority
    server: Server | None = None
    issuing: tuple[str, bytes] = ("200 OK", b"")
    answer: tuple[str, bytes] = ("200 OK", b'{"done": true}')
    refused: set[str] = field(default_factory=set)
    issued: int = 0

    def __call__(self, talk: Talk) -> None:
        while request := talk.read():
            talk.answer(*(self._token() if request.target.startswith("/token") else self._function(request)))

    def _token(self) -> tuple[str, bytes]:
        self.issued += 1
        if self.issuing[1]:
            return self.issuing
        middle = urlsafe_b64encode(json.dumps({"exp": 9_999_999_999, "n": self.issued}).encode()).decode()
        said = {"id_token": f"h.{middle}.s", "access_token": f"azure-{self.issued}", "expires_in": 3599}
        return self.issuing[0], json.dumps(said).encode()

    def _function(self, request: Received) -> tuple[str, bytes]:
        if request.headers.get("authorization") in self.refused:
            return "401 Unauthorized", b""
        return self.answer

    def calls(self, path: str = "/call") -> list[Received]:
        assert self.server is not None
        return [each for each in self.server.received if each.target.startswith(path)]

    def perform(
        self, seconds: float = 10, settings: ExecutorSettings | None = None, **target: Any
    ) -> Outcome:
        assert self.server is not None
        host = self.server.url("", host="localhost", scheme="https")
        endpoints = Endpoints(f"{host}/token/google", f"{host}/token/{{directory}}")
        config = {"invoke": {"url": f"{host}/call", **target}}
        call = call_of(
            "cloud_function", config, seconds=seconds, settings=settings or self.authority.settings
        )
        return contained(executor(endpoints))(call)

    def google(self, **more: Any) -> Outcome:
        return self.perform(**{"service": "google", "credentials": json.dumps(ACCOUNT), **more})

    def azure(self, **more: Any) -> Outcome:
        return self.perform(**{"service": "azure", **ENTRA, **more})


@contextmanager
def running(cloud: Cloud) -> Iterator[Cloud]:
    with serving(cloud, tls=cloud.authority.server_context("localhost")) as cloud.server:
        yield cloud


@pytest.fixture
def cloud(authority: Authority) -> Iterator[Cloud]:
    with running(Cloud(authority)) as up:
        yield up


Use = Callable[..., Outcome]


def test_a_function_of_google_is_called_with_a_token_for_it(cloud: Cloud) -> None:
    outcome = cloud.google(body={"day": 1}, headers={"X-Mine": "yes"})
    assert isinstance(outcome, Succeeded)
    assert outcome.result["body"] == '{"done": true}'
    [asked] = cloud.calls("/token/google")
    form = parse_qs(asked.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = json.loads(_decoded(form["assertion"][0].split(".")[1]))
    assert claims["iss"] == "jobs@project.example"
    assert claims["target_audience"].startswith("https://localhost:")
    assert claims["exp"] - claims["iat"] == 3600
    [call] = cloud.calls()
    assert call.headers["authorization"].startswith("Bearer h.")
    assert (call.body, call.headers["content-type"]) == (b'{"day":1}', "application/json")
    assert call.headers["x-mine"] == "yes"


def test_a_function_of_azure_is_called_with_a_token_of_entra(cloud: Cloud) -> None:
    assert isinstance(cloud.azure(method="get"), Succeeded)
    [asked] = cloud.calls("/token/d.example")
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app"],
        "client_secret": ["s3cret"],
        "scope": ["api://app/.default"],
    }
    assert (cloud.calls()[0].method, cloud.calls()[0].headers["authorization"]) == ("GET", "Bearer azure-1")


def test_a_function_of_azure_is_called_with_its_key(cloud: Cloud) -> None:
    assert isinstance(cloud.perform(service="azure", function_key="k3y"), Succeeded)
    assert cloud.calls()[0].headers["x-functions-key"] == "k3y"
    assert cloud.issued == 0


@pytest.mark.parametrize("use", [Cloud.google, Cloud.azure])
def test_a_token_is_used_again(cloud: Cloud, use: Use) -> None:
    assert all(isinstance(use(cloud), Succeeded) for _ in range(3))
    assert cloud.issued == 1


def test_a_kept_token_that_is_refused_is_replaced_once(cloud: Cloud) -> None:
    cloud.azure()
    cloud.refused = {"Bearer azure-1"}
    assert isinstance(cloud.azure(), Succeeded)
    assert [call.headers["authorization"][-1] for call in cloud.calls()] == ["1", "1", "2"]
    cloud.refused = {"Bearer azure-2", "Bearer azure-3"}
    outcome = cloud.azure()
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.status) == ("authentication", 401)
    assert cloud.issued == 3


def test_a_new_token_that_is_refused_is_not_replaced(cloud: Cloud) -> None:
    cloud.refused = {"Bearer azure-1"}
    assert isinstance(cloud.azure(), Failed)
    assert (cloud.issued, len(cloud.calls())) == (1, 1)


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        ("400 Bad Request", "http_4xx", "the function's own"),
        ("403 Forbidden", "authentication", "it may not call"),
        ("429 Too Many Requests", "http_429", "later"),
        ("500 Internal Server Error", "http_5xx", "its trouble"),
        ("302 Found", "http_unexpected", "redirects are not followed: the token is for this URL"),
    ],
)
def test_each_answer_has_its_kind(cloud: Cloud, answer: str, kind: str, why: str) -> None:
    cloud.answer = (answer, b"")
    outcome = cloud.azure()
    assert isinstance(outcome, Failed)
    assert outcome.kind == kind, why


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (
            "400 Bad Request",
            b'{"error": "invalid_grant"}',
            "authentication",
            "refuses a token: invalid_grant",
        ),
        (
            "401 Unauthorized",
            b'{"error": "x", "error_description": "Gone."}',
            "authentication",
            "token: Gone.",
        ),
        ("500 Oops", b"<html>", "connection", "issues no token now: status 500"),
        ("200 OK", b"[]", "authentication", "refuses a token: status 200"),
        ("200 OK", b"{" * 70_000, "authentication", "refuses a token: status 200"),
    ],
)
@pytest.mark.parametrize("use", [Cloud.google, Cloud.azure])
def test_without_a_token_nothing_is_called(
    cloud: Cloud, status: str, body: bytes, kind: str, message: str, use: Use
) -> None:
    cloud.issuing = (status, body)
    outcome = use(cloud)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, message in outcome.message) == (kind, True), outcome.message
    assert cloud.calls() == []


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        ("no json", "not the key of a service account"),
        ("[]", "not the key of a service account"),
        ('{"client_email": "a", "private_key": 5}', "not the key of a service account"),
        ('{"client_email": "a", "private_key": "hunter2"}', "cannot sign: the private key is not in PKCS #8"),
    ],
)
def test_credentials_that_are_none_are_told_and_not_shown(
    cloud: Cloud, credentials: str, message: str
) -> None:
    outcome = cloud.google(credentials=credentials)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "authentication"
    assert message in outcome.message
    assert "hunter2" not in outcome.message


@pytest.mark.parametrize("use", [Cloud.google, Cloud.azure])
def test_a_silent_place_of_tokens_does_not_outlast_the_deadline(authority: Authority, use: Use) -> None:
    def silent(talk: Talk) -> None:
        talk.read()
        talk.stop.wait(20)

    quiet = Cloud(authority)
    with serving(silent, tls=authority.server_context("localhost")) as quiet.server:
        outcome = use(quiet, seconds=0.5)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "timeout"


def test_a_private_address_is_refused_to_the_function_and_to_the_token(cloud: Cloud) -> None:
    closed = ExecutorSettings(ca_file=cloud.authority.settings.ca_file)
    for outcome in (
        cloud.azure(settings=closed),
        cloud.perform(service="azure", function_key="k", settings=closed),
    ):
        assert isinstance(outcome, Failed)
        assert outcome.kind == "forbidden_target"
    assert cloud.server is not None
    assert cloud.server.connections == []


def test_a_server_without_a_good_certificate_gets_no_token(cloud: Cloud) -> None:
    distrusting = ExecutorSettings(allow_networks=("127.0.0.0/8", "::1/128"))
    outcome = cloud.perform(service="azure", function_key="k", settings=distrusting)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "connection"
    assert cloud.calls() == []


def _decoded(part: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
