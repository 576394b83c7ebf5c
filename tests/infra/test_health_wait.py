"""`make run` waits until the app is well, and says what it last heard if it never is."""

import threading

import pytest

from infra.errors import Stop
from infra.local.process import free_port
from infra.local.run import until_healthy
from tests.support.target import target


def test_an_app_that_becomes_healthy_is_waited_for() -> None:
    with target() as app:
        app.status = 503
        threading.Timer(0.3, setattr, (app, "status", 200)).start()
        until_healthy(app.url, 20)
        assert len(app.calls) > 1
        assert {call.path for call in app.calls} == {"/health"}


def test_an_app_that_stays_ill_is_reported_with_its_last_answer() -> None:
    with target() as app:
        app.status = 503
        with pytest.raises(Stop, match=r"not well after 0.2 s: status 503, ok"):
            until_healthy(app.url, 0.2)


def test_an_app_that_does_not_listen_is_reported() -> None:
    with pytest.raises(Stop, match="refused"):
        until_healthy(f"http://127.0.0.1:{free_port()}", 0)
