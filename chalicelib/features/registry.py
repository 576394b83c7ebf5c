"""Finds the features: every folder of this package with an `api.py`, whose ROUTES are served."""

import pkgutil
from functools import cache
from importlib import import_module

import chalicelib.features as package
from chalicelib.features.base import Route


@cache
def routes() -> tuple[Route, ...]:
    """The routes of all features, in the order of their folders' names."""
    folders = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg)
    return tuple(route for folder in folders for route in _routes_of(folder))


def _routes_of(folder: str) -> tuple[Route, ...]:
    found: tuple[Route, ...] = import_module(f"{package.__name__}.{folder}.api").ROUTES
    return found
