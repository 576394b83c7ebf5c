"""The harness itself: it reaches everything that the functions may do, and it notices adapters that are broken."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.aws.dynamodb import AwsDatabase, AwsTable
from chalicelib.aws.expressions import decode, encode_key
from chalicelib.aws.faults import translated
from chalicelib.aws.sqs import SqsQueue
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.lanes import LANES
from chalicelib.ports.queue import Outgoing
from chalicelib.ports.table import Check, Item, Key, TableName, Write
from infra.functions import functions
from tests.faults.flow import Flow, flows
from tests.faults.kinds import all_kinds_of
from tests.faults.scenario import Violated, carried_out, check, prepared, ready
from tests.faults.system import System

ROLES = {"dead_letters": "dlq", **{f"{lane}_worker": "worker" for lane in LANES}}
"""The lanes' workers are one code, and their policies one row."""
BY_THE_EVENT_SOURCE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
"""What Lambda itself does with a function's role."""
ELSEWHERE = {
    "s3": "a file that is not stored fails its attempt, and no more: tests/contract/ports/test_outputs.py",
    "lambda": "so does a script that is not run: tests/contract/sandbox",
    "ses": "a mail that cannot be sent is told in the log, and asked for again: tests/contract/ports/test_mail.py",
    "sts": "a role that is not assumed fails its attempt, and no more: tests/contract/ports/test_cloud.py",
}
"""Services that the harness does not have, and where their faults are met."""
OF_PROVIDERS = ("api", "ssm:GetParameter", "jobparameters/*")
"""A tenant's secret at its identity provider, which the harness does not have: tests/unit/features/test_sso.py."""


def test_the_flows_use_all_that_the_functions_are_granted_and_no_more() -> None:
    used = {
        (role, action, "a lane" if resource in LANES else resource)
        for name in flows()
        for role, action, resource in ready(name).system.wire.used
        if role
    }
    assert sorted(set(granted()) - used - {OF_PROVIDERS}) == [], "add a flow that needs this"
    assert sorted(used - set(granted())) == [], "infra/functions.yaml does not grant this"


def granted() -> Iterator[tuple[str, str, str]]:
    """(role, action, table or queue) of infra/functions.yaml; the lanes' queues are as one."""
    for function in functions():
        for statement in function.statements:
            for action in statement["Action"]:
                if action.startswith("logs:") or action in BY_THE_EVENT_SOURCE:
                    continue
                if action.partition(":")[0] in ELSEWHERE:
                    continue
                for resource in statement["Resource"]:
                    yield ROLES.get(function.name, function.name), action, short(resource)


def short(resource: str) -> str:
    """`runs/index/dead` of ${RunsTableArn}/index/dead."""
    name, _, index = resource.removeprefix("${").partition("}")
    short = name.removesuffix("Arn").removesuffix("Table").removesuffix("Queue").lower()
    return "a lane" if short in LANES else short + index


class Breakable(AwsDatabase):
    """The adapters over tables of a class of their own."""

    Table: type[AwsTable] = AwsTable

    def __init__(self, client: Any, names: Mapping[TableName, str], fan: Any, sleep: Any) -> None:
        super().__init__(client, names, fan, sleep)
        self.catalog, self.timers, self.runs, self.audit = (
            self.Table(client, names[name], fan, sleep) for name in ("catalog", "timers", "runs", "audit")
        )


class DropsUnprocessedItems(Breakable):
    class Table(AwsTable):
        def _write_batch(self, requests: Sequence[Mapping[str, Any]]) -> None:
            with translated("DynamoDB"):
                self._client.batch_write_item(RequestItems={self.name: requests})


class DropsUnprocessedKeys(Breakable):
    class Table(AwsTable):
        def _get_batch(self, keys: Sequence[Key]) -> list[Item]:
            wanted = {"Keys": [encode_key(key) for key in keys], "ConsistentRead": True}
            with translated("DynamoDB"):
                answer = self._client.batch_get_item(RequestItems={self.name: wanted})
            return [decode(item) for item in answer["Responses"].get(self.name, ())]


class TakesSilenceForSuccess(Breakable):
    def transact(self, *writes: tuple[TableName, Write | Check]) -> None:
        with suppress(Unavailable):
            super().transact(*writes)


class WritesLater(Breakable):
    """Keeps what is put until the next call."""

    class Table(AwsTable):
        kept: tuple[Item, ...] = ()

        def put_all(self, items: Iterable[Item]) -> None:
            self.kept = tuple(items)

        def delete_all(self, keys: Iterable[Key]) -> None:
            super().delete_all(keys)
            super().put_all(self.kept)


class SaysThatRefusedStatementsHeld(Breakable):
    class Table(AwsTable):
        def write_each(self, writes: Sequence[Any]) -> list[bool]:
            super().write_each(writes)
            return [True for _ in writes]


class DropsFailedEntries(SqsQueue):
    def _send_batch(self, batch: Sequence[Outgoing]) -> None:
        with suppress(Unavailable):
            self._sleep = _stop
            super()._send_batch(batch)


def _stop(_seconds: float) -> None:
    raise Unavailable("it was refused, and is not sent again")


BROKEN: list[tuple[Callable[[], System], str]] = [
    (lambda: System(DropsUnprocessedItems), "a_tick_in_time"),
    (lambda: System(DropsUnprocessedKeys), "a_tick_in_time"),
    (lambda: System(TakesSilenceForSuccess), "trigger"),
    (lambda: System(WritesLater), "a_tick_in_time"),
    (lambda: System(SaysThatRefusedStatementsHeld), "a_fresh_batch"),
    (lambda: System(queue=DropsFailedEntries), "a_tick_in_time"),
]


@pytest.mark.parametrize(("make", "name"), BROKEN)
def test_a_broken_adapter_does_not_pass(make: Callable[[], System], name: str) -> None:
    with pytest.raises(Violated):
        every_single_fault(flows()[name], make)


def every_single_fault(flow: Flow, make: Callable[[], System]) -> None:
    ready = prepared(flow, make)
    for number, call in ready.sites():
        for kind in all_kinds_of(call.operation):
            check(ready, {number: kind}, carried_out(ready, {number: kind}))
