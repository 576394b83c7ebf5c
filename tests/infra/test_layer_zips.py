"""The lanes' layers: what is in a zip, for which machines, and what `make check` says of it."""

import re
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from chalicelib.domain.lanes import LANES
from infra import checks, layer_zips
from infra.errors import Stop
from infra.paths import ROOT
from infra.template import merge_template
from infra.wheels import pins, platforms_of
from tests.support.wheels import hashes_of, parrot, requiring

EACH = pytest.mark.parametrize("path", sorted(layer_zips.FOLDER.glob("*.txt")), ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    wheel = parrot(folder)
    wanted = requiring(folder / "parrot.txt", folder, "chronos-parrot==1.0")
    path = layer_zips.build(wanted, "arm64", hashes_of(wheel))
    yield path
    path.unlink()


def test_a_layer_has_its_packages_where_lambda_looks_with_bytecode_and_without_programs_and_tests(
    made: Path,
) -> None:
    with zipfile.ZipFile(made) as archive:
        names = {re.sub(r"cpython-\d+", "cpython", name) for name in archive.namelist()}
    code = {name for name in names if ".dist-info" not in name}
    assert code == {
        "python/chronos_parrot/__init__.py",
        "python/chronos_parrot/__pycache__/__init__.cpython.pyc",
    }
    assert list(checks.packages(made)) == [("chronos-parrot", "1.0")]


def test_a_layer_is_made_once_for_each_content_of_its_file_and_machine(tmp_path: Path) -> None:
    hashes = hashes_of(parrot(tmp_path))
    path = requiring(tmp_path / "parrot.txt", tmp_path, "chronos-parrot==1.0")
    first = layer_zips.build(path, "arm64", hashes)
    written = first.stat().st_mtime_ns
    assert layer_zips.build(path, "arm64", hashes) == first
    assert first.stat().st_mtime_ns == written
    other = layer_zips.build(path, "x86_64", hashes)
    assert other != first
    for made in (first, other):
        made.unlink()


@pytest.mark.parametrize(
    ("platform", "pin", "why"),
    [
        ("win_amd64", "chronos-parrot==1.0", "it was built for another system"),
        ("manylinux_2_40_aarch64", "chronos-parrot==1.0", "it wants a newer C library than Lambda has"),
        ("any", "chronos-parrot==1.1", "there is no such version"),
    ],
)
def test_a_package_without_a_wheel_for_lambda_is_named_and_not_left_out(
    platform: str, pin: str, why: str, tmp_path: Path
) -> None:
    hashes = hashes_of(parrot(tmp_path, platform=platform))
    with pytest.raises(Stop, match=r"parrot\.txt cannot be made[^$]+chronos-parrot"):
        layer_zips.build(requiring(tmp_path / "parrot.txt", tmp_path, pin), "arm64", hashes)


@pytest.mark.parametrize(
    ("runtime", "newest", "why"),
    [
        ("python3.11", "manylinux_2_26_aarch64", "Amazon Linux 2"),
        ("python3.12", "manylinux_2_34_aarch64", "Amazon Linux 2023"),
    ],
)
def test_wheels_are_for_the_c_library_of_the_runtime(runtime: str, newest: str, why: str) -> None:
    found = platforms_of("arm64", runtime)
    assert (found[0], found[-1]) == (newest, "manylinux2014_aarch64"), why


@EACH
def test_a_layers_file_is_of_a_lane_pins_exactly_and_repeats_nothing_of_the_code(path: Path) -> None:
    assert path.stem in LANES
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert len(pins(path.read_text())) == len(lines)
    assert list(checks.twice((ROOT / "requirements.txt").read_text(), path.read_text(), path.name)) == []


def test_what_two_layers_have_is_of_one_version_and_the_tests_run_with_it() -> None:
    versions: dict[str, set[str]] = {}
    for path in layer_zips.FOLDER.glob("*.txt"):
        for name, version in pins(path.read_text()).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
    assert {name: {metadata.version(name)} for name in versions} == versions


@EACH
def test_the_tests_run_with_what_the_layers_have(path: Path) -> None:
    assert f"-r infra/layers/{path.name}" in (ROOT / "requirements-dev.txt").read_text().splitlines()


def test_each_lane_with_a_layer_has_it_and_no_other_function_does() -> None:
    resources = merge_template("dev", "arm64")["Resources"]
    found = {
        name: each["Properties"]["Layers"]
        for name, each in resources.items()
        if "Layers" in each.get("Properties", {})
    }
    assert found == {
        f"{lane.capitalize()}Worker": [{"Ref": f"{lane.capitalize()}Layer"}] for lane in layer_zips.layered()
    }
    kinds = {name: each["Type"] for name, each in resources.items() if name.endswith("Layer")}
    assert set(kinds) == {f"{lane.capitalize()}Layer" for lane in layer_zips.layered()}


def test_what_a_layer_lacks_has_too_much_or_repeats_is_found(made: Path) -> None:
    assert list(checks.missing(made, "chronos-parrot==1.0", "parrot.txt")) == []
    assert list(checks.missing(made, "chronos-parrot==2.0", "parrot.txt")) == [
        "chronos-parrot==2.0 is not in the zip"
    ]
    assert list(checks.beside(made, "chronos-parrot==1.0")) == []
    assert list(checks.beside(made, "")) == [
        f"{made.name} has chronos-parrot 1.0, which its file does not pin"
    ]
    assert list(checks.twice("Chronos_Parrot==2.0", "chronos-parrot==1.0", "parrot.txt")) == [
        "parrot.txt: chronos-parrot is in requirements.txt already"
    ]


def test_a_layer_over_lambdas_limits_is_reported(tmp_path: Path) -> None:
    code, template, layer = tmp_path / "code.zip", tmp_path / "template.json", tmp_path / "layer-data.zip"
    template.write_text("{}")
    for path, size in ((code, 100_000_000), (layer, 150_000_000)):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(size))
    assert list(checks.sizes(code, template, [layer])) == [
        "the unzipped code with layer-data.zip has 250,000,000 bytes; the limit is 250,000,000"
    ]
