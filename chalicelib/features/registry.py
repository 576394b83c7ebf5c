"""Finds the features: every folder of this package. Its PATHS are known at once; its `api.py`, with the ROUTES that are
served there, is loaded when one of them is first asked for, so that a cold start pays for what it uses.
"""

import pkgutil
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module

import chalicelib.features as package
from chalicelib.features.base import Route

Loader = Callable[[], tuple[Route, ...]]


@cache
def features() -> tuple[str, ...]:
    """The features' names, in order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg))


def paths_of(feature: str) -> tuple[str, ...]:
    found: tuple[str, ...] = import_module(f"{package.__name__}.{feature}").PATHS
    return found


@cache
def routes_of(feature: str) -> tuple[Route, ...]:
    found: tuple[Route, ...] = import_module(f"{package.__name__}.{feature}.api").ROUTES
    return found


def loaders() -> dict[str, Loader]:
    """What loads the routes of each path (and others)."""
    return {path: partial(routes_of, feature) for feature in features() for path in paths_of(feature)}


def routes() -> tuple[Route, ...]:
    """All of them."""
    return tuple(route for feature in features() for route in routes_of(feature))
