"""docs/adding-a-job-type.md adds a type that works: its files are taken from the page, into a folder outside."""

import json
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import chalicelib.executors as package
from chalicelib.engine.running.work import Worker
from chalicelib.executors import registry
from chalicelib.executors.attempt import attempts
from infra.paths import ROOT
from tests.contract.executors import test_every_executor as promises
from tests.contract.executors.samples import Sample
from tests.support.api import ApiClient
from tests.support.calls import LOOPBACK
from tests.support.world import Inline, World

PAGE = (ROOT / "docs" / "adding-a-job-type.md").read_text()
FILES = dict(re.findall(r"^`([\w./]+)`[^\n]*:\n\n```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
(JOB,) = (json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
TYPE = "port_check"


@pytest.fixture
def added(tmp_path: Path) -> Iterator[None]:
    """The type, as the page has it."""
    for name, text in FILES.items():
        if name != "samples.py":
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    package.__path__.append(str(tmp_path))
    yield
    package.__path__.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith(f"{package.__name__}.{TYPE}")]:
        del sys.modules[name]


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def silent() -> Iterator[tuple[str, int]]:
    """A server whose queue is full: it takes no connection, and refuses none."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as server,
        socket.socket() as one,
        socket.socket() as two,
    ):
        for each in (one, two):
            each.setblocking(False)
            each.connect_ex(server.getsockname())
        yield server.getsockname()


@pytest.fixture
def sample(added: None) -> Iterator[Sample]:
    names: dict[str, Any] = {"contextmanager": contextmanager, "Iterator": Iterator, "Sample": Sample}
    names |= {"listening": listening, "silent": silent}
    exec(FILES["samples.py"], names)  # the page's own words
    with names[f"_{TYPE}"]() as found:
        yield found


def test_the_page_has_every_file_of_the_type() -> None:
    assert set(FILES) == {f"{TYPE}/__init__.py", f"{TYPE}/spec.py", f"{TYPE}/run.py", "samples.py"}


def test_a_job_of_it_is_saved_by_the_api_and_run(added: None) -> None:
    world = World()
    api = ApiClient(world.engine)
    world.worker = Worker(world.engine, "fast", attempts(world.clock, LOOPBACK), Inline())
    assert api.post("/jobs", JOB).status == 201
    with listening() as port:
        job = api.post(
            "/jobs", JOB | {"config": {"host": "127.0.0.1", "port": port}, "schedule": {"kind": "manual"}}
        )
        run = api.post(f"/jobs/{job.json['id']}/trigger").json
        world.deliver()
    found = api.get(f"/runs/{run['id']}").json
    assert found["status"] == "SUCCEEDED"
    assert found["attempts"][0]["result"]["open"] is True


def test_a_config_that_does_not_do_is_refused_by_its_own_rules(added: None) -> None:
    answer = ApiClient(World().engine).post(
        "/jobs", JOB | {"config": {"host": "shop.example.com", "port": 0}}
    )
    assert (answer.status, answer.pointers) == (422, {"/config/port": "greater_than_equal"})


def test_it_is_among_the_types_that_the_api_tells(added: None) -> None:
    found = ApiClient(World().engine).get(f"/job-types/{TYPE}").json
    assert found["config_schema"]["properties"]["port"]["maximum"] == 65535
    assert found["errors"][:2] == ["connection", "forbidden_target"]


def test_it_keeps_what_is_promised_of_every_type(sample: Sample) -> None:
    spec = registry.spec(TYPE)
    assert spec is not None
    promises.test_it_tells_what_it_is_and_where_it_runs(spec)
    promises.test_its_example_is_valid_and_survives_storage(spec)
    promises.test_an_unknown_field_is_refused(spec)
    promises.test_a_success_is_small_json(TYPE, sample)
    promises.test_a_failure_has_a_kind_that_policies_know_and_a_short_message(TYPE, sample)
    promises.test_the_deadline_is_kept(TYPE, sample, 0.4)
    promises.test_no_exception_leaves_it_even_if_the_call_is_nonsense(TYPE, sample)
