"""Our signatures beside botocore's: the same for the same request, credentials and moment."""

import time
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError

from chalicelib.aws.clients import make_lean
from chalicelib.aws.signing import Signer
from chalicelib.ports.queue import Outgoing
from tests.support.aws import ACCESS
from tests.support.wire import Reply, ScriptedPorts, Sent, accepted

EVENING, MORNING = 1_800_057_599, 1_800_057_601
"""Epoch seconds just before and just after a midnight in UTC."""
HEADERS = {
    "X-Amz-Target": "DynamoDB_20120810.Query",
    "Content-Type": "application/x-amz-json-1.0",
    "User-Agent": "chronos",
    "X-Amzn-Trace-Id": "Root=1-2",
    "amz-sdk-invocation-id": "8f",
    "X-Amzn-Query-Mode": "  true  or  false ",
}
BODY = '{"TableName":"ü"}'.encode()
PLAIN = Credentials("AKIDEXAMPLE", "secret/+key")
OF_A_ROLE = Credentials("ASIA", "secret", "token//==")
CASES = [
    ("DynamoDB's own address", "https://dynamodb.us-east-1.amazonaws.com/", BODY, PLAIN),
    ("no path at all", "https://dynamodb.us-east-1.amazonaws.com", BODY, PLAIN),
    ("a role's credentials have a token", "https://sqs.eu-west-3.amazonaws.com/", BODY, OF_A_ROLE),
    ("a local system has a port", "http://127.0.0.1:8000/", BODY, PLAIN),
    ("the usual port is not part of the host", "https://Dynamodb.us-east-1.amazonaws.com:443/", BODY, PLAIN),
    ("a proxy may have a path", "http://localhost:4566/a b/~c", BODY, PLAIN),
    ("an empty body", "https://sqs.us-east-1.amazonaws.com/", b"", PLAIN),
]


def request(url: str, body: bytes = BODY) -> AWSRequest:
    made = AWSRequest("POST", url, dict(HEADERS), body)
    made.context = {}
    return made


def stock_authorization(
    signed: AWSRequest | Sent, url: str, body: bytes, keys: Credentials, place: Any
) -> str:
    """What botocore would sign the same headers with, at the moment that they name."""
    names = signed.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: value for name, value in signed.headers.items() if name.lower() in names}
    stock, again = SigV4Auth(keys, *place), AWSRequest("POST", url, headers, body)
    again.context = {"timestamp": signed.headers["X-Amz-Date"]}
    signature = stock.signature(stock.string_to_sign(again, stock.canonical_request(again)), again)
    stock._inject_signature_to_request(again, signature)
    return str(again.headers["Authorization"])


@pytest.mark.parametrize(("url", "body", "keys"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_a_request_is_signed_as_botocore_signs_it(url: str, body: bytes, keys: Credentials) -> None:
    ours, theirs = request(url, body), request(url, body)
    Signer(keys, "dynamodb", "us-east-1", lambda: time.gmtime(EVENING))(ours)
    stock = SigV4Auth(keys, "dynamodb", "us-east-1")
    theirs.context["timestamp"] = "20270115T235959Z"
    stock._modify_request_before_signing(theirs)
    signature = stock.signature(stock.string_to_sign(theirs, stock.canonical_request(theirs)), theirs)
    stock._inject_signature_to_request(theirs, signature)
    assert dict(ours.headers) == dict(theirs.headers)


def test_the_next_day_and_new_credentials_have_keys_of_their_own() -> None:
    moments = iter([EVENING, MORNING, MORNING])
    keys = Credentials("AKIDEXAMPLE", "secret")
    signer = Signer(keys, "sqs", "us-east-1", lambda: time.gmtime(next(moments)))
    url = "https://sqs.us-east-1.amazonaws.com/"
    for secret in ("secret", "secret", "another"):
        keys.secret_key = secret
        signed = request(url)
        signer(signed)
        assert signed.headers["Authorization"] == stock_authorization(
            signed, url, BODY, keys, ("sqs", "us-east-1")
        )


def test_without_credentials_nothing_is_signed() -> None:
    with pytest.raises(NoCredentialsError):
        Signer(None, "sqs", "us-east-1")(request("https://sqs.us-east-1.amazonaws.com/"))


def test_what_our_clients_send_is_signed_for_their_service_and_region() -> None:
    ports = ScriptedPorts(Reply({}), accepted(0))
    ports.table.get(("p", "s"))
    ports.lane.send([Outgoing("a")])
    for sent, service in zip(ports.sent, ("dynamodb", "sqs"), strict=True):
        assert f"/{ACCESS['region_name']}/{service}/aws4_request" in sent.headers["Authorization"]
        names = sent.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        needed = {"host", "content-type"} | {
            n.lower() for n in sent.headers if n.lower().startswith("x-amz-")
        }
        assert needed <= set(names), "AWS wants all of these signed"


def test_a_client_whose_parts_lie_elsewhere_keeps_its_own() -> None:
    class OfALaterBotocore:
        def __init__(self) -> None:
            self.signer = object()

    later = OfALaterBotocore()
    before = dict(vars(later))
    make_lean(later, "dynamodb")
    assert vars(later) == before
