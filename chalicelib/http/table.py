"""The table of routes: every path is known, its routes are loaded when they are first asked for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from chalicelib.features.base import Route
from chalicelib.features.registry import Loader


class RouteTable(Mapping[str, Mapping[str, Route]]):
    """By path, then by method."""

    def __init__(self, loaders: Mapping[str, Loader]) -> None:
        self._loaders = loaders
        self._loaded: dict[str, dict[str, Route]] = {}

    @classmethod
    def of(cls, routes: Iterable[Route]) -> Self:
        """A table of these routes."""
        known = tuple(routes)
        return cls({route.path: lambda: known for route in known})

    def __getitem__(self, path: str) -> dict[str, Route]:
        if path not in self._loaded:
            routes = self._loaders[path]()
            self._loaded[path] = {route.method: route for route in routes if route.path == path}
        return self._loaded[path]

    def __contains__(self, path: object) -> bool:
        return path in self._loaders

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaders)

    def __len__(self) -> int:
        return len(self._loaders)
