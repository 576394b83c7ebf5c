"""The wire between botocore and AWS: it counts the calls, and lets faults strike at some of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.retries import standard

from chalicelib.aws.backoff import TRIES
from chalicelib.aws.clients import make_client
from tests.faults.kinds import OUTAGES, Kind, all_kinds_of, struck
from tests.support.aws import ACCESS
from tests.support.memory import FakeClock
from tests.support.moto_wire import MotoAws
from tests.support.wire import Sent, sent_by

LATE_MS = 30_000
"""So long a request may be under way of which its sender has heard nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of botocore, however often the SDK sends it: whose it is, what it asks of which table or queue."""

    role: str
    operation: str
    target: str

    def __str__(self) -> str:
        return f"{self.role}: {self.operation} {self.target}"


class Wire:
    """Answers from moto, unless a fault strikes. `calls` are those since `arm`, `struck` the faulty ones by number.

    `role` is the function that is at work; `used` is what it has needed so far: (role, action, table or queue).
    """

    def __init__(self, aws: MotoAws, clock: FakeClock) -> None:
        self._aws, self._clock, self.role = aws, clock, ""
        self._retries: list[Any] = []
        self.used: set[tuple[str, str, str]] = set()
        self.arm({})

    def arm(self, plan: Mapping[int, Kind], outage_ms: int | None = None) -> None:
        """Count calls from 1, and let each number of the plan meet its kind. Outages end by themselves or by `heal`."""
        self.calls: list[Call] = []
        self.struck: dict[int, Kind] = {}
        self._plan, self._outage_ms = dict(plan), outage_ms
        self._outages: list[tuple[Call | None, int | None]] = []
        self._late: list[tuple[int, Sent]] = []
        self._starved: tuple[Call, int] | None = None
        self._current, self._kind, self._tries = "", None, 0
        for policy in self._retries:
            _replenish(policy)

    def heal(self) -> None:
        """From now on all is well; what was under way for long arrives."""
        self._plan, self._outages, self._starved, self._kind = {}, [], None, None
        self._let_arrive(self._clock.now_ms() + LATE_MS)

    def client(self, service: str) -> Any:
        """A client as the adapters have it, with its own policy of retries, but without its pauses."""
        made = make_client(service, **ACCESS)
        event = f"needs-retry.{service}"
        made.meta.events.unregister(event, unique_id=f"retry-config-{service}")
        policy = standard.register_retry_handler(made, made.meta.config.retries["total_max_attempts"])
        made.meta.events.unregister(event, unique_id=f"retry-config-{service}")
        made.meta.events.register(event, lambda **asked: None if policy.needs_retry(**asked) is None else 0)
        made.meta.events.register("before-send", self)
        self._retries.append(policy)
        return made

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        sent = sent_by(request)
        invocation = sent.headers["amz-sdk-invocation-id"]
        if invocation != self._current:
            self._current, self._tries = invocation, 0
            self._kind = self._begun(sent)
        self._tries += 1
        if self._kind is None:
            return self._aws.answer(sent).to(request.url)
        if self._kind is Kind.LATE and self._tries == 1:
            self._late.append((self._clock.now_ms() + LATE_MS, sent))
        return struck(self._kind, sent, self._tries, self._aws.answer, self._clock).to(request.url)

    def _begun(self, sent: Sent) -> Kind | None:
        """What this call meets."""
        self._let_arrive(self._clock.now_ms())
        call = self._call(sent)
        self.calls.append(call)
        self.used |= {(self.role, action, target) for action, target in actions_of(sent)}
        kind = self._plan.get(len(self.calls)) or self._outage(call) or self._starving(call)
        if kind is None or (kind not in OUTAGES and kind not in all_kinds_of(sent.operation)):
            return None
        self.struck[len(self.calls)] = kind
        if kind in OUTAGES and len(self.calls) in self._plan:
            until_ms = None if self._outage_ms is None else self._clock.now_ms() + self._outage_ms
            self._outages.append((call if kind is Kind.OUTAGE_OF_IT else None, until_ms))
        if kind is Kind.STARVED and self._starved is None:
            self._starved = call, TRIES - 1
        return kind

    def _let_arrive(self, now_ms: int) -> None:
        """What was under way for long, and is there by now."""
        arrived = [sent for at_ms, sent in self._late if at_ms <= now_ms]
        self._late = [(at_ms, sent) for at_ms, sent in self._late if at_ms > now_ms]
        for sent in arrived:
            self._aws.answer(sent)

    def _outage(self, call: Call) -> Kind | None:
        now_ms = self._clock.now_ms()
        for of_it, until_ms in self._outages:
            if (until_ms is None or now_ms < until_ms) and (of_it is None or of_it.target == call.target):
                return Kind.OUTAGE
        return None

    def _starving(self, call: Call) -> Kind | None:
        """The same call again, as often as the adapters send it."""
        if self._starved is None:
            return None
        starved, left = self._starved
        if starved != call or not left:
            self._starved = None
            return None
        self._starved = starved, left - 1
        return Kind.STARVED

    def _call(self, sent: Sent) -> Call:
        return Call(self.role, sent.operation, ", ".join(sorted(_targets(sent))))


def actions_of(sent: Sent) -> set[tuple[str, str]]:
    """What a role has to be granted for the request: actions, and the table, index or queue."""
    names = _targets(sent)
    match sent.operation:
        case "TransactWriteItems":
            writes = [next(iter(item.items())) for item in sent.body["TransactItems"]]
            return {(_IN_TRANSACTIONS[kind], _short(write["TableName"])) for kind, write in writes}
        case "BatchExecuteStatement":
            verbs = {each["Statement"].split()[0] for each in sent.body["Statements"]}
            return {(f"dynamodb:PartiQL{verb.capitalize()}", name) for verb in verbs for name in names}
        case "GetParameter":
            return {("ssm:GetParameter", name) for name in names}
        case "GetSecretValue":
            return {("secretsmanager:GetSecretValue", name) for name in names}
        case "SendMessageBatch":
            return {("sqs:SendMessage", name) for name in names}
        case operation:
            return {(f"dynamodb:{operation}", name) for name in names}


_IN_TRANSACTIONS = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def _targets(sent: Sent) -> set[str]:
    """The tables, the index or the queue that a request names."""
    body = sent.body
    if sent.operation == "GetParameter" and "/secrets/" in body["Name"]:
        return {"jobparameters/*"}
    if sent.operation == "GetSecretValue":
        return {"jobsecrets/*"}
    if sent.operation == "GetParameter":
        return {_short(body["Name"]).replace("-", "")}
    if "QueueUrl" in body:
        return {_short(body["QueueUrl"])}
    if "RequestItems" in body:
        return set(map(_short, body["RequestItems"]))
    if "TransactItems" in body:
        return {_short(write["TableName"]) for item in body["TransactItems"] for write in item.values()}
    if "Statements" in body:
        return {_short(each["Statement"].split('"')[1]) for each in body["Statements"]}
    index = body.get("IndexName")
    return {_short(body["TableName"]) + (f"/index/{index}" if index else "")}


def _short(name: str) -> str:
    """`runs` of chronos-runs, `fast` of a queue's URL."""
    return name.rpartition("/")[2].removeprefix("chronos-")


def _replenish(policy: Any) -> None:
    """Many scenarios share a client: the retries of one must not use up those of the next."""
    quota = policy._retry_quota._quota
    quota._available_capacity = quota._max_capacity
