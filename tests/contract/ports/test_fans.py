"""Every fan: in order, to the end, within its bound, also inside itself."""

import threading
from collections.abc import Callable
from itertools import count

import pytest

from chalicelib.aws.fan import ThreadedFan
from chalicelib.ports.fan import Fan, one_by_one

WIDTH = 3
PATIENCE_SECONDS = 30
FANS: list[tuple[str, Callable[[], Fan]]] = [
    ("one by one", lambda: one_by_one),
    ("a single thread", lambda: ThreadedFan(1)),
    ("threads", lambda: ThreadedFan(WIDTH)),
]


@pytest.fixture(params=[make for _, make in FANS], ids=[name for name, _ in FANS])
def fan(request: pytest.FixtureRequest) -> Fan:
    return request.param()  # type: ignore[no-any-return]


class Gate:
    """Counts who is inside, and holds everybody until so many have come at once."""

    def __init__(self, wanted: int = 1) -> None:
        self.most = self._inside = 0
        self._wanted, self._changed = wanted, threading.Condition()

    def pass_through(self, _item: object = None) -> None:
        with self._changed:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self.most >= self._wanted, PATIENCE_SECONDS)
            self._inside -= 1


def test_results_are_in_order(fan: Fan) -> None:
    assert fan(lambda number: number * 2, range(50)) == [number * 2 for number in range(50)]


def test_nothing_to_do_is_no_error(fan: Fan) -> None:
    assert fan(str, []) == []


def test_all_are_called_though_some_fail_and_the_first_failure_is_raised(fan: Fan) -> None:
    called: list[int] = []

    def call(number: int) -> None:
        called.append(number)
        if number in (3, 7):
            raise ValueError(number)

    with pytest.raises(ValueError, match=r"^3$"):
        fan(call, range(10))
    assert sorted(called) == list(range(10))


def test_a_fan_within_a_fan_gives_what_loops_would(fan: Fan) -> None:
    def row(number: int) -> list[int]:
        return fan(lambda other: number * other, range(12))

    assert fan(row, range(12), at_once=2) == [[a * b for b in range(12)] for a in range(12)]


def test_as_many_as_the_width_are_under_way_at_once() -> None:
    gate = Gate(WIDTH)
    ThreadedFan(WIDTH)(gate.pass_through, range(30))
    assert gate.most == WIDTH


def test_at_most_as_many_as_asked_for_are_under_way_at_once() -> None:
    gate = Gate(2)
    ThreadedFan(8)(gate.pass_through, range(30), at_once=2)
    assert gate.most == 2


def test_fans_within_fans_stay_within_one_bound() -> None:
    fan, gate = ThreadedFan(WIDTH), Gate(WIDTH)
    fan(lambda _: fan(gate.pass_through, range(20)), range(20), at_once=2)
    assert gate.most == WIDTH


def test_an_item_that_is_begun_alone_is_helped_inside() -> None:
    fan, gate = ThreadedFan(2), Gate(2)
    begun = count()

    def outer(_item: int) -> int:
        fan(gate.pass_through, range(4))
        return next(begun)

    assert fan(outer, range(3), at_once=1) == [0, 1, 2]
    assert gate.most == 2
