"""AWS that answers at once, by the before-send hook: everything of the client but the network is measured."""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from botocore.awsrequest import AWSResponse

from chalicelib.aws.clients import client
from chalicelib.aws.clock import SystemIds
from chalicelib.aws.dynamodb import AwsDatabase
from chalicelib.aws.expressions import encode
from chalicelib.aws.fan import ThreadedFan
from chalicelib.aws.sqs import SqsQueue
from chalicelib.domain.lanes import LANES
from chalicelib.engine.core import Engine, EngineSettings
from chalicelib.ports.clock import Clock
from chalicelib.ports.table import Item
from chalicelib.wiring import FAN_WIDTH

TABLES = {name: f"bench-{name}" for name in ("catalog", "timers", "runs", "audit")}
HEADERS = {"content-type": "application/x-amz-json-1.0"}


class StubAws:
    """Counts calls by operation, and the CPU seconds that the stub itself took, which do not count.

    Each call takes the seconds that `latency` gives its service; `most` is how many were under way at once.
    """

    def __init__(self, latency: Mapping[str, float] | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.cpu, self.under_way, self.most = 0.0, 0, 0
        self._latency = latency or {}
        self.pages: dict[str, bytes] = {}
        self.items: dict[tuple[str, str], bytes] = {}
        self._lock = threading.Lock()

    def hold(self, item: Item) -> None:
        """What BatchGetItem finds at this key."""
        self.items[str(item["pk"]), str(item["sk"])] = json.dumps(encode(item)).encode()

    def hold_page(self, pk: str, items: list[Item]) -> None:
        """What Query finds in this partition."""
        body = {"Items": [encode(item) for item in items], "Count": len(items), "ScannedCount": len(items)}
        self.pages[pk] = json.dumps(body).encode()

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        started = time.thread_time()
        service, _, operation = request.headers["X-Amz-Target"].decode().rpartition(".")
        self._wait(self._latency.get(service.partition("_")[0], 0.0))
        raw = AWSResponse(request.url, 200, HEADERS, None)
        raw._content = self.answer(operation, request.body)
        with self._lock:
            self.calls[operation] += 1
            self.cpu += time.thread_time() - started
        return raw

    def _wait(self, seconds: float) -> None:
        if not seconds:
            return
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        time.sleep(seconds)  # noqa: TID251 - the network's part
        with self._lock:
            self.under_way -= 1

    def answer(self, operation: str, body: bytes) -> bytes:
        match operation:
            case "Query":
                wanted = json.loads(body)["ExpressionAttributeValues"][":p"]["S"]
                return self.pages.get(wanted, b'{"Items":[],"Count":0}')
            case "BatchGetItem":
                ((table, request),) = json.loads(body)["RequestItems"].items()
                found = [self.items.get((key["pk"]["S"], key["sk"]["S"])) for key in request["Keys"]]
                rows = b",".join(row for row in found if row)
                return b'{"Responses":{"%s":[%s]},"UnprocessedKeys":{}}' % (table.encode(), rows)
            case "BatchExecuteStatement":
                statements = json.loads(body)["Statements"]
                return json.dumps({"Responses": [{"TableName": "bench"}] * len(statements)}).encode()
            case "SendMessageBatch":
                entries = json.loads(body)["Entries"]
                sent = [{"Id": e["Id"], "MessageId": "m", "MD5OfMessageBody": ""} for e in entries]
                return json.dumps({"Successful": sent}).encode()
            case _:
                return b"{}"


class Silence:
    """Telemetry that nobody hears."""

    def info(self, sentence: str, **fields: Any) -> None:
        pass

    def warning(self, sentence: str, **fields: Any) -> None:
        raise AssertionError(sentence, fields)

    def count(self, name: str, value: int) -> None:
        pass


def stubbed_engine(stub: StubAws, clock: Clock) -> Engine:
    """The engine on the real adapters, whose requests end in the stub."""
    dynamodb, sqs = client("dynamodb"), client("sqs")
    dynamodb.meta.events.register("before-send", stub, unique_id="stub")
    sqs.meta.events.register("before-send", stub, unique_id="stub")
    url = "https://sqs.us-east-1.amazonaws.com/000000000000/bench"
    return adapted(dynamodb, sqs, TABLES, url, clock)


def adapted(
    dynamodb: Any,
    sqs: Any,
    tables: Mapping[str, str],
    url: str,
    clock: Clock,
    *,
    width: int = FAN_WIDTH,
) -> Engine:
    """The engine on the real adapters of these clients; all lanes lead to one queue."""
    fan = ThreadedFan(width)
    return Engine(
        db=AwsDatabase(dynamodb, tables, fan, clock.sleep),  # type: ignore[arg-type]
        lanes={lane: SqsQueue(sqs, url, fan, clock.sleep) for lane in LANES},
        clock=clock,
        ids=SystemIds(),
        telemetry=Silence(),
        settings=EngineSettings(),
        fan=fan,
    )


def unstub() -> None:
    """Forget the stubbed clients."""
    client.cache_clear()
