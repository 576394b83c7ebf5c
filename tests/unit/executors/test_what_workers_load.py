"""No worker loads what only another lane's types need: each would pay for it with every cold start."""

import json
import subprocess
import sys
from importlib.metadata import distribution

import pytest

from bench.imports import types_of
from chalicelib.domain.lanes import LANES, Lane
from infra.layer_zips import layered, pins, requirements
from infra.paths import ROOT

PROGRAM = """
import json, sys
import app
from chalicelib.executors import registry
from tests.support.calls import call_of, perform
perform(call_of("dummy", {{}}), "dummy")
for type_ in {types!r}:
    registry.executor(type_)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("lane", LANES)
def test_a_worker_with_its_types_loads_nothing_of_other_lanes_layers(lane: Lane) -> None:
    own = _packages_of(lane) if lane in layered() else set()
    others = {each for other in layered() for each in _packages_of(other)} - own
    foreign = {module for name in others for module in _modules_of(name)}
    foreign -= {module for name in own for module in _modules_of(name)}
    loaded = {name.partition(".")[0] for name in _loaded(types_of(lane))}
    assert sorted(loaded & foreign) == []


def _packages_of(lane: str) -> set[str]:
    return set(pins(requirements(lane).read_text()))


def _modules_of(name: str) -> set[str]:
    """The modules that a package brings, at the top."""
    tops = {
        file.parts[0].partition(".")[0]
        for file in distribution(name).files or ()
        if file.suffix in (".py", ".so")
    }
    return {top for top in tops if top.isidentifier()}


def _loaded(types: list[str]) -> list[str]:
    command = [sys.executable, "-c", PROGRAM.format(types=types)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    names: list[str] = json.loads(found.stdout)
    return names
