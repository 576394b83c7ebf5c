"""The chalice command: in the checkout itself, as `make package` uses it, and what is left of its errors."""

import json
from pathlib import Path

import pytest

from infra import project
from infra.bundle import bundle
from infra.chalice_cli import chalice, without_frames
from infra.errors import Stop
from tests.support.checkout import Checkout, checkout


@pytest.fixture
def place(tmp_path: Path) -> Checkout:
    return checkout(tmp_path)


def test_chalice_package_works_in_a_fresh_checkout(place: Checkout) -> None:
    bundle(place.folder, project.architecture())  # what Chalice would download
    chalice(place.folder, "package", "out", quiet=True, env={"AWS_DEFAULT_REGION": "eu-central-1"})
    resources = json.loads((place.folder / "out" / "sam.json").read_text())["Resources"]
    made = {name: each["Properties"] for name, each in resources.items() if "Function" in each["Type"]}
    limits = project.defaults()["lambda_functions"].values()
    assert sorted((each["Timeout"], each["MemorySize"]) for each in made.values()) == sorted(
        (each["lambda_timeout"], each["lambda_memory_size"]) for each in limits
    )


def test_chalice_packages_the_zip_that_was_bundled_and_builds_none_of_its_own(place: Checkout) -> None:
    done = place.run("infra", "package")
    assert done.returncode == 0, done.stderr
    made = place.folder / ".chronos" / "build" / "project-dev" / ".chalice" / "deployments"
    [bundled] = made.glob("*.zip")
    assert (place.folder / ".chronos" / "package" / "deployment.zip").read_bytes() == bundled.read_bytes()


def test_a_failure_of_chalice_is_said_without_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(Stop, match=r"^`chalice package` failed:\nRuntimeError: Unable to load") as stop:
        chalice(tmp_path, "package", "out", quiet=True)
    assert "File " not in str(stop.value)


def test_whether_a_function_is_ready_is_asked_each_second(tmp_path: Path) -> None:
    """By the environment that Chalice is run in."""
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text('{"app_name": "probe"}')
    probe = """
from botocore.session import Session
from botocore.waiter import WaiterModel
loaded = Session().get_component("data_loader").load_service_model("lambda", "waiters-2")
delays = {name: WaiterModel(loaded).get_waiter(name).delay for name in ("FunctionActive", "FunctionUpdated")}
raise SystemExit(f"delays {sorted(delays.values())}")
"""
    (tmp_path / "app.py").write_text(probe)
    with pytest.raises(Stop, match=r"delays \[1, 1\]"):
        chalice(tmp_path, "package", "out", quiet=True, env={"AWS_DEFAULT_REGION": "x"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'Traceback (most recent call last):\n  File "x", line 1\n    boom()\nValueError: no\n',
            "ValueError: no",
        ),
        (
            "ERROR - While deploying: too large\n\n  frame\n\nReduce it.\n",
            "ERROR - While deploying: too large\nReduce it.",
        ),
        (
            "Traceback (most recent call last):\n  a\nFirst\n\nTraceback (most recent call last):\n  b\nLast",
            "Last",
        ),
        ("", ""),
    ],
)
def test_frames_are_left_out(text: str, said: str) -> None:
    assert without_frames(text) == said
