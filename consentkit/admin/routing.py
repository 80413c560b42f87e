"""Which route an address means.

Owns the look-up, and that no two pages claim one address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from starlette.routing import compile_path

from consentkit.admin.visit import Route

if TYPE_CHECKING:
    from collections.abc import Iterable
    from re import Pattern

    from starlette.convertors import Convertor


class Match(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        route: with the method asked for; None where the address takes other ones.
        parameters: the address's own, converted.
        methods: those that the address takes.
    """

    route: Route | None
    parameters: Mapping[str, object]
    methods: tuple[str, ...]


class _Address:
    __slots__ = ("by_method", "convertors", "pattern")

    def __init__(self, pattern: Pattern[str], convertors: Mapping[str, Convertor[object]]) -> None:
        self.pattern = pattern
        self.convertors = convertors
        self.by_method: dict[str, Route] = {}


class RouteTable:
    """Find routes; the first that was given wins.

    Args:
        routes: of all pages.

    Raises:
        ValueError: two routes have one path and one method.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._addresses: dict[str, _Address] = {}
        for route in self.routes:
            if route.path not in self._addresses:
                pattern, _, convertors = compile_path(route.path)
                self._addresses[route.path] = _Address(pattern, convertors)
            by_method = self._addresses[route.path].by_method
            if route.method in by_method:
                raise ValueError(f"two routes for {route.method} {route.path}")
            by_method[route.method] = route

    def find(self, path: str, method: str) -> Match | None:
        """Return what a path under the admin area means; None for one that nobody has. HEAD asks as GET does."""
        asked = "GET" if method == "HEAD" else method
        for address in self._addresses.values():
            found = address.pattern.match(path)
            if found is None:
                continue
            try:
                parameters = {
                    name: address.convertors[name].convert(text) for name, text in found.groupdict().items()
                }
            except ValueError:  # a number of more digits than Python reads
                continue
            return Match(address.by_method.get(asked), parameters, tuple(sorted(address.by_method)))
        return None
