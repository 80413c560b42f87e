"""The registry: what is declared, looked up by the name that came over the wire.

Built once from the settings. Owns the look-up and the views by category; what follows for a request is left
to the gate, what visitors read to the visitor's pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from consentkit.consent.canonical import additions, canonical_policy, renewals
from consentkit.consent.collect import Declarations, collect
from consentkit.consent.declared import NECESSARY, OPTIONAL, DeclaredCookie, Service
from consentkit.consent.globs import NO_MATCH, GlobMatcher, is_glob

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consentkit.settings import Settings

__all__ = ["DeclaredCookie", "Registry", "Service", "additions", "renewals"]


class Registry:
    """Answer what is declared.

    Attributes:
        categories: the optional categories in use, in the order in which visitors are asked: those with at
            least one cookie, service or storage key.
        cookies: every cookie once: consentkit's own, the site's, those of services and presets, and last
            those on domains of third parties.
        services: in the order of the settings.
        service_categories: the category of each service, by its id.
        names_by_category: names and globs of this site's own cookies, for the categories that have any.
        storage_keys_by_category: globs of this origin's localStorage and sessionStorage keys, likewise.
    """

    __slots__ = (
        "_declared_globs",
        "_exact",
        "_matcher",
        "_operator",
        "_services_by_id",
        "categories",
        "cookies",
        "names_by_category",
        "service_categories",
        "services",
        "storage_keys_by_category",
    )

    def __init__(self, declarations: Declarations, operator: str = "") -> None:
        self.cookies = declarations.cookies
        self.services = declarations.services
        # What lives on another's domain never crosses this server: a first-party cookie of the same name is
        # another cookie.
        reachable = [cookie for cookie in self.cookies if not cookie.third_party]
        self._exact = {c.name.encode("utf-8"): c for c in reachable if not is_glob(c.name)}
        self._declared_globs = tuple(cookie for cookie in reachable if is_glob(cookie.name))
        self._matcher = GlobMatcher([cookie.name for cookie in self._declared_globs])
        self._services_by_id = {service.id: service for service in self.services}
        self.service_categories = {service.id: service.category for service in self.services}
        self._operator = operator
        self.names_by_category = _by_category((c.category, c.name) for c in reachable)
        self.storage_keys_by_category = _by_category(
            (s.category, key) for s in self.services for key in s.storage_keys
        )
        used = {c.category for c in self.cookies} | {s.category for s in self.services}
        self.categories = tuple(category for category in OPTIONAL if category in used)

    @classmethod
    def build(cls, settings: Settings) -> Self:
        """Read what the settings and the catalogue files they name declare.

        Raises:
            SettingsError: as in ``collect``.
        """
        return cls(collect(settings), settings.site.operator)

    def find(self, name: bytes) -> DeclaredCookie | None:
        """Return the declaration of one of this site's cookies.

        A whole name counts before any glob; of several globs the first declared holds, the site's own before
        those of services and presets.

        Args:
            name: the raw name from the wire, case-sensitive; hostile. Over 256 bytes it is nobody's.
        """
        cookie = self._exact.get(name)
        if cookie is not None:
            return cookie
        index = self._matcher.first(name)
        return None if index == NO_MATCH else self._declared_globs[index]

    def service(self, service_id: str) -> Service | None:
        """Return a service by its id."""
        return self._services_by_id.get(service_id)

    def providers(self, category: str) -> tuple[str, ...]:
        """Return who else, apart from the operator, sets cookies or receives data in a category."""
        named = [c.provider for c in self.cookies if c.category == category]
        named += [s.provider for s in self.services if category in s.categories]
        return tuple(dict.fromkeys(name for name in named if name not in ("", self._operator)))

    def policy(self) -> bytes:
        """Return the canonical text of what decides whether visitors are asked again."""
        return canonical_policy(self.cookies, self.services, self._operator)


def _by_category(pairs: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    for category, name in pairs:
        names.setdefault(category, []).append(name)
    return {c: tuple(dict.fromkeys(names[c])) for c in (NECESSARY, *OPTIONAL) if c in names}
