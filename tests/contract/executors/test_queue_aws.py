"""message_queue jobs on SQS, SNS and EventBridge: moto's, and answers as told where moto never fails."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.ports.cloud import Cloud, CloudError, NoCloud
from tests.support.aws import ACCESS
from tests.support.calls import RUN_ID, call_of, perform
from tests.support.doubles import ScriptedCloud

ROLE = "arn:aws:iam::123456789012:role/of-the-owner"
Queue = dict[str, Any]


@dataclass(frozen=True)
class _Translating:
    """A client as the port promises it: no error of botocore's leaves it."""

    client: Any

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            try:
                return getattr(self.client, operation)(**parameters)
            except ClientError as error:
                told, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
                raise CloudError(
                    told["Code"], told["Message"], status=status, retryable=status >= 500
                ) from error

        return call


class _Moto:
    """AWS in this process; it remembers as whom it was used."""

    def __init__(self) -> None:
        self.roles: set[str | None] = set()

    def client(self, service: str, *, role_arn: str | None, region: str | None = None) -> Any:
        self.roles.add(role_arn)
        return _Translating(boto3.client(service, **{**ACCESS, "region_name": region}))


@pytest.fixture
def aws() -> Iterator[_Moto]:
    with mock_aws():
        yield _Moto()


def outcome(cloud: Cloud, queue: Queue, **operation: Any) -> Outcome:
    """Of one attempt."""
    config = {"queue": queue | {"role_arn": ROLE}, "operation": operation}
    if "to" in operation:
        operation["to"] = operation["to"] | {"role_arn": ROLE}
    return perform(call_of("message_queue", config, cloud=cloud), "message_queue")


def _failure(found: Outcome) -> Failed:
    assert isinstance(found, Failed), found
    return found


def _sqs() -> Any:
    return boto3.client("sqs", **ACCESS)


def _queue(name: str, **attributes: str) -> Queue:
    url = _sqs().create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = _sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return {"kind": "sqs", "arn": arn}


def _messages(name: str) -> list[dict[str, Any]]:
    url, found = _sqs().get_queue_url(QueueName=name)["QueueUrl"], []
    while (
        messages := _sqs()
        .receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        )
        .get("Messages")
    ):
        found += messages
    return found


def test_messages_arrive_with_their_attributes_by_the_owners_role(aws: _Moto) -> None:
    queue = _queue("orders")
    messages = [{"body": {"n": number}, "headers": {"x-kind": "daily"}} for number in range(25)]
    assert outcome(aws, queue, action="publish", messages=messages) == Succeeded({"published": 25})
    found = _messages("orders")
    assert sorted(json.loads(message["Body"])["n"] for message in found) == list(range(25))
    attributes = {name: value["StringValue"] for name, value in found[0]["MessageAttributes"].items()}
    assert (attributes["x-kind"], attributes["content-type"]) == ("daily", "application/json")
    assert attributes["chronos-message-id"].startswith(RUN_ID)
    assert aws.roles == {ROLE}


def test_a_fifo_queue_drops_what_the_next_attempt_sends_again(aws: _Moto) -> None:
    queue = _queue("orders.fifo", FifoQueue="true")
    messages = [{"body": number, "key": f"k{number % 2}"} for number in range(4)]
    for _ in range(2):
        assert outcome(aws, queue, action="publish", messages=messages) == Succeeded({"published": 4})
    found = _messages("orders.fifo")
    assert sorted((message["Body"], message["Attributes"]["MessageGroupId"]) for message in found) == [
        ("0", "k0"),
        ("1", "k1"),
        ("2", "k0"),
        ("3", "k1"),
    ]


def test_the_depth_decides_and_a_purge_empties(aws: _Moto) -> None:
    queue = _queue("orders")
    outcome(aws, queue, action="publish", messages=[{"body": "x"}] * 3)
    assert outcome(aws, queue, action="depth") == Succeeded({"depth": 3})
    assert _failure(outcome(aws, queue, action="depth", fail_above=2)).kind == "condition"
    assert outcome(aws, queue, action="purge", confirm="orders") == Succeeded({"purged": "orders"})
    assert outcome(aws, queue, action="depth") == Succeeded({"depth": 0})


