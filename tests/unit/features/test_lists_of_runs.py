"""Lists of runs, page by page: nothing is left out or told twice, and no more is read than the page needs."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.records import RUN_BUCKETS, encode_run
from chalicelib.ports.table import Page, Put
from tests.support.api import ApiClient
from tests.support.memory import MemoryTable
from tests.support.world import NOON, World

RUNS, SECOND = 300, 1000


class Counted(MemoryTable):
    """Counts what is read by queries."""

    queries = records = 0

    def query(self, pk: str, **bounds: Any) -> Page:
        page = super().query(pk, **bounds)
        self.queries, self.records = self.queries + 1, self.records + len(page.items)
        return page


@pytest.fixture
def table() -> Counted:
    return Counted()


@pytest.fixture
def api(table: Counted) -> ApiClient:
    """Of two jobs, whose runs take turns; every thirtieth has failed."""
    world = World()
    world.db.runs = table
    client = ApiClient(world.engine)
    jobs = [client.create()["id"] for _ in range(2)]
    for number in range(RUNS):
        run = Run(
            id=run_id(jobs[number % 2], NOON + number * SECOND),
            tenant="local",
            job_id=jobs[number % 2],
            status=RunStatus.SUCCEEDED,
            trigger="schedule",
            nominal_ms=NOON + number * SECOND,
            due_ms=NOON + number * SECOND,
            schedule_revision=1,
        )
        run = replace(run, status=RunStatus.FAILED) if number % 30 == 0 else run
        table.write(Put(encode_run(run, expires_at=2_000_000_000)))
    return client


def moments(api: ApiClient, query: str) -> tuple[list[str], int]:
    """The nominal times of all pages, and how many pages there were."""
    found, cursor, pages = list[str](), "", 0
    while cursor is not None:
        page = api.get(f"/runs?{query}" + (f"&cursor={cursor}" if cursor else "")).json
        found += [run["nominal_at"] for run in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    return found, pages


def nominal(*numbers: int) -> list[str]:
    return [rfc3339(NOON + number * SECOND) for number in numbers]


@pytest.mark.parametrize("sort", ["nominal_at", "-nominal_at"])
@pytest.mark.parametrize(
    ("query", "numbers", "pages"),
    [
        ("limit=100", range(RUNS), 3),
        ("limit=7", range(RUNS), 43),
        ("limit=4&status=FAILED", range(0, RUNS, 30), 3),
        (f"limit=50&from={nominal(100)[0]}&to={nominal(200)[0]}", range(100, 200), 2),
    ],
)
def test_all_pages_together_are_the_list(
    api: ApiClient, sort: str, query: str, numbers: range, pages: int
) -> None:
    wanted = nominal(*(numbers if sort == "nominal_at" else numbers[::-1]))
    assert moments(api, f"{query}&sort={sort}") == (wanted, pages)


def test_a_page_reads_little_more_than_it_shows(api: ApiClient, table: Counted) -> None:
    table.queries = table.records = 0
    api.get("/runs?limit=50")
    assert table.records < 50 + RUN_BUCKETS * 8
    assert table.queries < 2 * RUN_BUCKETS + RUN_BUCKETS // 2


def test_a_window_is_read_alone(api: ApiClient, table: Counted) -> None:
    table.queries = table.records = 0
    answer = api.get(f"/runs?from={nominal(150)[0]}&to={nominal(153)[0]}").json
    assert [run["nominal_at"] for run in answer["items"]] == nominal(152, 151, 150)
    assert (table.records, table.queries) == (3, RUN_BUCKETS)


def test_a_cursor_of_one_order_is_none_of_the_other(api: ApiClient) -> None:
    cursor = api.get("/runs?limit=1&sort=nominal_at").json["next_cursor"]
    assert api.get(f"/runs?limit=1&cursor={cursor}").pointers == {"/query/cursor": "bad_cursor"}
