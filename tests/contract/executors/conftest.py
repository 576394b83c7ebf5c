"""Leaves no connection open behind the tests that call real servers."""

from collections.abc import Iterator

import pytest

from chalicelib.executors.http import transport


@pytest.fixture(autouse=True)
def no_pooled_connections() -> Iterator[None]:
    """Each test begins without pooled connections; its own close with their pools."""
    transport.forget()
    yield
    transport.forget()
