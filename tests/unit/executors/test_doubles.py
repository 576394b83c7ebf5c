"""The twins of what a call is given: they keep the ports' promises."""

import pytest

from chalicelib.ports.cloud import CloudError
from chalicelib.ports.job_state import StateMoved
from chalicelib.ports.outputs import OutputTooLarge
from tests.support.doubles import MemoryJobState, MemoryOutputs, ScriptedCloud


def test_a_stored_file_tells_its_size_and_checksum() -> None:
    outputs = MemoryOutputs()
    stored = outputs.store("a.csv", iter([b"ab", b"c"]), "text/csv")
    assert (stored.bytes, stored.sha256[:8], outputs.files) == (3, "ba7816bf", {"a.csv": b"abc"})


def test_a_file_that_is_too_large_is_not_stored() -> None:
    outputs = MemoryOutputs(max_bytes=3)
    with pytest.raises(OutputTooLarge, match="larger than the 3 bytes"):
        outputs.store("a", [b"ab", b"cd"], "text/plain")
    assert outputs.files == {}


@pytest.mark.parametrize(
    "name", ["", "a/b", "ä", "x" * 101], ids=["empty", "a path", "not ASCII", "too long"]
)
def test_what_is_no_name_of_a_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        MemoryOutputs().store(name, [b""], "text/plain")


def test_a_state_is_written_once_for_each_version() -> None:
    state = MemoryJobState()
    document, version = state.read()
    assert (document, version) == ({}, 0)
    assert state.write({"at": 1}, version) == 1
    with pytest.raises(StateMoved):
        state.write({"at": 2}, version)
    assert state.read() == ({"at": 1}, 1)


def test_another_attempt_may_write_meanwhile() -> None:
    state = MemoryJobState({"at": 1})
    state.meanwhile = lambda: state.write({"at": 2}, 1)
    with pytest.raises(StateMoved):
        state.write({"at": 3}, 1)
    assert state.document == {"at": 2}


def test_a_scripted_service_answers_in_turn_and_the_last_answer_stays() -> None:
    busy = CloudError("Throttling", "busy", retryable=True)
    cloud = ScriptedCloud().on("sqs", "send_message", busy, {"MessageId": "1"})
    client = cloud.client("sqs", role_arn="arn:aws:iam::1:role/r")
    with pytest.raises(CloudError, match="busy"):
        client.send_message(MessageBody="a")
    assert [client.send_message(MessageBody=body)["MessageId"] for body in "bc"] == ["1", "1"]
    assert [each.parameters["MessageBody"] for each in cloud.asked] == ["a", "b", "c"]
    assert {each.role_arn for each in cloud.asked} == {"arn:aws:iam::1:role/r"}


def test_a_scripted_list_has_its_pages() -> None:
    cloud = ScriptedCloud().on("s3", "list_objects_v2", [{"Contents": [1]}, {"Contents": [2]}])
    pages = cloud.client("s3", role_arn=None).get_paginator("list_objects_v2").paginate(Bucket="b")
    assert list(pages) == [{"Contents": [1]}, {"Contents": [2]}]
    assert cloud.asked[0].parameters == {"Bucket": "b"}


def test_what_a_service_was_not_told_is_an_error() -> None:
    with pytest.raises(CloudError, match="Nobody said what s3 get_object answers"):
        ScriptedCloud().client("s3", role_arn=None).get_object(Bucket="b", Key="k")
