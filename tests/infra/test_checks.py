"""The package's checks see what Chalice passes over in silence."""

import zipfile
from pathlib import Path

import pytest

from infra import checks


@pytest.mark.parametrize(
    ("requirement", "found", "why"),
    [
        ("croniter==7.0.0", [], "it is there"),
        ("Typing_Extensions==4.16.0", [], "names are compared as pip does"),
        ("croniter==7.0.1", ["croniter==7.0.1 is not in the zip"], "another version is"),
        (
            "numpy==2.0.0",
            ["numpy==2.0.0 is not in the zip"],
            "no wheel: Chalice left it out, with exit code 0",
        ),
        ("# numpy==2.0.0", [], "a comment"),
        ("", [], "an empty line"),
        ("croniter>=7", ["requirements.txt: 'croniter>=7' is no exact pin (name==version)"], "not exact"),
    ],
)
def test_a_requirement_is_in_the_zip_in_its_version(
    tmp_path: Path, requirement: str, found: list[str], why: str
) -> None:
    code = _zip(
        tmp_path, {"croniter-7.0.0.dist-info/METADATA": 1, "typing_extensions-4.16.0.dist-info/METADATA": 1}
    )
    assert list(checks.missing(code, requirement)) == found, why


def test_a_package_within_the_limits_passes(tmp_path: Path) -> None:
    assert list(checks.sizes(_zip(tmp_path, {"a": 1000}), _template(tmp_path, 1000))) == []


def test_unzipped_code_over_lambdas_limit_is_reported(tmp_path: Path) -> None:
    [found] = checks.sizes(_zip(tmp_path, {"a": checks.UNZIPPED}), _template(tmp_path, 1000))
    assert found == "the unzipped code has 250,000,000 bytes; the limit is 250,000,000"


def test_a_template_over_cloudformations_limit_is_reported(tmp_path: Path) -> None:
    [found] = checks.sizes(_zip(tmp_path, {"a": 1}), _template(tmp_path, checks.TEMPLATE))
    assert found.startswith("the template has 1,000,000 bytes")


def _zip(folder: Path, sizes: dict[str, int]) -> Path:
    path = folder / "deployment.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in sizes.items():
            archive.writestr(name, bytes(size))
    return path


def _template(folder: Path, size: int) -> Path:
    path = folder / "template.json"
    path.write_bytes(bytes(size))
    return path
