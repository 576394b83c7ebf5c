"""TLS and passwords with real servers: the name is verified although a checked address is dialled."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import LOOPBACK, call_of, perform
from tests.support.certificates import Authority
from tests.support.tls_databases import HOST, PASSWORD, mariadb_with_tls, postgresql_with_tls

SECURED = {
    "postgresql": "SELECT version AS secured FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SELECT variable_value AS secured FROM information_schema.session_status"
    " WHERE variable_name = 'SSL_VERSION'",
}
SLOW = {"postgresql": "SELECT pg_sleep(60)", "mysql": "SELECT sleep(60)"}
SERVERS = {"postgresql": postgresql_with_tls, "mysql": mariadb_with_tls}


@dataclass(frozen=True)
class Secured:
    """A server with TLS, and its authority."""

    engine: str
    port: int
    ca: str
    trusting: ExecutorSettings

    def run(
        self, sql: str, settings: ExecutorSettings = LOOPBACK, seconds: float = 10, **fields: Any
    ) -> Outcome:
        database = "postgres" if self.engine == "postgresql" else "test"
        place = {
            "engine": self.engine,
            "host": HOST,
            "port": self.port,
            "database": database,
            "user": "chronos",
        }
        place |= {"password": PASSWORD, "tls": {"ca": self.ca}, **fields}
        config = {"connection": place, "statements": [{"sql": sql}]}
        return perform(call_of("database", config, settings=settings, seconds=seconds), "database")


@pytest.fixture(scope="module", params=SERVERS)
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder: Path = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    with SERVERS[request.param](folder, authority) as port:
        yield Secured(request.param, port, (folder / "authority.pem").read_text(), authority.settings)


def _succeeds(outcome: Outcome) -> None:
    assert isinstance(outcome, Succeeded), outcome
    assert outcome.result["statements"][0]["rows"][0]["secured"].startswith("TLSv1.")


def test_a_server_that_the_jobs_own_authority_vouches_for_is_trusted(secured: Secured) -> None:
    _succeeds(secured.run(SECURED[secured.engine]))


def test_a_server_that_the_operators_authority_vouches_for_is_trusted(secured: Secured) -> None:
    _succeeds(secured.run(SECURED[secured.engine], secured.trusting, tls={}))


def test_a_server_may_be_verified_by_another_name_than_it_is_dialled_by(secured: Secured) -> None:
    _succeeds(
        secured.run(SECURED[secured.engine], host="127.0.0.1", tls={"ca": secured.ca, "server_name": HOST})
    )


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tls": {}}, "nobody known vouches for it"),
        ({"host": "127.0.0.1"}, "its certificate is for another name"),
    ],
)
def test_a_server_that_is_not_verified_gets_nothing(
    secured: Secured, fields: dict[str, Any], why: str
) -> None:
    outcome = secured.run(SECURED[secured.engine], **fields)
    assert isinstance(outcome, Failed), why
    assert outcome.kind == "connection", why


def test_a_wrong_password_is_told_and_not_shown(secured: Secured) -> None:
    outcome = secured.run("SELECT 1", password="battery-staple")
    assert isinstance(outcome, Failed)
    assert outcome.kind == "authentication"
    assert "battery-staple" not in repr(outcome)


def test_a_statement_is_cancelled_over_tls_too(secured: Secured) -> None:
    started = time.monotonic()
    outcome = secured.run(SLOW[secured.engine], seconds=1)
    assert time.monotonic() - started < 4
    assert isinstance(outcome, Failed)
    assert outcome.kind == "timeout"
