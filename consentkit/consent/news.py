"""What a policy has that an older one had not, for visitors who are asked again.

Owns the comparison item by item. Whether someone is asked again at all is `policy`'s, the words are the visitor's
pages'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from consentkit.consent.canonical import Holdings, holdings, is_longer

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind: TypeAlias = Literal["category", "service", "provider", "country", "cookie", "storage", "longer"]

MAX_ADDITIONS: Final = 64  # of one revision: more than anyone reads, and each worker holds them


class Addition(msgspec.Struct, frozen=True, array_like=True):
    """Name one thing that is new.

    Attributes:
        where: the category, or the service that is allowed by itself, as ``+vimeo``.
        kind: ``longer`` is a cookie that is kept longer than before.
        name: of the cookie, storage key or provider; a service's id, a country's ISO 3166 code; empty for a
            whole category.
        days: how long a cookie of the kind ``longer`` is kept now.
    """

    where: str
    kind: Kind
    name: str = ""
    days: int | None = None


def added_since(old: bytes, new: bytes) -> tuple[Addition, ...]:
    """Return what the new policy has and the old one had not, at most `MAX_ADDITIONS` of it.

    A category that is new is named as a whole.

    Args:
        old: canonical text of the older policy. Of one that can't be read nothing can be told.
        new: canonical text of the newer policy.

    Raises:
        ValueError: if the new text is none of ``canonical_policy``.
    """
    before, after = holdings(old), holdings(new)
    if before is None:
        return ()
    if after is None:
        raise ValueError("the newer policy can't be read")
    found: list[Addition] = []
    for where, held in after.items():
        if where in before:
            found += _in_one(where, before[where], held)
        elif not where.startswith("+"):  # nobody can have allowed a service that was not there
            found.append(Addition(where, "category"))
    return tuple(found[:MAX_ADDITIONS])


def _in_one(where: str, old: Holdings, new: Holdings) -> Iterator[Addition]:
    lists: tuple[tuple[Kind, list[str], list[str]], ...] = (
        ("service", old.services, new.services),
        ("provider", old.providers, new.providers),
        ("country", old.countries, new.countries),
    )
    for kind, before, after in lists:
        # What a single service lists here are categories, which its heading says better.
        if not (kind == "service" and where.startswith("+")):
            yield from (Addition(where, kind, name) for name in after if name not in before)
    for held, holds in ((old.cookies, new.cookies), (old.third_party_cookies, new.third_party_cookies)):
        yield from (Addition(where, "cookie", name) for name in holds if name not in held)
        for name, days in holds.items():
            if name in held and is_longer(days, held[name]):
                yield Addition(where, "longer", name, days)
    yield from (Addition(where, "storage", name) for name in new.storage_keys if name not in old.storage_keys)
