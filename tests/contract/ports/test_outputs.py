"""What Outputs promises: the twin, and S3 as moto knows it; and how S3's faults are met."""

import hashlib
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from botocore.exceptions import EndpointConnectionError

from chalicelib.aws.outputs import PART_BYTES, S3Store
from chalicelib.domain.run import Run, RunStatus
from chalicelib.ports.outputs import (
    LINK_SECONDS,
    NoLinks,
    NoOutputs,
    Outputs,
    OutputTooLarge,
    OutputUnavailable,
)
from chalicelib.ports.stop import Stop
from infra.buckets import empty
from tests.support.aws import moto
from tests.support.doubles import MemoryOutputs
from tests.support.memory import FakeClock
from tests.support.wire import without_waits
from tests.support.world import NOON, TENANT

BUCKET, MAX = "chronos-outputs", 3 * PART_BYTES
RUN = Run("run_1", TENANT, "job_1", RunStatus.RUNNING, "manual", NOON, NOON, 1, attempt=2, fence=3)
FOLDER = f"{TENANT}/run_1/2.3"


@dataclass
class Bucket:
    """S3 with one bucket, a clock, and a wish to stop."""

    s3: Any
    clock: FakeClock = field(default_factory=FakeClock)
    stop: Stop = field(default_factory=Stop)

    @property
    def store(self) -> S3Store:
        return S3Store(lambda: self.s3, BUCKET, self.clock, MAX)

    def outputs(self, seconds: float = 10) -> Outputs:
        return self.store.of(RUN, self.clock.monotonic() + seconds, self.stop)

    def files(self) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {
            each["Key"]: self.s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in listed
        }

    def unfinished(self) -> list[Any]:
        found: list[Any] = self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return found


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with moto() as made:
        s3 = made("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield Bucket(without_waits(s3))


@pytest.fixture(params=["twin", "moto"])
def outputs(request: pytest.FixtureRequest) -> Outputs:
    if request.param == "twin":
        return MemoryOutputs(max_bytes=MAX)
    found: Bucket = request.getfixturevalue("bucket")
    return found.outputs()


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        ([], "empty"),
        ([b"a", b"", b"bc"], "small"),
        ([bytes(PART_BYTES)], "just a part"),
        ([bytes(PART_BYTES - 1), b"ab"], "a byte more than a part"),
        ([bytes(range(256)) * 4096] * 20, "some parts"),
        ([bytes(MAX)], "as much as may be"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_is_stored_whole_with_its_size_and_checksum(
    outputs: Outputs, chunks: list[bytes], why: str
) -> None:
    content = b"".join(chunks)
    stored = outputs.store("a.bin", iter(chunks), "application/octet-stream")
    assert (stored.name, stored.bytes, stored.media_type) == (
        "a.bin",
        len(content),
        "application/octet-stream",
    ), why
    assert stored.sha256 == hashlib.sha256(content).hexdigest()


def test_the_bucket_holds_what_was_stored_under_the_start_of_the_attempt(bucket: Bucket) -> None:
    parts = [b"x" * (PART_BYTES + 1), b"y" * PART_BYTES, b"z"]
    stored = bucket.outputs().store("a.bin", parts, "text/plain")
    bucket.outputs().store("b.bin", [b"small"], "text/plain")
    assert bucket.files() == {f"{FOLDER}/a.bin": b"".join(parts), f"{FOLDER}/b.bin": b"small"}
    assert stored.place == "2.3"


def test_a_name_is_stored_anew(bucket: Bucket) -> None:
    for content in (b"first", b"second"):
        bucket.outputs().store("a", [content], "text/plain")
    assert bucket.files() == {f"{FOLDER}/a": b"second"}


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a b", "ä", "x" * 101, "a\n"])
def test_what_is_no_name_is_refused(outputs: Outputs, name: str) -> None:
    with pytest.raises(ValueError):
        outputs.store(name, [b""], "text/plain")


def test_what_is_too_large_is_refused(outputs: Outputs) -> None:
    with pytest.raises(OutputTooLarge):
        outputs.store("a", (bytes(1 << 20) for _ in range(25)), "text/plain")


def broken() -> Iterator[bytes]:
    yield bytes(PART_BYTES)
    yield b"x"
    raise RuntimeError("the source broke off")


def endless() -> Iterator[bytes]:
    while True:
        yield bytes(1 << 20)


@pytest.mark.parametrize(
    ("chunks", "error"),
    [(broken, RuntimeError), (endless, OutputTooLarge)],
    ids=["source breaks", "too large"],
)
def test_nothing_is_left_of_what_was_not_stored_to_its_end(
    bucket: Bucket, chunks: Callable[[], Iterator[bytes]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        bucket.outputs().store("a", chunks(), "text/plain")
    assert (bucket.files(), bucket.unfinished()) == ({}, [])


def test_nothing_is_stored_when_the_time_is_up(bucket: Bucket) -> None:
    outputs = bucket.outputs(seconds=5)
    bucket.clock.ms += 5_000
    with pytest.raises(OutputUnavailable, match="time was up"):
        outputs.store("a", [b"a"], "text/plain")
    assert bucket.files() == {}


def test_who_is_to_stop_stores_no_further_part(bucket: Bucket) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(PART_BYTES)
        bucket.stop.want()
        yield from endless()

    with pytest.raises(OutputUnavailable):
        bucket.outputs().store("a", chunks(), "text/plain")
    assert (bucket.files(), bucket.unfinished()) == ({}, [])


@pytest.mark.parametrize(
    "operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject"]
)
def test_what_s3_does_not_take_is_told_and_nothing_is_left(bucket: Bucket, operation: str) -> None:
    def cut(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://s3.example")

    bucket.s3.meta.events.register_first(f"before-send.s3.{operation}", cut)
    size = 10 if operation == "PutObject" else PART_BYTES + 1
    with pytest.raises(OutputUnavailable, match="S3 did not answer: EndpointConnectionError"):
        bucket.outputs().store("a", [bytes(size), b"x"], "text/plain")
    assert (bucket.files(), bucket.unfinished()) == ({}, [])


def test_a_bucket_that_is_not_there_is_told(bucket: Bucket) -> None:
    store = S3Store(lambda: bucket.s3, "another", bucket.clock, MAX)
    with pytest.raises(OutputUnavailable, match="NoSuchBucket"):
        store.of(RUN, 1e12, Stop()).store("a", [b"a"], "text/plain")


def test_a_link_fetches_the_file_as_an_attachment_for_fifteen_minutes(bucket: Bucket) -> None:
    stored = bucket.outputs().store("a.csv", [b"a;b"], "text/csv")
    link = bucket.store.link(TENANT, "run_1", stored)
    assert link.startswith(f"https://{BUCKET}.s3.eu-central-1.amazonaws.com/{FOLDER}/a.csv?")
    assert f"X-Amz-Expires={LINK_SECONDS}" in link
    answer = requests.get(link, timeout=10)
    assert (answer.status_code, answer.content) == (200, b"a;b")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a.csv"'


def test_a_deployment_without_a_place_for_files_says_so() -> None:
    stored = MemoryOutputs().store("a", [b""], "text/plain")
    with pytest.raises(OutputUnavailable):
        NoOutputs().store("a", [b""], "text/plain")
    with pytest.raises(OutputUnavailable):
        NoLinks().link(TENANT, "run_1", stored)


def test_a_bucket_is_emptied_of_files_and_of_unfinished_uploads(bucket: Bucket) -> None:
    for number in range(3):
        bucket.outputs().store(str(number), [b""], "text/plain")
    bucket.s3.create_multipart_upload(Bucket=BUCKET, Key="unfinished")
    assert empty(bucket.s3, BUCKET) == 3
    assert (bucket.files(), bucket.unfinished()) == ({}, [])


class Sink:
    """An S3 that keeps nothing."""

    def create_multipart_upload(self, **_: Any) -> Any:
        return {"UploadId": "u"}

    def upload_part(self, **_: Any) -> Any:
        return {"ETag": "e"}

    def complete_multipart_upload(self, **_: Any) -> None:
        """It is whole."""


def test_a_large_file_takes_no_more_memory_than_a_part() -> None:
    clock = FakeClock()
    store = S3Store(Sink, BUCKET, clock, 1 << 30)
    tracemalloc.start()
    try:
        stored = store.of(RUN, clock.monotonic() + 10, Stop()).store(
            "a", (bytes(1 << 16) for _ in range(3200)), "text/plain"
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stored.bytes == 200 << 20
    assert most < 2 * PART_BYTES, most
