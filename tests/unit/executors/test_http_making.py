"""The request of an attempt: its signature, its trace, and what follows a redirect."""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.trace import traceparent
from chalicelib.executors.http.making import request_of
from chalicelib.executors.http.redirects import following
from chalicelib.executors.http.signature import Signature, signed_headers
from chalicelib.executors.http.spec import Config
from tests.support.calls import RUN_ID, call_of
from tests.support.memory import FakeClock

NEW, OLD = ("whsec_" + b64encode(letter * 32).decode() for letter in (b"n", b"o"))
URL = "https://example.com/hook"


def request(**config: Any) -> Any:
    return request_of(call_of("http", {"url": URL, **config}, clock=FakeClock(1_700_000_000_999)))


def test_the_example_of_the_standards_authors_is_signed_as_they_have_it() -> None:
    signature = Signature(secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    headers = signed_headers(signature, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_request_is_signed_by_each_secret_for_the_run_and_the_moment_of_the_attempt() -> None:
    made = request(body={"a": 1}, signature={"secrets": [NEW, OLD]}, headers={"Webhook-Id": "mine"})
    headers = made.all_headers()
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (RUN_ID, "1700000000")
    assert "Webhook-Id" not in headers
    content = f"{RUN_ID}.1700000000.".encode() + b'{"a":1}'
    for secret, signed in zip((NEW, OLD), headers["webhook-signature"].split(" "), strict=True):
        code = hmac.new(b64decode(secret.removeprefix("whsec_")), content, hashlib.sha256).digest()
        assert signed == f"v1,{b64encode(code).decode()}"


def test_a_request_without_a_body_is_signed_too() -> None:
    assert request(method="GET", signature={"secrets": [NEW]}).headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize(
    ("secrets", "why"),
    [
        ([], "none"),
        ([NEW] * 5, "too many"),
        (["secret"], "no prefix"),
        (["whsec_"], "nothing"),
        (["whsec_" + b64encode(b"x" * 23).decode()], "too short"),
        (["whsec_" + b64encode(b"x" * 65).decode()], "too long"),
        (["whsec_ü" + NEW], "no base64"),
    ],
)
def test_a_secret_that_signs_nothing_is_refused(secrets: list[str], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"url": URL, "signature": {"secrets": secrets}})
    assert caught.value.errors()[0]["loc"][:2] == ("signature", "secrets"), why


def test_secrets_are_not_in_what_a_config_looks_like() -> None:
    assert NEW not in repr(Config.model_validate({"url": URL, "signature": {"secrets": [NEW]}}))


def test_a_trace_is_the_runs_and_each_attempt_is_a_span_of_it() -> None:
    first, second, other = traceparent("run_1", 1), traceparent("run_1", 2), traceparent("run_2", 1)
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", first)
    assert first == traceparent("run_1", 1)
    assert first[:36] == second[:36] != other[:36]
    assert first[36:] != second[36:]
    assert request(headers={"Traceparent": "mine"}).all_headers().get("Traceparent") == "mine"


def test_a_redirect_that_drops_the_body_drops_its_signature() -> None:
    made = request(body="x", signature={"secrets": [NEW]}, headers={"X-Own": "1"})
    after = following(made, 303, "/other")
    assert after is not None
    assert {name for name in after.all_headers() if name.startswith("webhook")} == set()
    assert after.headers["X-Own"] == "1"
    kept = following(made, 307, "/other")
    assert kept is not None
    assert kept.headers["webhook-signature"] == made.headers["webhook-signature"]
    elsewhere = following(made, 307, "https://other.example/")
    assert elsewhere is not None
    assert "webhook-signature" not in elsewhere.headers
