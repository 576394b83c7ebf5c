"""What a run history promises: over the twin, over DynamoDB as moto and as the emulator know it."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.aws.dynamodb import AwsDatabase
from chalicelib.domain.ids import job_id, run_id
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.run_history import PAGE, StoredRunHistory
from chalicelib.engine.records import encode_job, encode_run
from chalicelib.ports.fan import one_by_one
from chalicelib.ports.run_history import PastRun, WantedRuns
from chalicelib.ports.table import Database
from infra.local.fixtures import Stack
from tests.support.aws import create_tables, emulated, moto
from tests.support.jobs import some_job
from tests.support.memory import MemoryDatabase
from tests.support.world import NOON, TENANT, World

COUNT = itertools.count()
MINUTE, DAY = 60_000, 86_400_000
NIGHTLY, HOURLY, GONE = (job_id(NOON, bytes([number])) for number in range(3))
LATER = 2_000_000_000


def _aws(client: Any) -> Database:
    names = create_tables(client, prefix=f"history-{next(COUNT)}")
    return AwsDatabase(client, names, one_by_one, lambda _seconds: None)  # type: ignore[arg-type]


@pytest.fixture(params=["twin", "moto", pytest.param("emulator", marks=pytest.mark.e2e)])
def db(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "twin":
        yield MemoryDatabase()
    elif request.param == "moto":
        with moto() as client:
            yield _aws(client("dynamodb"))
    else:
        stack: Stack = request.getfixturevalue("stack")
        yield _aws(emulated("dynamodb", stack.aws))


@pytest.fixture
def engine(db: Database) -> Engine:
    """With two jobs; runs of theirs a minute apart, of one that was deleted, and of another tenant."""
    tags = {NIGHTLY: {"team": "data", "kind": "export"}, HOURLY: {"team": "web"}}
    jobs = [
        some_job(id=each, name=name, tags=tags[each])
        for each, name in ((NIGHTLY, "Nightly"), (HOURLY, "hourly"))
    ]
    db.catalog.put_all([encode_job(job) for job in jobs])
    runs = [
        _run(NIGHTLY, 1),
        _run(NIGHTLY, 2, status=RunStatus.FAILED),
        _run(HOURLY, 2),
        _run(HOURLY, 3, trigger="manual"),
        _run(GONE, 4),
        replace(_run(NIGHTLY, 2), tenant="another"),
        _run(NIGHTLY, 60 * 24),
    ]
    db.runs.put_all([encode_run(run, expires_at=LATER) for run in runs])
    expired = encode_run(_run(HOURLY, 5), expires_at=NOON // 1000 - 1)
    db.runs.put_all([expired])
    return replace(World(NOON).engine, db=db)


def _run(job: str, minutes_ago: int, **others: Any) -> Run:
    at_ms = NOON - minutes_ago * MINUTE
    plain = Run(run_id(job, at_ms), TENANT, job, RunStatus.SUCCEEDED, "schedule", at_ms, at_ms, 1)
    return replace(plain, starts=1, attempt=1, **others)


def found(engine: Engine, *, minutes: int = 60, until: int = NOON, **wanted: Any) -> list[PastRun]:
    history = StoredRunHistory(engine, _run(HOURLY, 0))
    pages = history.pages(WantedRuns(until - minutes * MINUTE, until, **wanted))
    return [past for page in pages for past in page]


def told(*args: Any, **wanted: Any) -> list[tuple[str | None, int]]:
    """The jobs' names, and how many minutes ago."""
    return [(past.job_name, (NOON - past.run.nominal_ms) // MINUTE) for past in found(*args, **wanted)]


def test_all_runs_of_the_tenant_are_there_latest_first(engine: Engine) -> None:
    runs = told(engine)
    assert [minutes for _, minutes in runs] == [1, 2, 2, 3, 4]
    assert {name for name, minutes in runs if minutes == 2} == {"Nightly", "hourly"}
    assert runs[-1] == (None, 4), "its job is deleted"
    assert {past.run.tenant for past in found(engine)} == {TENANT}
    assert all(past.usd > 0 for past in found(engine))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"jobs": (NIGHTLY,)}, [1, 2]),
        ({"jobs": (HOURLY, GONE, HOURLY)}, [2, 3, 4]),
        ({"jobs": (job_id(NOON, b"none"),)}, []),
        ({"names": ("NIGHTLY ",)}, [1, 2]),
        ({"jobs": (HOURLY,), "names": ("nightly",)}, []),
        ({"tags": {"team": "web"}}, [2, 3]),
        ({"tags": {"team": None, "kind": "export"}}, [1, 2]),
        ({"statuses": (RunStatus.FAILED, RunStatus.TIMED_OUT)}, [2]),
        ({"triggers": ("manual",)}, [3]),
        ({"jobs": (NIGHTLY,), "minutes": 2000}, [1, 2, 1440]),
        ({"minutes": 2, "until": NOON - MINUTE}, [2, 2, 3]),
        ({"minutes": 0}, []),
    ],
    ids=str,
)
def test_only_what_is_wanted_is_there(engine: Engine, wanted: dict[str, Any], expected: list[int]) -> None:
    assert [minutes for _, minutes in told(engine, **wanted)] == expected


@pytest.mark.parametrize("jobs", [(), (HOURLY,)], ids=["all", "one"])
def test_more_runs_than_a_page_come_in_order_and_once(engine: Engine, jobs: tuple[str, ...]) -> None:
    many = [_run(HOURLY, minutes) for minutes in range(100, 100 + 2 * PAGE + 5)]
    engine.db.runs.put_all([encode_run(run, expires_at=LATER) for run in many])
    runs = told(engine, jobs=jobs, minutes=1000)
    assert [minutes for _, minutes in runs if minutes >= 100] == list(range(100, 100 + 2 * PAGE + 5))
