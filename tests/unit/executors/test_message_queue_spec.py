"""What a message_queue job may be, and what it may not."""

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.executors.message_queue.messages import Refusal, carried
from chalicelib.executors.message_queue.refusals import may_pass
from chalicelib.executors.message_queue.spec import SPEC, Config, target

ROLE = "arn:aws:iam::123456789012:role/r"
RABBIT = {"kind": "rabbitmq", "host": "mq.example.com", "queue": "q"}
NATS = {"kind": "nats", "servers": ["nats.example.com"], "subject": "a.b"}
MQTT = {"kind": "mqtt", "host": "mqtt.example.com", "topic": "a/b"}
KAFKA = {"kind": "kafka", "servers": ["kafka.example.com:9093"], "topic": "t"}
SQS = {"kind": "sqs", "arn": "arn:aws:sqs:eu-central-1:123456789012:q", "role_arn": ROLE}
SNS = {"kind": "sns", "arn": "arn:aws:sns:eu-central-1:123456789012:t", "role_arn": ROLE}
BUS = {
    "kind": "eventbridge",
    "arn": "arn:aws:events:eu-central-1:123456789012:event-bus/b",
    "role_arn": ROLE,
}
PUBLISH = {"action": "publish", "messages": [{"body": {"a": 1}}]}
DEPTH = {"action": "depth"}


def _published(**message: Any) -> dict[str, Any]:
    return {"action": "publish", "messages": [message]}


@pytest.mark.parametrize(
    "queue", [RABBIT, NATS, MQTT, KAFKA, SQS, SNS, BUS], ids=lambda queue: str(queue["kind"])
)
def test_every_kind_can_be_published_to(queue: dict[str, Any]) -> None:
    assert Config.model_validate({"queue": queue, "operation": PUBLISH})


