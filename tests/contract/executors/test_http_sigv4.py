"""http jobs that sign for AWS: a server that computes the signature by itself from what it has received."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import pytest
from pydantic import ValidationError

from chalicelib.aws.clients import make_stock_client
from chalicelib.aws.clock import SystemClock
from chalicelib.aws.cloud import Clouds
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.executors.http.spec import Config
from chalicelib.ports.cloud import CloudError
from chalicelib.ports.stop import Stop
from tests.support.aws import ACCESS, moto
from tests.support.calls import RUN_ID, call_of, perform
from tests.support.doubles import ScriptedCloud
from tests.support.http_servers import Received, Talk, answering, serving
from tests.support.world import NOON

ROLE, REGION = "arn:aws:iam::123456789012:role/jobs", "eu-central-1"
AUTH = {"kind": "aws_sigv4", "role_arn": ROLE, "service": "execute-api", "region": REGION}


@dataclass
class Account:
    """AWS, whose STS tells what it has given."""

    sts: Any
    given: dict[str, str]

    def assume_role(self, **parameters: Any) -> Any:
        answer = self.sts.assume_role(**parameters)
        self.given = answer["Credentials"]
        return answer

    def outcome(self, config: dict[str, Any]) -> Outcome:
        clock = SystemClock()
        clouds = Clouds((ROLE,), clock, lambda _service: self, {"region_name": REGION})
        run = Run(RUN_ID, "default", "job_1", RunStatus.RUNNING, "manual", NOON, NOON, 1)
        cloud = clouds.of(run, clock.monotonic() + 10, Stop())
        return perform(call_of("http", config, cloud=cloud), "http")


@pytest.fixture
def account() -> Iterator[Account]:
    with moto():
        yield Account(make_stock_client("sts", **ACCESS), {})


def signature_of(request: Received, secret: str, service: str) -> str:
    """As AWS describes it, from the request as it came over the wire."""
    said = dict(
        part.strip().split("=", 1) for part in request.headers["authorization"].partition(" ")[2].split(",")
    )
    path, _, query = request.target.partition("?")
    pairs = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~"))
        for name, _, value in (each.partition("=") for each in query.split("&") if each)
    )
    names = said["SignedHeaders"].split(";")
    canonical = "\n".join(
        [
            request.method,
            path if service == "s3" else quote(path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{request.headers[name]}" for name in names),
            "",
            said["SignedHeaders"],
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    scope = said["Credential"].partition("/")[2]
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            request.headers["x-amz-date"],
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    assert hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == said["Signature"]
    return said["SignedHeaders"]


@pytest.mark.parametrize(
    ("path", "config", "service", "covered", "why"),
    [
        ("/", {"method": "GET"}, "execute-api", {"host"}, "the plainest"),
        ("/a/b?x=1&a=%2F", {"body": {"ä": 1}}, "execute-api", {"host", "content-type"}, "a body and a query"),
        ("/", {"query": {"b": "c d+e", "a": ["2", "1"]}}, "lambda", {"host"}, "spaces and pluses"),
        ("/ä%20b", {"method": "DELETE"}, "es", {"host"}, "a path that is encoded"),
        (
            "/",
            {"headers": {"X-Amz-Target": "A.B"}, "body": "{}"},
            "dynamodb",
            {"x-amz-target"},
            "a header of AWS",
        ),
        ("/k%20ey", {"method": "PUT", "body": "x"}, "s3", {"x-amz-content-sha256"}, "S3"),
        ("/", {"headers": {"x-amz-date": "mine"}}, "execute-api", {"x-amz-date"}, "a date of the job's own"),
    ],
)
def test_what_arrives_is_what_was_signed(
    account: Account, path: str, config: dict[str, Any], service: str, covered: set[str], why: str
) -> None:
    with serving(answering()) as server:
        outcome = account.outcome({"url": server.url(path), "auth": {**AUTH, "service": service}, **config})
    assert isinstance(outcome, Succeeded), outcome
    [request] = server.received
    signed = signature_of(request, account.given["SecretAccessKey"], service)
    assert covered | {"x-amz-security-token"} <= set(signed.split(";")), why
    assert request.headers["x-amz-security-token"] == account.given["SessionToken"]


def test_the_roles_token_is_not_shown_if_it_comes_back(account: Account) -> None:
    def echo(talk: Talk) -> None:
        while request := talk.read():
            talk.answer("200 OK", json.dumps(request.headers).encode())

    with serving(echo) as server:
        outcome = account.outcome({"url": server.url(), "auth": AUTH})
    assert isinstance(outcome, Succeeded)
    assert account.given["SessionToken"] not in outcome.result["body"]
    assert '"x-amz-security-token": "***"' in outcome.result["body"]


def test_a_role_that_cannot_be_assumed_fails_in_words_and_sends_nothing() -> None:
    refused = ScriptedCloud(
        refused=CloudError("not_allowed", "Jobs of this deployment may not use the role.")
    )
    with serving(answering()) as server:
        outcome = perform(call_of("http", {"url": server.url(), "auth": AUTH}, cloud=refused), "http")
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.message) == ("cloud", "Jobs of this deployment may not use the role.")
    assert server.received == []


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"auth": {**AUTH, "role_arn": "jobs"}}, "auth"),
        ({"auth": {**AUTH, "region": "Europe"}}, "auth"),
        ({"auth": {**AUTH, "service": "a/b"}}, "auth"),
        ({"auth": AUTH, "headers": {"authorization": "a"}}, "auth"),
        ({"auth": AUTH, "follow_redirects": True}, "follow_redirects"),
    ],
)
def test_what_cannot_be_signed_is_refused(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"url": "https://example.com/", **fields})
    assert caught.value.errors()[0]["loc"][0] == place
