"""What goes to Lambda is what was looked at when its version was pinned."""

from pathlib import Path

import pytest

from infra import wheels
from infra.errors import Stop
from tests.support.wheels import hashes_of, parrot, requiring

PIN = "chronos-parrot==1.0"


def test_a_wheel_that_was_put_in_the_place_of_another_is_refused(tmp_path: Path) -> None:
    hashes = hashes_of(parrot(tmp_path))
    wanted = requiring(tmp_path / "parrot.txt", tmp_path, PIN)
    wheels.install(wanted, tmp_path / "first", "arm64", "python3.12", hashes)
    assert (tmp_path / "first" / "chronos_parrot" / "__init__.py").exists()
    wheel = parrot(tmp_path)
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(Stop, match="DO NOT MATCH"):
        wheels.install(wanted, tmp_path / "second", "arm64", "python3.12", hashes)
    assert not (tmp_path / "second" / "chronos_parrot").exists()


def test_a_pin_whose_wheels_nobody_has_noted_is_refused(tmp_path: Path) -> None:
    parrot(tmp_path)
    with pytest.raises(Stop, match="make hashes"):
        wheels.install(requiring(tmp_path / "parrot.txt", tmp_path, PIN), tmp_path, "arm64", "python3.12", {})


@pytest.mark.parametrize("source", wheels.sources(), ids=lambda path: path.name)
def test_every_pin_of_what_goes_to_lambda_has_its_hashes(source: Path) -> None:
    lines = wheels.locked(source.read_text(), wheels.known()).splitlines()
    pinned = [line for line in lines if "==" in line and not line.startswith("#")]
    assert len(pinned) == len(wheels.pins(source.read_text()))
    assert all(" --hash=sha256:" in line for line in pinned)


def test_no_hash_is_kept_of_what_is_not_pinned_any_more() -> None:
    pinned = {
        f"{name}=={version}"
        for source in wheels.sources()
        for name, version in wheels.pins(source.read_text()).items()
    }
    assert set(wheels.known()) == pinned
