"""AWS by a script: real clients whose requests end in a `before-send` hook, and which do not wait between retries."""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import le
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from botocore.retries import standard

from chalicelib.aws.backoff import FIRST_PAUSE_SECONDS
from chalicelib.aws.clients import make_client
from chalicelib.aws.dynamodb import AwsDatabase, AwsTable
from chalicelib.aws.sqs import SqsQueue
from chalicelib.ports.fan import Fan, one_by_one
from chalicelib.ports.queue import Outgoing
from tests.support.aws import ACCESS
from tests.support.memory import FakeClock


@dataclass(frozen=True)
class Sent:
    """A request as it would have gone out."""

    operation: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """An answer. `body` is JSON as AWS writes it, or bytes from wherever."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def to(self, url: str) -> AWSResponse:
        foreign = isinstance(self.body, bytes)
        own = {} if foreign else {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "R1"}
        response = AWSResponse(url, self.status, {**own, **self.headers}, None)
        response._content = self.body if foreign else json.dumps(self.body).encode()
        return response


def error(code: str, status: int = 400, message: str = "so it is", **fields: Any) -> Reply:
    """An error as DynamoDB and SQS answer it."""
    return Reply({"__type": f"com.amazonaws.v1#{code}", "message": message, **fields}, status)


def lost() -> Exception:
    """The request went out, and nothing came back."""
    timed_out: Exception = ReadTimeoutError(endpoint_url="https://aws.example")
    return timed_out


class ScriptedAws:
    """Answers requests in the script's order, an exception by raising it; `sent` lists the requests."""

    def __init__(self, answers: Iterable[Reply | Exception] = ()) -> None:
        self.answers = deque(answers)
        self.sent: list[Sent] = []

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        self.sent.append(sent_by(request))
        assert self.answers, f"the script has no answer to a further {self.sent[-1].operation}"
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer.to(request.url)

    def client(self, service: str) -> Any:
        """A client as the adapters use it."""
        return self.attach(without_waits(make_client(service, **ACCESS)))

    def attach(self, client: Any) -> Any:
        """Let the client's requests end here."""
        client.meta.events.register("before-send", self)
        return client


def sent_by(request: Any) -> Sent:
    headers = {
        name: value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    return Sent(headers["X-Amz-Target"].rpartition(".")[2], headers, json.loads(request.body))


def without_waits(client: Any) -> Any:
    """The client with its own policy of retries, but without the pauses."""
    service = client.meta.service_model.service_id.hyphenize()
    event, name = f"needs-retry.{service}", f"retry-config-{service}"
    client.meta.events.unregister(event, unique_id=name)
    attempts = client.meta.config.retries["total_max_attempts"]
    policy = standard.register_retry_handler(client, max_attempts=attempts)
    client.meta.events.unregister(event, unique_id=name)

    def at_once(**asked: Any) -> int | None:
        return None if policy.needs_retry(**asked) is None else 0

    client.meta.events.register(event, at_once)
    return client


NAMES = {name: f"t-{name}" for name in ("catalog", "timers", "runs", "audit")}
QUEUE = "https://sqs.eu-central-1.amazonaws.com/000000000000/lane"


class ScriptedPorts:
    """The adapters over a script; the pauses that they make themselves are noted instead of waited for."""

    def __init__(self, *answers: Reply | Exception, fan: Fan = one_by_one) -> None:
        self._aws, self._clock, self._fan = ScriptedAws(answers), FakeClock(), fan

    @cached_property
    def db(self) -> AwsDatabase:
        return AwsDatabase(self._aws.client("dynamodb"), NAMES, self._fan, self._clock.sleep)  # type: ignore[arg-type]

    @property
    def table(self) -> AwsTable:
        return self.db.runs

    @cached_property
    def lane(self) -> SqsQueue:
        return SqsQueue(self._aws.client("sqs"), QUEUE, self._fan, self._clock.sleep)

    @property
    def sent(self) -> list[Sent]:
        """The requests. An answer that nobody asked for fails the test."""
        assert not self._aws.answers, "the script has answers left"
        return self._aws.sent

    def backed_off(self, count: int) -> bool:
        """Whether there were so many pauses, each below a limit that doubles."""
        limits = [FIRST_PAUSE_SECONDS * 2**turn for turn in range(count)]
        slept = self._clock.slept
        return len(slept) == count and all(map(le, slept, limits))


def statements(*codes: str | None) -> Reply:
    """The outcomes of a batch of statements, None for success."""
    return Reply({"Responses": [{"Error": {"Code": c, "Message": "m"}} if c else {} for c in codes]})


def accepted(*ids: int) -> Reply:
    """SQS took these entries of a batch."""
    return Reply({"Successful": [{"Id": str(number), "MessageId": "m"} for number in ids]})


def ids(sent: Sent) -> list[str]:
    """The entries of a batch of messages."""
    return [entry["Id"] for entry in sent.body["Entries"]]


def letters(count: int) -> list[Outgoing]:
    return [Outgoing(f"body {number}", number) for number in range(count)]
