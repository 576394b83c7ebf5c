"""Pools: calls beside each other, waited for together. The same suite for threads and for the twins."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.aws.pool import ThreadPool
from chalicelib.ports.pool import Pool
from tests.support.world import Inline


def threads() -> Iterator[Pool]:
    with ThreadPoolExecutor(4) as executor:
        yield ThreadPool(executor)


def inline() -> Iterator[Pool]:
    yield Inline()


@pytest.fixture(params=[threads, inline], ids=lambda make: make.__name__)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    make: Callable[[], Iterator[Pool]] = request.param
    yield from make()


def fail(reason: str) -> None:
    raise ValueError(reason)


def test_results_come_in_the_order_in_which_the_calls_were_given(pool: Pool) -> None:
    tasks = [pool.submit(pow, 2, power) for power in range(8)]
    done = pool.wait(tasks, for_all=True)
    assert [task.result() for task in done] == [1, 2, 4, 8, 16, 32, 64, 128]


def test_an_exception_is_raised_where_the_result_is_asked_for(pool: Pool) -> None:
    tasks = [pool.submit(fail, "no"), pool.submit(pow, 2, 2)]
    failed, fine = pool.wait(tasks, for_all=True)
    assert fine.result() == 4
    with pytest.raises(ValueError, match="no"):
        failed.result()


def test_waiting_for_nothing_returns_at_once(pool: Pool) -> None:
    assert pool.wait([], for_all=True) == []


def test_a_wait_ends_with_the_first_that_is_over() -> None:
    gate = threading.Event()
    with ThreadPoolExecutor(2) as executor:
        pool = ThreadPool(executor)
        slow, quick = pool.submit(gate.wait, 20), pool.submit(pow, 2, 3)
        assert pool.wait([slow, quick]) == [quick]
        gate.set()
        assert pool.wait([slow, quick], for_all=True) == [slow, quick]


def test_a_wait_ends_with_its_time() -> None:
    gate = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        pool = ThreadPool(executor)
        assert pool.wait([pool.submit(gate.wait, 20)], 0.001) == []
        gate.set()
