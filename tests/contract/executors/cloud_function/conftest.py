"""Each test begins without tokens of others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.executors.cloud_function.tokens import TOKENS
from tests.support.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    yield Authority(tmp_path)
    TOKENS.clear()