def test_messages_are_forwarded_and_deleted(aws: _Moto) -> None:
    source, to = _queue("orders"), _queue("archive")
    messages = [{"body": str(number), "headers": {"n": str(number)}} for number in range(23)]
    outcome(aws, source, action="publish", messages=messages)
    found = outcome(aws, source, action="forward", to=to, idle_seconds=0.5)
    assert found == Succeeded({"forwarded": 23, "ended": "empty"})
    arrived = {message["Body"]: message["MessageAttributes"] for message in _messages("archive")}
    assert len(arrived) == 23
    assert arrived["7"]["n"]["StringValue"] == "7"
    assert arrived["7"]["chronos-message-id"]["StringValue"] == f"{RUN_ID}.7"
    assert _messages("orders") == []


def test_a_queue_that_does_not_exist_is_told(aws: _Moto) -> None:
    missing = {"kind": "sqs", "arn": "arn:aws:sqs:eu-central-1:123456789012:missing"}
    failed = _failure(outcome(aws, missing, action="depth"))
    assert (failed.kind, failed.retryable) == ("cloud", False)


def test_a_topic_delivers_to_its_subscribers(aws: _Moto) -> None:
    queue, sns = _queue("subscriber"), boto3.client("sns", **ACCESS)
    arn = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue["arn"])
    topic = {"kind": "sns", "arn": arn, "subject": "News"}
    messages = [{"body": f"m{number}"} for number in range(12)]
    assert outcome(aws, topic, action="publish", messages=messages) == Succeeded({"published": 12})
    found = [json.loads(message["Body"]) for message in _messages("subscriber")]
    assert sorted(message["Message"] for message in found) == sorted(f"m{number}" for number in range(12))
    assert {message["Subject"] for message in found} == {"News"}


def test_a_topic_takes_no_message_that_is_empty_or_no_text(aws: _Moto) -> None:
    arn = boto3.client("sns", **ACCESS).create_topic(Name="news")["TopicArn"]
    messages: list[dict[str, Any]] = [{}, {"body": "/w==", "base64": True}, {"body": "ok"}]
    failed = _failure(outcome(aws, {"kind": "sns", "arn": arn}, action="publish", messages=messages))
    assert (failed.kind, failed.retryable) == ("cloud", False)
    assert failed.result is not None
    assert [(one["index"], one["code"]) for one in failed.result["refused"]] == [
        (0, "empty"),
        (1, "not_text"),
    ]


def test_a_bus_takes_events(aws: _Moto) -> None:
    arn = boto3.client("events", **ACCESS).create_event_bus(Name="shop")["EventBusArn"]
    messages = [{"body": {"n": number}} for number in range(12)]
    bus = {"kind": "eventbridge", "arn": arn}
    assert outcome(aws, bus, action="publish", messages=messages) == Succeeded({"published": 12})


def test_an_event_is_what_its_message_says() -> None:
    cloud = ScriptedCloud().on("events", "put_events", {"Entries": [{"EventId": "1"}]})
    outcome(cloud, BUS | {"detail_type": "order"}, action="publish", messages=[{"body": {"n": 1}}])
    [asked] = cloud.asked
    assert (asked.role_arn, asked.region) == (ROLE, "eu-central-1")
    [entry] = asked.parameters["Entries"]
    assert entry == {
        "EventBusName": BUS["arn"],
        "Source": "chronos",
        "DetailType": "order",
        "Detail": '{"n":1}',
    }


SQS = {"kind": "sqs", "arn": "arn:aws:sqs:eu-central-1:123456789012:orders"}
SNS = {"kind": "sns", "arn": "arn:aws:sns:eu-central-1:123456789012:news"}
BUS = {"kind": "eventbridge", "arn": "arn:aws:events:eu-central-1:123456789012:event-bus/shop"}
URL = {"QueueUrl": "https://queue"}


def _entry(id_: str, *, lasting: bool) -> dict[str, Any]:
    return {"Id": id_, "Code": "Busy", "Message": "try again", "SenderFault": lasting}


