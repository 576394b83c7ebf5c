"""What every Queue promises: the twin, SQS as moto knows it, and SQS as the emulator knows it."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.aws.fan import ThreadedFan
from chalicelib.aws.sqs import SqsQueue
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.fan import Fan, one_by_one
from chalicelib.ports.queue import MAX_BODY_BYTES, MAX_DELAY_SECONDS, Outgoing, Queue
from infra.local.fixtures import Stack
from tests.support.aws import create_queues, emulated, moto
from tests.support.memory import FakeClock, MemoryQueue
from tests.support.waiting import eventually
from tests.support.wire import without_waits

COUNT = itertools.count()


class Lane(Protocol):
    """A queue with an end to receive from, and a cable to cut."""

    @property
    def queue(self) -> Queue: ...

    def received(self) -> list[str]:
        """The bodies that are visible now; each is given once."""
        ...

    def after(self, seconds: float, bodies: int) -> list[str]:
        """So many bodies, which must become visible within these seconds."""
        ...

    def cut(self) -> None:
        """Nothing that is sent arrives any more."""
        ...


class TwinLane:
    def __init__(self) -> None:
        self._clock = FakeClock()
        self.queue = self._twin = MemoryQueue(self._clock)

    def received(self) -> list[str]:
        return self._twin.take_visible()

    def after(self, seconds: float, bodies: int) -> list[str]:
        self._clock.sleep(seconds)
        return self.received()

    def cut(self) -> None:
        self._twin.failures.append(Unavailable("SQS did not answer."))


class SqsLane:
    def __init__(self, client: Any, fan: Fan) -> None:
        self._client, self._url = client, create_queues(client, f"contract-{next(COUNT)}")["FastQueue"]
        self.queue = SqsQueue(client, self._url, fan, never)

    def received(self) -> list[str]:
        bodies: list[str] = []
        while found := self._client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            bodies += [message["Body"] for message in found]
        return bodies

    def after(self, seconds: float, bodies: int) -> list[str]:
        found: list[str] = []

        def enough() -> bool:
            found.extend(self.received())
            return len(found) >= bodies

        eventually(enough, seconds=seconds + 5)
        return found

    def cut(self) -> None:
        without_waits(self._client).meta.events.register_first("before-send", _unreachable)


def _unreachable(request: Any, **_: Any) -> None:
    raise EndpointConnectionError(endpoint_url=request.url)


def never(_seconds: float) -> None:
    raise AssertionError("nothing is refused here")


@pytest.fixture
def moto_lane() -> Iterator[SqsLane]:
    with moto() as client:
        yield SqsLane(client("sqs"), one_by_one)


@pytest.fixture
def emulator_lane(stack: Stack) -> SqsLane:
    return SqsLane(emulated("sqs", stack.aws), ThreadedFan(3))


@pytest.fixture(params=["twin", "moto", pytest.param("emulator", marks=pytest.mark.e2e)])
def lane(request: pytest.FixtureRequest) -> Lane:
    if request.param == "twin":
        return TwinLane()
    found: Lane = request.getfixturevalue(f"{request.param}_lane")
    return found


@pytest.mark.parametrize("count", [0, 1, 10, 11, 137])
def test_everything_that_is_sent_arrives_once_however_many_calls_it_takes(lane: Lane, count: int) -> None:
    bodies = [f"body {number}" for number in range(count)]
    lane.queue.send([Outgoing(body) for body in bodies])
    assert sorted(lane.received()) == sorted(bodies)


BODIES = [
    ('[1,"default","job_01",1,"run_01",1800000000000,1800000000000,1,"schedule"]', "as ours look"),
    (' "quotes" \\ and\n\ttabs\r\n ', "white space and escapes"),
    ("<a>&amp;]]></a>", "marks of another protocol"),
    ("Zürich 時 \U0001f552", "beyond ASCII and beyond 16 bits"),
]


@pytest.mark.parametrize(("body", "_reason"), BODIES)
def test_a_body_arrives_as_it_was_sent(lane: Lane, body: str, _reason: str) -> None:
    lane.queue.send([Outgoing(body)])
    assert lane.received() == [body]


def test_equal_bodies_are_messages_of_their_own(lane: Lane) -> None:
    lane.queue.send([Outgoing("same")] * 12)
    assert lane.received() == ["same"] * 12


def test_ten_bodies_at_the_limit_of_size_are_one_call(lane: Lane) -> None:
    bodies = [f"{number}" + "ü" * ((MAX_BODY_BYTES - 1) // 2) for number in range(10)]
    lane.queue.send([Outgoing(body) for body in bodies])
    assert sorted(lane.received()) == bodies


def test_messages_of_a_group_arrive_as_others_do_and_each_after_its_own_delay(lane: Lane) -> None:
    lane.queue.send([*(Outgoing(f"{number}", group="tenant~low") for number in range(12)), Outgoing("alone")])
    lane.queue.send([Outgoing("later", 1, "tenant~low")])
    assert sorted(lane.received()) == sorted(["alone", *(f"{number}" for number in range(12))])
    assert lane.after(1, bodies=1) == ["later"]


def test_each_message_appears_after_its_own_delay(lane: Lane) -> None:
    lane.queue.send([Outgoing("now"), Outgoing("soon", 1), Outgoing("late", MAX_DELAY_SECONDS)])
    assert lane.received() == ["now"]
    assert lane.after(1, bodies=1) == ["soon"]
    assert lane.received() == []


@pytest.mark.parametrize("count", [1, 25])
def test_what_is_not_sent_is_told(lane: Lane, count: int) -> None:
    lane.queue.send([Outgoing("before")])
    lane.cut()
    with pytest.raises(Unavailable):
        lane.queue.send([Outgoing("after")] * count)


REFUSED: list[tuple[Callable[[], Outgoing], str]] = [
    (lambda: Outgoing("x" * (MAX_BODY_BYTES + 1)), "a byte too long"),
    (lambda: Outgoing("ü" * (MAX_BODY_BYTES // 2 + 1)), "bytes count, not characters"),
    (lambda: Outgoing(""), "SQS refuses an empty body"),
    (lambda: Outgoing("\ud800"), "half of a character is no text"),
    (lambda: Outgoing("x", MAX_DELAY_SECONDS + 1), "longer than SQS can wait"),
    (lambda: Outgoing("x", -1), "the past"),
]


@pytest.mark.parametrize(("make", "_reason"), REFUSED)
def test_a_message_that_no_queue_takes_cannot_be_made(make: Callable[[], Outgoing], _reason: str) -> None:
    with pytest.raises(ValueError):
        make()
