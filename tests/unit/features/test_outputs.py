"""The files of a run: named with its attempts, and linked when somebody asks."""

from dataclasses import replace

import pytest

from chalicelib.domain.outcome import Failed, StoredOutput, Succeeded
from chalicelib.ports.outputs import LINK_SECONDS
from tests.support.api import ApiClient
from tests.support.world import World

FILE = StoredOutput("a.csv", 3, "ab12", "text/csv", "1.1")
SHOWN = {"name": "a.csv", "bytes": 3, "sha256": "ab12", "media_type": "text/csv"}
RETRY = {"max_attempts": 2, "strategy": "none", "jitter": "none"}


class Links:
    """Addresses that say what they stand for."""

    def link(self, tenant: str, run_id: str, file: StoredOutput) -> str:
        return f"https://files.test/{tenant}/{run_id}/{file.place}/{file.name}"


@pytest.fixture
def world() -> World:
    made = World()
    made.engine = replace(made.engine, links=Links())
    made.outcome = lambda _job, run: (
        Failed("unknown", "no", outputs=(FILE,))
        if run.attempt == 1
        else Succeeded({}, (replace(FILE, place="2.2"),))
    )
    return made


def run_of(world: World) -> tuple[ApiClient, str]:
    api = ApiClient(world.engine)
    job = {"name": "a", "type": "dummy", "schedule": {"kind": "manual"}, "retry": RETRY}
    run = api.post(f"/jobs/{api.post('/jobs', job).json['id']}/trigger").json["id"]
    return api, run


def test_an_attempt_names_its_files(world: World) -> None:
    api, run = run_of(world)
    world.advance(5)
    first, second = api.get(f"/runs/{run}").json["attempts"]
    assert first["outputs"] == second["outputs"] == [SHOWN]


def test_the_files_of_all_attempts_have_links_for_a_quarter_of_an_hour(world: World) -> None:
    api, run = run_of(world)
    world.advance(5)
    answer = api.get(f"/runs/{run}/outputs")
    base = f"https://files.test/local/{run}"
    assert answer.json["items"] == [
        {**SHOWN, "attempt": 1, "url": f"{base}/1.1/a.csv"},
        {**SHOWN, "attempt": 2, "url": f"{base}/2.2/a.csv"},
    ]
    assert answer.json["links_expire_at"] == "2027-01-15T12:15:05Z"
    assert LINK_SECONDS == 900


def test_a_run_without_files_needs_no_place_for_them() -> None:
    world = World()
    api, run = run_of(world)
    world.advance(5)
    assert api.get(f"/runs/{run}/outputs").json["items"] == []


def test_links_that_cannot_be_made_are_503(world: World) -> None:
    world.engine = replace(world.engine, links=World().engine.links)
    api, run = run_of(world)
    world.advance(5)
    assert api.get(f"/runs/{run}/outputs").status == 503


@pytest.mark.parametrize("run", ["run_01KVB7TZ00F3Z9S8D0QX4Y1W2E", "nonsense"])
def test_the_files_of_a_run_that_is_not_there_are_missing(world: World, run: str) -> None:
    assert ApiClient(world.engine).get(f"/runs/{run}/outputs").status == 404