@pytest.mark.parametrize("lasting", [False, True])
def test_entries_that_sqs_refuses_are_told(lasting: bool) -> None:
    cloud = ScriptedCloud().on("sqs", "get_queue_url", URL)
    cloud.on("sqs", "send_message_batch", {}, {"Failed": [_entry("1", lasting=lasting)]})
    failed = _failure(outcome(cloud, SQS, action="publish", messages=[{"body": "x"}] * 12))
    assert (failed.kind, failed.retryable) == ("cloud", not lasting)
    assert failed.result == {
        "published": 11,
        "refused": [{"index": 11, "code": "Busy", "message": "try again"}],
    }


def test_entries_that_sns_and_eventbridge_refuse_are_told() -> None:
    cloud = ScriptedCloud().on("sns", "publish_batch", {"Failed": [_entry("0", lasting=False)]})
    refused = _failure(outcome(cloud, SNS, action="publish", messages=[{"body": "x"}]))
    assert (refused.kind, refused.retryable) == ("cloud", True)
    entries = [{"EventId": "1"}, {"ErrorCode": "ThrottlingException", "ErrorMessage": "slowly"}]
    cloud.on("events", "put_events", {"Entries": entries})
    refused = _failure(outcome(cloud, BUS, action="publish", messages=[{"body": {}}] * 2))
    assert (refused.kind, refused.retryable) == ("cloud", True)
    assert "number 1: slowly" in refused.message


def test_what_sqs_does_not_delete_is_a_failure() -> None:
    message = {"MessageId": "1", "Body": "x", "ReceiptHandle": "h"}
    cloud = ScriptedCloud().on("sqs", "get_queue_url", URL)
    cloud.on("sqs", "receive_message", {"Messages": [message]}).on("sqs", "send_message_batch", {})
    cloud.on("sqs", "delete_message_batch", {"Failed": [_entry("0", lasting=False)]})
    failed = _failure(outcome(cloud, SQS, action="forward", to=SQS))
    assert (failed.kind, "come again" in failed.message) == ("cloud", True)


def test_what_the_other_queue_refuses_is_seen_again_at_once() -> None:
    message = {"MessageId": "1", "Body": "no object", "ReceiptHandle": "h"}
    cloud = ScriptedCloud().on("sqs", "get_queue_url", URL)
    cloud.on("sqs", "receive_message", {"Messages": [message]})
    cloud.on("sqs", "change_message_visibility_batch", {})
    failed = _failure(outcome(cloud, SQS, action="forward", to=BUS))
    assert (failed.kind, failed.retryable, failed.result) == ("cloud", False, {"forwarded": 0})
    [asked] = [each for each in cloud.asked if each.operation == "change_message_visibility_batch"]
    assert asked.parameters["Entries"] == [{"Id": "0", "ReceiptHandle": "h", "VisibilityTimeout": 0}]


def test_large_messages_go_one_by_one() -> None:
    cloud = ScriptedCloud().on("sqs", "get_queue_url", URL).on("sqs", "send_message_batch", {})
    outcome(cloud, SQS, action="publish", messages=[{"body": "x" * 60_000}] * 2)
    assert cloud.operations.count("send_message_batch") == 1
    message = {"MessageId": "1", "Body": "x" * 200_000, "ReceiptHandle": "h"}
    cloud.on("sqs", "receive_message", {"Messages": [message] * 2}, {})
    cloud.on("sqs", "delete_message_batch", {})
    outcome(cloud, SQS, action="forward", to=SQS, idle_seconds=0.5)
    assert cloud.operations.count("send_message_batch") == 3


@pytest.mark.parametrize("queue", [SQS, SNS, BUS], ids=lambda queue: queue["kind"])
def test_a_role_that_cannot_be_assumed_is_told(queue: Queue) -> None:
    cloud = ScriptedCloud(refused=CloudError("AccessDenied", "The role does not let us in.", status=403))
    failed = _failure(outcome(cloud, queue, action="publish", messages=[{"body": {}}]))
    assert (failed.kind, failed.message, failed.status, failed.retryable) == (
        "cloud",
        "The role does not let us in.",
        403,
        False,
    )


def test_a_deployment_without_aws_says_so() -> None:
    failed = _failure(outcome(NoCloud(), SNS, action="publish", messages=[{"body": "x"}]))
    assert (failed.kind, "no AWS services" in failed.message) == ("cloud", True)
    refused = ScriptedCloud(refused=Unavailable("Not now."))
    assert _failure(outcome(refused, SNS, action="publish", messages=[{"body": "x"}])).kind == "cloud"
