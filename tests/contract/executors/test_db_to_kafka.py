"""Rows of real databases on their way to brokers of Kafka: all arrive, whatever happens in between."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from chalicelib.ports.contact import Contact
from tests.support.calls import call_of, perform
from tests.support.databases import ENGINES, Database, database
from tests.support.doubles import MemoryJobState
from tests.support.kafka_broker import kafka
from tests.support.relay import silent
from tests.support.services import unique

TOLERANCE_SECONDS = 4
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def servers() -> Iterator[list[str]]:
    with kafka(brokers=2) as found:
        yield found


@pytest.fixture(params=ENGINES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with database(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[Database]:
    with database("postgresql", tmp_path) as found:
        yield found


def _fill(source: Database, first: int, last: int) -> None:
    rows = ", ".join(f"({number}, 'name {number}')" for number in range(first, last + 1))
    source.ask(f"INSERT INTO {{t}} VALUES {rows}")


class Stream:
    """A job from a database's table to a topic of its own, and what the job keeps from run to run."""

    def __init__(self, source: Database, servers: list[str], **fields: Any) -> None:
        self.source, self.servers = source, servers
        self.topic = unique()
        self.state = MemoryJobState()
        self._fields = {"query": {"sql": f"SELECT id, name FROM {source.table}"}, "batch_rows": 20, **fields}

    def config(self, **fields: Any) -> dict[str, Any]:
        cluster = {"servers": self.servers, "tls": None}
        config = {"connection": self.source.connection(), "kafka": cluster, "topic": self.topic}
        return {**config, **self._fields, **fields}

    def run(
        self, *, seconds: float = 20, stop: Contact | None = None, settings: Any = None, **fields: Any
    ) -> Outcome:
        given = {"stop": stop} if stop else {}
        call = call_of(
            "db_to_kafka",
            self.config(**fields),
            seconds=seconds,
            settings=settings or self.source.settings,
            state=self.state,
            **given,
        )
        return perform(call, "db_to_kafka")

    def sent(self, **fields: Any) -> dict[str, Any]:
        outcome = self.run(**fields)
        assert isinstance(outcome, Succeeded), outcome
        return outcome.result

    def messages(self) -> list[Message]:
        """All that lies in the topic, read by librdkafka."""
        consumer = Consumer({"bootstrap.servers": ",".join(self.servers), "group.id": unique()})
        numbers = consumer.list_topics(self.topic, timeout=10).topics[self.topic].partitions
        places = [TopicPartition(self.topic, number, OFFSET_BEGINNING) for number in numbers]
        count = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
        consumer.assign(places)
        try:
            return consumer.consume(count, timeout=20) if count else []
        finally:
            consumer.close()

    def ids(self) -> list[int]:
        return sorted(json.loads(message.value() or b"")["id"] for message in self.messages())


@pytest.fixture
def stream(source: Database, servers: list[str]) -> Stream:
    return Stream(source, servers, incremental={"columns": ["id"]})


def test_all_rows_arrive_in_each_run_if_it_is_not_incremental(source: Database, servers: list[str]) -> None:
    stream = Stream(source, servers)
    _fill(source, 1, 50)
    for _ in range(2):
        assert stream.sent() == {"rows": 50, "batches": 3, "complete": True}
    assert stream.ids() == sorted([*range(1, 51)] * 2)
    assert stream.state.document == {}


def test_each_run_goes_on_where_the_one_before_ended(stream: Stream) -> None:
    assert stream.sent() == {"rows": 0, "batches": 0, "complete": True}
    _fill(stream.source, 1, 40)
    assert stream.sent() == {"rows": 40, "batches": 2, "complete": True, "watermark": [40]}
    assert stream.sent() == {"rows": 0, "batches": 0, "complete": True, "watermark": [40]}
    _fill(stream.source, 41, 45)
    assert stream.sent() == {"rows": 5, "batches": 1, "complete": True, "watermark": [45]}
    assert stream.ids() == [*range(1, 46)]


def test_a_run_ends_after_as_many_rows_as_it_may_send(stream: Stream) -> None:
    _fill(stream.source, 1, 50)
    assert stream.sent(max_rows=30) == {"rows": 30, "batches": 2, "complete": False, "watermark": [30]}
    assert stream.sent(max_rows=30)["complete"] is True
    assert stream.ids() == [*range(1, 51)]


def test_two_columns_are_one_order(source: Database, servers: list[str]) -> None:
    stream = Stream(source, servers, incremental={"columns": ["name", "id"]}, batch_rows=3)
    values = ", ".join(f"({number}, 'group {number // 10}')" for number in range(100))
    source.ask("DROP TABLE {t}")
    source.ask("CREATE TABLE {t} (id integer, name varchar(20))")
    source.ask(f"INSERT INTO {{t}} VALUES {values}")
    stream.run(max_rows=50)
    assert stream.sent()["watermark"] == ["group 9", 99]
    assert stream.ids() == [*range(100)]


