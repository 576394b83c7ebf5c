"""The features' paths, which are known before the features are loaded."""

import subprocess
import sys

import pytest

from chalicelib.features import registry


@pytest.mark.parametrize("feature", registry.features())
def test_a_feature_serves_the_paths_that_it_names(feature: str) -> None:
    assert set(registry.paths_of(feature)) == {route.path for route in registry.routes_of(feature)}


def test_no_path_belongs_to_two_features() -> None:
    paths = [path for feature in registry.features() for path in registry.paths_of(feature)]
    assert len(paths) == len(set(paths))


def test_importing_the_app_loads_no_feature() -> None:
    program = "import sys, app; print([name for name in sys.modules if name.endswith('.api')])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "['chalicelib.http.api']"
