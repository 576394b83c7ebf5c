"""The API over moto: fresh tables and lanes for each test, the real adapters, a clock that stands still."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.aws.dynamodb import AwsDatabase
from chalicelib.aws.sqs import SqsQueue
from chalicelib.domain.lanes import LANES
from chalicelib.domain.run import Attempt, Run, RunStatus
from chalicelib.engine.core import Engine, EngineSettings
from chalicelib.engine.records import encode_run
from chalicelib.ports.fan import one_by_one
from chalicelib.ports.table import Put
from tests.support.api import ApiClient
from tests.support.aws import create_queues, create_tables, moto
from tests.support.mailbox import CheapHashing, MemoryMailer
from tests.support.memory import FakeClock, FakeIds, MemorySecrets, MemoryTelemetry
from tests.support.world import NOON, PUBLIC_URL, SIGNING_KEYS, TOKEN_KEYS

COUNT = itertools.count()


@pytest.fixture(scope="package")
def aws() -> Iterator[Callable[[str], Any]]:
    """For this package alone: while it is there, moto answers all clients of the process."""
    with moto() as client:
        yield {name: client(name) for name in ("dynamodb", "sqs")}.__getitem__


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def engine(aws: Callable[[str], Any], clock: FakeClock) -> Engine:
    prefix = f"api-{next(COUNT)}"
    names = create_tables(aws("dynamodb"), prefix)
    urls = create_queues(aws("sqs"), prefix)
    return Engine(
        db=AwsDatabase(aws("dynamodb"), names, one_by_one, clock.sleep),  # type: ignore[arg-type]
        lanes={
            lane: SqsQueue(aws("sqs"), urls[f"{lane.capitalize()}Queue"], one_by_one, clock.sleep)
            for lane in LANES
        },
        clock=clock,
        ids=FakeIds(),
        telemetry=MemoryTelemetry(),
        settings=EngineSettings(open_to_all=True),
        secrets=MemorySecrets(signing_key=SIGNING_KEYS, token_keys=TOKEN_KEYS, public_url=PUBLIC_URL),
        hashing=CheapHashing(),
        mailer=MemoryMailer(),
    )


@pytest.fixture
def api(engine: Engine) -> ApiClient:
    return ApiClient(engine)


@pytest.fixture
def rung(aws: Callable[[str], Any], engine: Engine) -> Callable[[], list[str]]:
    """The bodies of the messages that are visible in the fast lane."""

    def receive() -> list[str]:
        url = engine.lanes["fast"]._url  # type: ignore[attr-defined]
        answer = aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    return receive


@pytest.fixture
def kept(engine: Engine) -> Callable[[Run], Run]:
    """Puts a run into the table as a worker would leave it."""

    def keep(run: Run) -> Run:
        engine.db.runs.write(Put(encode_run(run, expires_at=2_000_000_000)))
        return run

    return keep


@pytest.fixture
def dead(api: ApiClient, engine: Engine, kept: Callable[[Run], Run]) -> Run:
    """A dead run of a job that still exists."""
    from chalicelib.domain.ids import run_id

    job_id = api.create(type="dummy", config={"outcome": "failure"}, schedule={"kind": "manual"})["id"]
    now_ms = engine.clock.now_ms()
    error = {"kind": "http_5xx", "message": "The answer was 502.", "status": 502}
    return kept(
        Run(
            id=run_id(job_id, now_ms - 60_000),
            tenant="local",
            job_id=job_id,
            status=RunStatus.FAILED,
            trigger="schedule",
            nominal_ms=now_ms - 60_000,
            due_ms=now_ms - 60_000,
            schedule_revision=1,
            attempt=1,
            starts=1,
            first_started_ms=now_ms - 59_950,
            started_ms=now_ms - 59_950,
            finished_ms=now_ms - 59_000,
            attempts=(Attempt(1, now_ms - 59_950, now_ms - 59_000, "failed", error, None),),
            dead=True,
        )
    )
