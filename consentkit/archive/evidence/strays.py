"""What lies among the periods and keys that nobody may have put there.

Owns the attribution of each file, as stores tell of them, and of each key to a period and generation. What lies
where it should is checked by `custody`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from consentkit.archive.custody import custody
from consentkit.archive.evidence.listing import incident_name
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.evidence.listing import Listed
    from consentkit.archive.evidence.replay import Expected
    from consentkit.archive.holdings import Holdings

# How long a rewrite or a retention run that is under way may take to end.
_WAIT_SECONDS: Final = 5.0

_KEY: Final = re.compile(r"(?:period|incident)/(?P<name>.+)\.(?P<generation>[0-9]{1,9})")


class Known(NamedTuple):
    """What is known of the periods when the folders are looked at: the catalogue, and the chain."""

    listed: dict[str, Listed]
    expected: dict[str, Expected]


class _Generation(NamedTuple):
    name: str
    number: int


def strays(holdings: Holdings, know: Callable[[], Known]) -> dict[str, str]:
    """Return what lies there and should not: by period's name, or by the file's where it is no period's.

    Args:
        holdings: the store.
        know: asked after that was read: what is made is entered first.
    """
    try:
        with custody(holdings.control, wait_seconds=_WAIT_SECONDS):
            return dict(_strays(holdings, know, are_drafts_made=False))
    except StorageError:
        return dict(_strays(holdings, know, are_drafts_made=True))


def _strays(holdings: Holdings, know: Callable[[], Known], *, are_drafts_made: bool) -> Iterator[tuple[str, str]]:
    there = [*_there(holdings, "period"), *_there(holdings, "incident")]
    known = know()
    found: dict[str, str] = {}
    for what, generation, name in there:
        is_known = generation is not None and _is_known(known, generation.name)
        if reason := _reason(known, generation, are_drafts_made=are_drafts_made):
            number = f" of generation {generation.number}" if generation and is_known else ""
            place = generation.name if generation and is_known else name
            found.setdefault(place, f"a {what}{number} {reason}")
    yield from found.items()


def _there(
    holdings: Holdings, group: Literal["period", "incident"]
) -> Iterator[tuple[str, _Generation | None, str]]:
    """Yield the files and the keys of a group, drafts left out: what each is, whose, and its name.

    A draft is what an incident begins with; retention throws away what broke off.
    """
    lying = holdings.rows.lying(group)
    drafts = {f"{group}/{one.name}.{one.generation}" for one in lying if one.is_draft}
    for one in lying:
        if not one.is_draft:
            yield "file", _generation(group, one.name, one.generation), one.what
    for name in holdings.keyring.names(group):
        if name not in drafts:
            match = _KEY.fullmatch(name)
            yield "key", _generation(group, match["name"], int(match["generation"])) if match else None, name


def _generation(group: str, name: str, number: int) -> _Generation | None:
    if not name:
        return None
    return _Generation(name if group == "period" else incident_name(name), number)


def _is_known(known: Known, name: str) -> bool:
    return name in known.listed or name in known.expected


def _reason(known: Known, generation: _Generation | None, *, are_drafts_made: bool) -> str:
    """Return why a file or key of a generation may not be there; empty = it may."""
    if generation is None or not _is_known(known, generation.name):
        return "is there that no period has"
    listed, expected = known.listed.get(generation.name), known.expected.get(generation.name)
    if expected is not None and expected.certificate is not None:
        return f"is there again, after its certificate in entry {expected.certificate}"
    newest = listed.generation if listed else generation.number  # that it isn't listed is told of the period
    may_be = (newest, listed.old_generation if listed else None, newest + 1 if are_drafts_made else None)
    if generation.number in may_be:
        return ""
    if generation.number < newest:
        return "is there again, which was destroyed"
    return "is there that no entry of the audit knows of: a rewrite that broke off, or put there"
