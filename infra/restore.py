"""`make restore`: a stage goes on from restored copies of its tables, and dispatches nothing a second time. Repeatable.

Every function is stopped first, by a reserved concurrency of 0. Should something fail in between, the stage stays
stopped: the same command goes on.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from chalicelib.aws.expressions import encode
from chalicelib.engine.core import EngineSettings
from chalicelib.engine.ringing.floor import LATE_MS, encode_floor
from infra import account, refusals, stacks
from infra.account import Live
from infra.errors import Stop
from infra.functions import Json
from infra.stacks import name_of

TABLES = ("catalog", "timers", "runs", "audit")
_BATCH, _TRIES = 25, 8


def restore(stage: str, disaster: str, copies: Mapping[str, str]) -> None:
    """Go on from the tables `copies` (by our names), with nothing left to do from before the disaster (RFC 3339)."""
    refusals.check_name(stage)
    floor_ms = floor_of(disaster)
    with account.plainly():
        session = account.session()
        stack, live = (
            stacks.find(session.client("cloudformation"), name_of(stage)),
            account.find(session, stage),
        )
        if not (stack and stack.outputs and live.is_complete):
            raise Stop(f"{stage} is not wholly deployed here: run `make deploy STAGE={stage}` first.")
        carry_out(session.client, live, stack.outputs, floor_ms, copies)
    print(f"{stage} goes on. What was due before {disaster} and two minutes more is skipped as `restored`.")


def floor_of(disaster: str) -> int:
    """The dispatch floor (epoch ms): what had been dispatched at the disaster lies below. Stop if it is no moment."""
    try:
        moment = datetime.fromisoformat(disaster)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Stop(
            f"DISASTER must be a moment with its zone, such as 2027-01-15T13:10:00Z, not {disaster!r}."
        )
    return round(moment.timestamp() * 1000) + EngineSettings().horizon_ms


def carry_out(
    client: Callable[[str], Any],
    live: Live,
    outputs: Mapping[str, str],
    floor_ms: int,
    copies: Mapping[str, str],
) -> None:
    """Stop the functions, empty the queues, take over the copies, set the floor, wait for it, and start again."""
    lambdas, dynamodb = client("lambda"), client("dynamodb")
    names = {name: outputs[f"Chronos{name.capitalize()}Table"] for name in TABLES}
    _check(dynamodb, copies, names)
    _step("stopping all functions")
    for _, arn, _ in live.functions:
        lambdas.put_function_concurrency(FunctionName=arn, ReservedConcurrentExecutions=0)
    _step("emptying the queues")
    for name in (key for key in outputs if key.endswith("QueueArn")):
        _purge(client("sqs"), outputs[name].rpartition(":")[2])
    for name, copied in copies.items():
        _step(f"{name}: taking over {copied}")
        replace_items(dynamodb, copied, names[name])
    _step("setting the dispatch floor")
    dynamodb.put_item(TableName=names["timers"], Item=encode(encode_floor(floor_ms)))
    time.sleep(max(0.0, (floor_ms + LATE_MS) / 1000 - time.time()))
    _step("starting the functions")
    for _, arn, _ in live.functions:
        lambdas.delete_function_concurrency(FunctionName=arn)


def replace_items(dynamodb: Any, source: str, target: str) -> None:
    """Make the target hold what the source holds, and nothing else."""
    surplus = {_key(item) for item in _scan(dynamodb, target, ProjectionExpression="pk, sk")}

    def puts() -> Iterator[Json]:
        for item in _scan(dynamodb, source):
            surplus.discard(_key(item))
            yield {"PutRequest": {"Item": item}}

    _write(dynamodb, target, puts())
    deletes = ({"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}} for pk, sk in surplus)
    _write(dynamodb, target, deletes)


def _check(dynamodb: Any, copies: Mapping[str, str], names: Mapping[str, str]) -> None:
    for name, copied in copies.items():
        if copied in names.values():
            raise Stop(f"{copied} is the stage's own table: restore it under another name first.")
        if not account.exists(dynamodb.describe_table, TableName=copied):
            raise Stop(f"There is no table {copied} to take over as {name}.")


def _purge(sqs: Any, queue: str) -> None:
    """SQS does it at most once a minute; then it is being done already."""
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    try:
        sqs.purge_queue(QueueUrl=url)
    except sqs.exceptions.PurgeQueueInProgress:
        return


def _scan(dynamodb: Any, table: str, **arguments: str) -> Iterator[Json]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **arguments)
    return (item for page in pages for item in page["Items"])


def _write(dynamodb: Any, table: str, requests: Iterable[Json]) -> None:
    rest = iter(requests)
    while batch := list(islice(rest, _BATCH)):
        for attempt in range(_TRIES):
            batch = dynamodb.batch_write_item(RequestItems={table: batch})["UnprocessedItems"].get(table, [])
            if not batch:
                break
            time.sleep(0.1 * 2**attempt)
        else:
            raise Stop(f"DynamoDB refuses writes to {table} again and again: run the same command later.")


def _key(item: Json) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _step(what: str) -> None:
    print(f"==> {what}", flush=True)
