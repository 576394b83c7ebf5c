"""A pytest plugin: `provider`, a real identity provider, one for all tests of a process."""

from collections.abc import Iterator

import pytest

from tests.support.oidc.provider import Provider, canaille


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with canaille() as started:
        yield started