@pytest.mark.parametrize(
    ("engine", "type_", "value", "why"),
    [
        ("postgresql", "timestamptz", "'2027-01-01 00:00:00.00000{}+02'", "instants to the microsecond"),
        ("postgresql", "numeric", "12345678901234567890.{}", "decimals"),
        ("postgresql", "double precision", "0.1 + 1e-15 * {}", "floats"),
        ("postgresql", "uuid", "'00000000-0000-0000-0000-00000000000{}'", "UUIDs"),
        ("mysql", "datetime(6)", "'2027-01-01 00:00:00.00000{}'", "times to the microsecond"),
        ("mysql", "bigint", "922337203685477580{}", "64 bits"),
        ("mysql", "varchar(20) COLLATE utf8mb4_unicode_ci", "'it''s {}'", "text of another collation"),
        ("sqlite", "text", "'2027-01-01T00:00:0{}Z'", "text"),
    ],
)
def test_the_place_to_go_on_from_is_exact(
    servers: list[str], tmp_path: Path, engine: str, type_: str, value: str, why: str
) -> None:
    with database(engine, tmp_path) as source:
        source.ask("DROP TABLE {t}")
        source.ask(f"CREATE TABLE {{t}} (id integer, place {type_})")
        source.ask("INSERT INTO {t} VALUES " + ", ".join(f"({n}, {value.format(n)})" for n in range(8)))
        query = {"sql": f"SELECT id, place FROM {source.table}"}
        stream = Stream(source, servers, query=query, incremental={"columns": ["place"]}, batch_rows=3)
        counts = [stream.sent(max_rows=2)["rows"] for _ in range(5)]
    assert counts == [2, 2, 2, 2, 0], why
    assert stream.ids() == [*range(8)], why


def test_another_generation_or_order_begins_anew(stream: Stream) -> None:
    _fill(stream.source, 1, 5)
    assert stream.sent()["rows"] == 5
    again = {"columns": ["id"], "generation": 1}
    assert stream.sent(incremental=again)["rows"] == 5
    assert stream.sent(incremental=again)["rows"] == 0
    assert stream.sent(incremental={"columns": ["name"], "generation": 1})["rows"] == 5


def test_a_row_becomes_a_message_as_the_job_says(source: Database, servers: list[str]) -> None:
    _fill(source, 1, 1)
    plain, keyed, wide = (Stream(source, servers) for _ in range(3))
    plain.sent()
    keyed.sent(key_columns=["id"], value_column="name", headers={"kind": "order"})
    wide.sent(key_columns=["name", "id"])
    (first,), (second,), (third,) = (one.messages() for one in (plain, keyed, wide))
    assert (first.key(), first.value(), first.headers()) == (None, b'{"id":1,"name":"name 1"}', None)
    assert (second.key(), second.value(), second.headers()) == (b"1", b"name 1", [("kind", b"order")])
    assert third.key() == b'["name 1",1]'


def test_parameters_of_the_query_stand_beside_the_place(stream: Stream) -> None:
    _fill(stream.source, 1, 30)
    sql = f"SELECT id, name FROM {stream.source.table} WHERE id <= :most"
    query = {"sql": sql, "parameters": {"most": 25}}
    assert stream.sent(query=query)["rows"] == 25
    query = {"sql": sql.replace(":most", "?"), "parameters": [28]}
    assert stream.sent(query=query)["rows"] == 3


_DIES = """
import json, os, sys
from pathlib import Path
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import call_of, perform

config, place, mount, writes = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])


class State:
    left = writes

    def read(self):
        return (json.loads(place.read_text()), 1) if place.exists() else ({}, 0)

    def write(self, document, version):
        if not self.left:
            os._exit(9)  # as if killed: what is delivered stays delivered, and nothing is cleaned up
        self.left -= 1
        place.write_text(json.dumps(document))
        return version + 1


settings = ExecutorSettings(allow_networks=("127.0.0.0/8",), mount=mount)
print(perform(call_of("db_to_kafka", config, settings=settings, state=State(), seconds=30), "db_to_kafka"))
"""


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_worker_that_is_killed_after_the_delivery_loses_no_row(
    servers: list[str], tmp_path: Path, engine: str
) -> None:
    with database(engine, tmp_path) as source:
        stream = Stream(source, servers, incremental={"columns": ["id"]})
        _fill(source, 1, 70)
        arguments = [json.dumps(stream.config()), str(tmp_path / "state"), str(tmp_path)]
        ends = [
            subprocess.run(
                [sys.executable, "-c", _DIES, *arguments, writes], cwd=ROOT, check=False
            ).returncode
            for writes in ("1", "0", "9")
        ]
        assert ends == [9, 9, 0]
        found = stream.ids()
    assert set(found) == set(range(1, 71)), "none is lost"
    assert len(found) == 110, "each death repeats the batch whose place was not stored"