@pytest.mark.parametrize(
    ("queue", "operation", "said"),
    [
        (KAFKA, {"action": "purge", "confirm": "t"}, "offers no purge"),
        (MQTT, DEPTH, "offers no depth"),
        (SNS, DEPTH, "offers no depth"),
        (BUS, {"action": "forward", "to": SQS}, "offers no forward"),
        (RABBIT | {"queue": None, "exchange": "e"}, DEPTH, "depth needs queue.queue"),
        (NATS, DEPTH, "depth needs queue.stream"),
        (NATS | {"stream": "S"}, {"action": "forward", "to": SQS}, "forward needs queue.consumer"),
        (NATS | {"subject": "a.*"}, PUBLISH, "publish needs queue.subject"),
        (MQTT | {"topic": "a/#"}, PUBLISH, "publish needs queue.topic without wildcards"),
        (MQTT, {"action": "forward", "to": SQS}, "forward needs queue.client_id"),
        (KAFKA, {"action": "forward", "to": SQS}, "forward needs queue.group"),
        (SQS, {"action": "forward", "to": MQTT | {"topic": "+"}}, "forward needs to.topic without"),
        (RABBIT, {"action": "purge", "confirm": "other"}, "confirm must repeat what is purged: q"),
        (SQS, {"action": "purge", "confirm": "arn"}, "confirm must repeat what is purged: q"),
        (NATS, _published(body=1, key="k"), "messages of nats have no key"),
        (SNS, _published(body=1, key="k"), "messages of sns have no key"),
        (MQTT | {"version": "3.1.1"}, _published(body=1, headers={"a": "b"}), "have no headers here"),
        (BUS, _published(body={}, headers={"a": "b"}), "have no headers here"),
        (BUS, _published(body={}, id="x"), "have no id"),
        (BUS, _published(body="text"), "detail is a JSON object"),
        (RABBIT, _published(body="no base64!", base64=True), "the body is not base64"),
        (RABBIT, _published(body=1, base64=True), "must be a string"),
        (RABBIT, _published(body=1, headers={"a b": "c"}), "letters, digits"),
        (RABBIT, _published(body=1, headers={"a": "b\r\nc"}), "its value one line"),
        (RABBIT, _published(body="x" * 140_000), "longer than 131072 bytes"),
        (RABBIT, {"action": "publish", "messages": []}, "at least 1 item"),
        (RABBIT, {"action": "publish", "messages": [{"body": 1}] * 501}, "at most 500 items"),
        (RABBIT, {"action": "publish", "messages": [{"body": 1, "id": "a"}] * 2}, "the same id"),
        (RABBIT, DEPTH | {"fail_above": 1, "fail_below": 2}, "no number would pass"),
        (RABBIT | {"queue": None}, PUBLISH, "give a queue, or an exchange"),
        (RABBIT | {"host": "not a host"}, PUBLISH, "host name or an IP address"),
        (NATS | {"servers": ["nats://x:4222"]}, PUBLISH, "must be a host, or host:port"),
        (NATS | {"servers": ["x:99999"]}, PUBLISH, "must be a host, or host:port"),
        (NATS | {"user": "u"}, PUBLISH, "user and password belong together"),
        (NATS | {"user": "u", "password": "p", "token": "t"}, PUBLISH, "a token, or a user"),
        (NATS | {"jetstream": False, "stream": "S"}, PUBLISH, "core NATS has no streams"),
        (MQTT | {"password": "p"}, PUBLISH, "a password needs a user"),
        (KAFKA | {"user": "u"}, PUBLISH, "user and password belong together"),
        (KAFKA | {"tls": {"server_name": "x"}}, PUBLISH, "verified by the names that they advertise"),
        (SQS | {"arn": "https://sqs.eu-central-1.amazonaws.com/1/q"}, PUBLISH, "pattern"),
        (SQS | {"role_arn": "admin"}, PUBLISH, "pattern"),
        (SQS | {"arn": f"{SQS['arn']}.fifo", "delay_seconds": 1}, PUBLISH, "no delay for single messages"),
        (RABBIT | {"kind": "pigeon"}, PUBLISH, "kind"),
    ],
)
def test_what_a_kind_cannot_do_is_refused_when_the_job_is_saved(
    queue: dict[str, Any], operation: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        Config.model_validate({"queue": queue, "operation": operation})


@pytest.mark.parametrize(
    ("queue", "host"),
    [
        (RABBIT | {"host": "MQ.Example.com."}, "mq.example.com"),
        (NATS | {"servers": ["a.example:4222", "b.example"]}, "a.example"),
        (KAFKA | {"servers": ["[2001:DB8::1]:9092"]}, "2001:db8::1"),
        (MQTT, "mqtt.example.com"),
        (SQS, "sqs.eu-central-1.amazonaws.com"),
        (SNS, "sns.eu-central-1.amazonaws.com"),
        (BUS, "events.eu-central-1.amazonaws.com"),
        ({"kind": "rabbitmq"}, None),
        (None, None),
    ],
)
def test_limits_know_a_queue_by_its_host(queue: Any, host: str | None) -> None:
    assert target({"queue": queue}) == host


def test_connections_are_secured_unless_the_job_says_otherwise() -> None:
    config = Config.model_validate({"queue": RABBIT, "operation": PUBLISH})
    assert config.queue.kind == "rabbitmq"
    assert (config.queue.tls is not None, config.queue.address) == (True, ("mq.example.com", 5671))


def test_no_secret_is_in_its_repr() -> None:
    secret = {"user": "u", "password": "very-secret"}
    for queue in (RABBIT | secret, NATS | secret, MQTT | secret, KAFKA | secret):
        assert "very-secret" not in repr(Config.model_validate({"queue": queue, "operation": PUBLISH}))


def test_the_example_names_every_action_of_its_roles() -> None:
    assert {action.split(":")[0] for each in SPEC.permissions for action in each.actions} == {
        "sqs",
        "sns",
        "events",
    }


def test_only_headers_that_every_protocol_takes_are_carried_on() -> None:
    headers = {"good": "1", b"bytes": b"2", "bad name": "3", "bad": "4\n", "long": "x" * 2000, "n": 5}
    assert carried(headers) == {"good": "1", "bytes": "2", "n": "5"}
    assert len(carried({f"n{number}": "x" for number in range(80)})) == 50


@pytest.mark.parametrize(
    ("said", "expected"), [((True, True), True), ((True, False), False), ((None, True), None)]
)
def test_one_lasting_refusal_makes_a_failure_lasting(
    said: tuple[bool | None, ...], expected: bool | None
) -> None:
    refusals = [Refusal(index, "c", "m", retryable) for index, retryable in enumerate(said)]
    assert may_pass(refusals) is expected
