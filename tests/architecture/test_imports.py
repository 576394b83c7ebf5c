"""Imports go downward only. Each rule has its reason beside it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "chalicelib"

LAYERS = [
    ("domain", "means the same everywhere: no I/O, no framework"),
    ("ports", "names what the engine needs, and knows nobody who provides it"),
    ("engine", "decides over ports, so that a simulation can run it"),
    ("executors", "carries out one attempt; knows neither tables nor routes"),
    ("identity", "who asks, and for which tenant; engine and executors take that as given"),
    ("aws", "implements ports; nobody but the wiring sees it"),
    ("features", "what users ask for"),
    ("http", "turns requests into calls of features"),
    ("config", "reads the environment"),
    ("wiring", "the composition root"),
    ("entrypoints", "the Lambdas"),
]
ALLOWED = {
    "domain": {"domain"},
    "ports": {"ports", "domain"},
    "engine": {"engine", "ports", "domain"},
    "executors": {"executors", "ports", "domain"},
    "aws": {"aws", "ports", "domain"},
    "identity": {"identity", "engine", "ports", "domain"},
    "features": {"features", "identity", "executors", "engine", "ports", "domain"},
    "http": {"http", "features", "identity", "executors", "engine", "ports", "domain", "config", "wiring"},
    "config": {"config", "domain"},
    "wiring": {
        "wiring",
        "config",
        "features",
        "identity",
        "http",
        "aws",
        "executors",
        "engine",
        "ports",
        "domain",
    },
    "entrypoints": {
        "entrypoints",
        "wiring",
        "config",
        "http",
        "features",
        "identity",
        "engine",
        "executors",
        "ports",
        "domain",
    },
}
FOREIGN = {
    "boto3": set(),
    "botocore": {"aws"},
    "requests": {"executors"},
    "urllib3": {"executors"},
    "croniter": {"domain"},
    "cryptography": {"identity"},
    "jwt": {"identity"},
    "icalendar": {"features"},
    "yaml": {"features"},
    "chalice": {"http", "entrypoints"},
    "aws_lambda_powertools": {"aws"},
}
ROOMS = ("wheel", "ledger", "ringing", "flow", "running", "audit")
"""The engine's folders: each knows those before it. Beside them lies what is common, and what stands on top of all."""
COMMON = {"core", "message", "plans", "records", "retention"}
PURE = ("domain", "engine", "identity")
IMPURE_MODULES = {"os", "time", "random", "secrets", "socket", "subprocess"}


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute, so that a move shows in the diff"
            yield node.module or ""
            if node.module == "chalicelib":
                yield from (f"chalicelib.{alias.name}" for alias in node.names)


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    layer = layer_of(path)
    assert layer in ALLOWED, "a new layer needs a rule, and a reason in LAYERS"
    for name in imports(path):
        if name.startswith("chalicelib."):
            assert name.split(".")[1] in ALLOWED[layer], f"{layer} must not import {name}"


@pytest.mark.parametrize("room", [*sorted(COMMON), *ROOMS])
def test_a_room_of_the_engine_knows_only_those_before_it(room: str) -> None:
    before = set(ROOMS[: ROOMS.index(room) + 1] if room in ROOMS else ()) | COMMON
    place = PACKAGE / "engine" / room
    for path in place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
        for line in ast.parse(path.read_text()).body:
            if isinstance(line, ast.ImportFrom) and (line.module or "").startswith("chalicelib.engine."):
                assert str(line.module).split(".")[2] in before, f"{path.name} must not import {line.module}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_foreign_library_stays_in_its_place(path: Path) -> None:
    for name in imports(path):
        library = name.split(".")[0]
        assert layer_of(path) in FOREIGN.get(library, {layer_of(path)}), f"{library} belongs elsewhere"


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if layer_of(path) in PURE],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_what_decides_has_no_clock_chance_or_environment_of_its_own(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & IMPURE_MODULES


def test_the_environment_is_read_in_one_module() -> None:
    readers = [path for path in modules() if "environ" in path.read_text() and "os" in set(imports(path))]
    assert [layer_of(path) for path in readers] == ["config"]


def test_every_layer_says_what_lives_there() -> None:
    for layer, _reason in LAYERS:
        place = PACKAGE / layer / "__init__.py" if (PACKAGE / layer).is_dir() else PACKAGE / f"{layer}.py"
        assert ast.get_docstring(ast.parse(place.read_text())), f"{place} has no docstring"
    assert {layer for layer, _ in LAYERS} == set(ALLOWED)
    assert {layer_of(path) for path in modules()} == set(ALLOWED)


def test_the_app_registers_and_does_nothing_else() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) <= 60
