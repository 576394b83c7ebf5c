"""`make audit` tells apart: nothing known, something known, and nobody asked."""

from pathlib import Path

import pytest

from infra.audit import audit
from infra.errors import Stop


def program(folder: Path, said: str, code: int) -> Path:
    """What stands in for pip-audit."""
    path = folder / "pip-audit"
    path.write_text(f"#!/bin/sh\n{said}\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_no_news_is_good_news_if_somebody_was_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit(program(tmp_path, "grep -q -e --hash=sha256: $7 || exit 1", 0))
    assert "no vulnerability" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("echo 'requests 2.0 CVE-1'", "requests 2.0 CVE-1"),
        ("echo 'requests.exceptions.ConnectionError: api.osv.dev' >&2", "did not answer"),
    ],
)
def test_what_is_known_and_what_could_not_be_asked_stop_it(tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(Stop, match=told):
        audit(program(tmp_path, said, 1))
