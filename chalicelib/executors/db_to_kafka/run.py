"""Carries out `db_to_kafka` jobs: read a batch, send it, have it confirmed, store how far that was; again.

Who dies in between has sent some rows whose place is not stored: the next run sends them again, and none is lost.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call
from chalicelib.executors.database.failures import FAILURES, failed
from chalicelib.executors.database.session import TooLate
from chalicelib.executors.db_to_kafka.keyset import NotAscending
from chalicelib.executors.db_to_kafka.reading import Batch, Reader
from chalicelib.executors.db_to_kafka.records import Record, record_of
from chalicelib.executors.db_to_kafka.spec import Cluster, Config
from chalicelib.executors.guarded_loop import GuardedLoop, run_within
from chalicelib.executors.kafka_client import KafkaAccess, producing, translated
from chalicelib.executors.tls import UnusableTLS, context_of
from chalicelib.executors.trouble import Trouble
from chalicelib.ports.job_state import StateMoved


@dataclass
class Sent:
    """How far a run has come. `watermark` is the key of the last row that is confirmed and stored."""

    rows: int = 0
    batches: int = 0
    complete: bool = False
    watermark: list[Any] | None = None
    version: int = 0
    document: dict[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        told = {"rows": self.rows, "batches": self.batches, "complete": self.complete}
        return told if self.watermark is None else {**told, "watermark": self.watermark}


def execute(call: Call) -> Outcome:
    sent, reader = Sent(), Reader(call)
    try:
        run_within(call, lambda loop: _stream(loop, call, reader, sent))
    except (TooLate, TimeoutError):
        message = f"The time was up after {sent.rows} rows were confirmed."
        return Failed("timeout", message, result=sent.shown())
    except Trouble as trouble:
        return Failed(trouble.kind, trouble.message, result=sent.shown(), retryable=trouble.retryable)
    except NotAscending as error:
        return Failed("condition", str(error), result=sent.shown(), retryable=False)
    except StateMoved:
        message = "Another run has stored another place to go on from. Let the job's runs not overlap."
        return Failed("condition", message, result=sent.shown())
    except UnusableTLS as error:
        return Failed("connection", str(error), retryable=False)
    except Unavailable as error:
        return Failed(
            "unknown", f"The place to go on from is not at hand. {error.message}", result=sent.shown()
        )
    except FAILURES as error:
        return failed(error, sent.shown())
    finally:
        reader.close()
    return Succeeded(sent.shown())


async def _stream(loop: GuardedLoop, call: Call, reader: Reader, sent: Sent) -> None:
    config: Config = call.config
    if config.incremental:
        await loop.aside(lambda: _resume(call, sent))
    async with producing(_access(call, config.kafka)) as producer:
        while sent.rows < config.max_rows and not sent.complete:
            limit = min(config.batch_rows, config.max_rows - sent.rows)
            batch: Batch = await loop.run_in_executor(reader.thread, reader.batch, sent.watermark, limit)
            await _deliver(config, producer, [record_of(row, config) for row in batch.rows])
            if batch.last is not None:
                await loop.aside(lambda batch=batch: _store(call, sent, batch))  # type: ignore[misc]
            sent.rows += len(batch.rows)
            sent.batches += bool(batch.rows)
            sent.complete = batch.complete
            call.progress(100 * sent.rows / config.max_rows, f"{sent.rows} rows are confirmed.")


async def _deliver(config: Config, producer: AIOKafkaProducer, records: list[Record]) -> None:
    """All are confirmed by all replicas in sync when this returns. Trouble for the first that is not."""
    headers = [(name, value.encode()) for name, value in config.headers.items()]
    with translated(config.kafka.servers[0]):
        waiting = [
            await producer.send(config.topic, record.value, key=record.key, headers=headers)
            for record in records
        ]
        await asyncio.gather(*waiting)


def _resume(call: Call, sent: Sent) -> None:
    """Where the last run ended, if that was of the same columns and generation."""
    sent.document, sent.version = call.state.read()
    if all(sent.document.get(name) == value for name, value in _identity(call).items()):
        sent.watermark = sent.document.get("watermark")


def _store(call: Call, sent: Sent, batch: Batch) -> None:
    document = {**_identity(call), "watermark": batch.last}
    sent.version = call.state.write(document, sent.version)
    sent.watermark = batch.last


def _identity(call: Call) -> dict[str, Any]:
    config: Config = call.config
    assert config.incremental is not None
    return {"columns": config.incremental.columns, "generation": config.incremental.generation}


def _access(call: Call, cluster: Cluster) -> KafkaAccess:
    return KafkaAccess(
        servers=cluster.addresses(),
        tls=None if cluster.tls is None else context_of(cluster.tls, call.settings.ca_file),
        user=cluster.user,
        password=cluster.password,
        mechanism=cluster.mechanism,
        client_id=f"chronos-{call.run_id}",
    )
