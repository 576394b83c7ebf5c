"""A client of the deployed app, and a server for its jobs to call."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from infra.local.fixtures import Stack
from tests.support.target import Target, target
from tests.support.waiting import eventually


class Api:
    """HTTP calls to the app. Every answer below 500, or the test fails."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        answer = self._session.request(method, f"{self.url}{path}", timeout=30, **arguments)
        assert answer.status_code < 500, answer.text
        return answer

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.ok, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.call("POST", path, json=body if body is not None else {})
        assert answer.ok, answer.text
        return answer.json()

    def job(self, schedule: Any, **fields: Any) -> Any:
        return self.post("/jobs", {"name": "e2e", "schedule": schedule, **fields})

    def http_job(self, schedule: Any, url: str, **fields: Any) -> Any:
        return self.job(schedule, type="http", config={"url": url, **fields.pop("config", {})}, **fields)

    def runs(self, job: Any, *statuses: str) -> list[Any]:
        items: list[Any] = self.get(f"/jobs/{job['id']}/runs")["items"]
        return [item for item in items if not statuses or item["status"] in statuses]

    def finished(self, job: Any, *statuses: str, seconds: float = 20) -> Any:
        """The job's first run in one of the states, with its attempts."""
        found = eventually(lambda: self.runs(job, *statuses), seconds=seconds)
        return self.get(f"/runs/{found[-1]['id']}")


@pytest.fixture(scope="session")
def api(stack: Stack) -> Api:
    return Api(stack.api, stack.key)


@pytest.fixture
def server() -> Iterator[Target]:
    with target() as served:
        yield served


def in_seconds(seconds: float) -> str:
    """A whole second, that many from now, in RFC 3339."""
    return datetime.fromtimestamp(int(time.time() + seconds), UTC).isoformat().replace("+00:00", "Z")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