def test_a_failure_on_the_way_keeps_what_was_confirmed(postgresql: Database, servers: list[str]) -> None:
    _fill(postgresql, 1, 50)
    broken = f"SELECT id, 100 / (35 - id) AS name FROM {postgresql.table}"
    stream = Stream(postgresql, servers, incremental={"columns": ["id"]}, batch_rows=10)
    outcome = stream.run(query={"sql": broken})
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("database", False)
    assert outcome.result == {"rows": 30, "batches": 3, "complete": False, "watermark": [30], "code": "22012"}
    assert stream.sent()["rows"] == 20
    assert stream.ids() == [*range(1, 51)]


def test_two_rows_of_one_place_are_refused_before_any_is_left_out(stream: Stream) -> None:
    """Also where the first ends one batch, and the second would begin the next."""
    _fill(stream.source, 1, 40)
    query = {"sql": f"SELECT id - id % 2 AS id, name FROM {stream.source.table}"}
    outcome = stream.run(query=query, batch_rows=3)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("condition", False)


@pytest.mark.parametrize("fields", [{"key_columns": ["other"]}, {"value_column": "other"}])
def test_a_column_that_is_not_there_is_told(stream: Stream, fields: dict[str, Any]) -> None:
    _fill(stream.source, 1, 1)
    outcome = stream.run(**fields)
    assert isinstance(outcome, Failed)
    assert outcome.message == "The query's result has no column 'other'."


def test_a_run_that_was_overtaken_stops(stream: Stream) -> None:
    _fill(stream.source, 1, 50)
    stream.state.meanwhile = lambda: setattr(stream.state, "version", 7)
    outcome = stream.run()
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("condition", None)
    assert outcome.result == {"rows": 0, "batches": 0, "complete": False}


def test_without_the_place_to_go_on_from_nothing_is_sent(stream: Stream) -> None:
    _fill(stream.source, 1, 5)
    stream.state.failures.append(Unavailable("The table does not answer."))
    assert isinstance(stream.run(), Failed)
    assert stream.sent()["rows"] == 5
    assert stream.ids() == [1, 2, 3, 4, 5]


def test_a_message_that_is_too_large_is_refused(postgresql: Database, servers: list[str]) -> None:
    stream = Stream(postgresql, servers, query={"sql": "SELECT repeat('x', 2000000) AS name"})
    outcome = stream.run()
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("broker", False)


def test_the_guard_stands_before_the_database_and_the_brokers(
    postgresql: Database, servers: list[str]
) -> None:
    stream = Stream(postgresql, servers)
    inner = {"engine": "postgresql", "host": "10.0.0.1", "database": "a", "user": "a"}
    for fields, settings in (
        ({}, ExecutorSettings()),
        ({"connection": inner}, None),
        ({"kafka": {"servers": ["169.254.169.254"], "tls": None}}, None),
    ):
        outcome = stream.run(settings=settings, **fields)
        assert isinstance(outcome, Failed)
        assert outcome.kind == "forbidden_target"


def test_a_broker_that_says_nothing_is_left_in_time(postgresql: Database) -> None:
    with silent() as port:
        stream = Stream(postgresql, [f"127.0.0.1:{port}"])
        started = time.monotonic()
        outcome = stream.run(seconds=1)
        assert time.monotonic() - started < 1 + TOLERANCE_SECONDS
    assert isinstance(outcome, Failed)
    assert outcome.kind == "timeout"


def test_a_run_that_is_cancelled_ends_at_once_and_so_does_its_query(
    postgresql: Database, servers: list[str]
) -> None:
    stop = Contact()
    stream = Stream(postgresql, servers, query={"sql": "SELECT 1 AS id, pg_sleep(300)"})
    threading.Timer(0.7, stop.want).start()
    started = time.monotonic()
    assert isinstance(stream.run(seconds=60, stop=stop), Failed)
    assert time.monotonic() - started < TOLERANCE_SECONDS


def test_many_rows_pass_and_progress_is_told(postgresql: Database, servers: list[str]) -> None:
    contact = Contact()
    query = {"sql": "SELECT i AS id, repeat('x', 100) AS name FROM generate_series(1, 20000) AS i"}
    stream = Stream(postgresql, servers, query=query, incremental={"columns": ["id"]}, batch_rows=2000)
    assert stream.sent(seconds=60, stop=contact, max_rows=20_000)["rows"] == 20_000
    assert contact.latest is not None
    assert (contact.latest.percent, contact.latest.message) == (100, "20000 rows are confirmed.")
