"""The event loop of the brokers' libraries, on real sockets: what it dials, and how it ends."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from chalicelib.executors.base import Call, ExecutorSettings
from chalicelib.executors.guard import ForbiddenTarget, Guard, Target
from chalicelib.executors.guarded_loop import GuardedLoop, run_within
from tests.support.calls import LOOPBACK, call_of
from tests.support.waiting import eventually


def _call(seconds: float = 10, settings: ExecutorSettings = LOOPBACK) -> Call:
    return call_of("dummy", {}, seconds=seconds, settings=settings)


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        yield server


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


async def _forever(_loop: GuardedLoop) -> None:
    await asyncio.sleep(600)


def _ends_within(seconds: float, call: Call, work: Callable[[GuardedLoop], Any]) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        run_within(call, work)
    assert time.monotonic() - began < seconds


def test_the_result_comes_back(listener: socket.socket) -> None:
    async def work(loop: GuardedLoop) -> str:
        transport, _ = await loop.create_connection(asyncio.Protocol, "localhost", _port(listener))
        return str(transport.get_extra_info("peername")[1])

    assert run_within(_call(), work) == str(_port(listener))


def test_an_exception_comes_back() -> None:
    async def work(loop: GuardedLoop) -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        run_within(_call(), work)


def test_a_target_that_is_refused_ends_all_though_the_library_swallows_it() -> None:
    async def work(loop: GuardedLoop) -> None:
        with suppress(Exception):
            await asyncio.open_connection("localhost", 1)
        await asyncio.sleep(600)

    with pytest.raises(ForbiddenTarget, match="loopback"):
        run_within(_call(settings=ExecutorSettings()), work)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "0", "2130706433", "0x7f000001", "127.1", "10.0.0.1",
     "169.254.169.254", "192.168.1.1", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"],
)  # fmt: skip
def test_no_spelling_of_an_inner_address_is_dialled(host: str) -> None:
    async def work(loop: GuardedLoop) -> None:
        await loop.create_connection(asyncio.Protocol, host, 80)

    with pytest.raises(ForbiddenTarget):
        run_within(_call(settings=ExecutorSettings()), work)


def test_the_next_address_is_tried_when_one_refuses(listener: socket.socket) -> None:
    closed: Target = (socket.AF_INET, ("127.0.0.2", _port(listener)))
    two: list[Target] = [closed, (socket.AF_INET, listener.getsockname())]
    loop = GuardedLoop(Guard((ip_network("127.0.0.0/8"),), resolver=lambda host, port, seconds: two))
    try:
        with loop.run_until_complete(loop.dial("two.example", 80)) as connection:
            assert connection.getpeername() == listener.getsockname()
    finally:
        loop.close()


def test_it_ends_by_the_deadline() -> None:
    _ends_within(6, _call(seconds=0.3), _forever)


@pytest.mark.parametrize("seconds", [0, -5])
def test_nothing_begins_without_time(seconds: float) -> None:
    began = []

    async def work(loop: GuardedLoop) -> None:
        began.append(1)

    with pytest.raises(TimeoutError):
        run_within(_call(seconds=seconds), work)
    assert not began


def test_it_ends_when_told_to_stop() -> None:
    call = _call()
    threading.Timer(0.2, call.stop.want).start()
    _ends_within(6, call, _forever)


def test_work_that_resists_cancelling_is_left() -> None:
    async def work(loop: GuardedLoop) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(600)
        await asyncio.sleep(600)

    _ends_within(6, _call(seconds=0.2), work)


def test_work_that_blocks_is_left_behind() -> None:
    release = threading.Event()

    async def work(loop: GuardedLoop) -> bool:
        return await loop.aside(lambda: release.wait(30))

    _ends_within(6, _call(seconds=0.2), work)
    release.set()
    eventually(lambda: not [one for one in threading.enumerate() if one.name == "aside"])


def test_connections_and_tasks_that_work_leaves_are_cut(listener: socket.socket) -> None:
    async def work(loop: GuardedLoop) -> None:
        await loop.create_connection(asyncio.Protocol, "127.0.0.1", _port(listener))
        loop.create_task(asyncio.sleep(600))

    before = threading.active_count()
    run_within(_call(), work)
    accepted, _ = listener.accept()
    with accepted:
        accepted.settimeout(5)
        with suppress(ConnectionResetError):
            assert accepted.recv(1) == b""
    eventually(lambda: threading.active_count() <= before)


def test_settings_that_make_no_sense_are_told() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        run_within(_call(settings=replace(LOOPBACK, allow_networks=("nonsense",))), _forever)
