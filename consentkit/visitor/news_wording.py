"""What has changed since a visitor's last choice, in words.

Owns the message for each kind of addition. What is new is `consent.news`' to know, for whom the policy's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.visitor import wording
from consentkit.web.territories import territory_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.consent.news import Addition, Kind
    from consentkit.consent.registry import Registry
    from consentkit.web.texts import Catalogue

_MAX_NAMED: Final = 8  # of one kind; a banner with more of them is not read


class NewsView(msgspec.Struct, frozen=True):
    """Tell what is new in one category, or in one service that was allowed by itself.

    Attributes:
        name: of the category or service.
        lines: one sentence for each kind of addition.
    """

    name: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return all of it in one line."""
        return f"{self.name} – {' '.join(self.lines)}"


def news_views(additions: Sequence[Addition], registry: Registry, say: Catalogue) -> tuple[NewsView, ...]:
    """Return what is new, by category, in the order of the additions."""
    kinds: dict[str, dict[Kind, list[str]]] = {}
    for each in additions:
        kinds.setdefault(each.where, {}).setdefault(each.kind, []).append(_name(each, registry, say))
    return tuple(
        NewsView(
            name=_service_name(where[1:], registry)
            if where.startswith("+")
            else wording.category_name(say, where),
            lines=tuple(_line(kind, names, say) for kind, names in found.items()),
        )
        for where, found in kinds.items()
    )


def _name(addition: Addition, registry: Registry, say: Catalogue) -> str:
    if addition.kind == "service":
        return _service_name(addition.name, registry)
    if addition.kind == "country":
        return territory_name(addition.name, say.language)
    if addition.kind == "longer":
        return f"{addition.name} ({wording.lifetime(say, addition.days)})"
    return addition.name


def _service_name(service_id: str, registry: Registry) -> str:
    service = registry.service(service_id)
    return service.name if service else service_id


def _line(kind: Kind, found: Sequence[str], say: Catalogue) -> str:
    names = say.join(found)
    if len(found) > _MAX_NAMED:
        rest = len(found) - _MAX_NAMED
        names = say.gettext("{names} and {n} more", names=", ".join(found[:_MAX_NAMED]), n=rest)
    return {
        "category": say.gettext("This category is new."),
        "service": say.gettext("New services: {names}.", names=names),
        "provider": say.gettext("New companies: {names}.", names=names),
        "country": say.gettext("Data now also goes to: {names}.", names=names),
        "cookie": say.gettext("New cookies: {names}.", names=names),
        "storage": say.gettext("Newly stored in your browser: {names}.", names=names),
        "longer": say.gettext("Kept longer: {names}.", names=names),
    }[kind]
