"""Changes to a page's bytes: what is put in, what is left out.

Owns their joining alone; what changes, and where, is told by `places` and `waiting`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.consent.htmlscan import PageBytes


class Edit(Struct, frozen=True):
    """Change one place of a page.

    Attributes:
        at: offset into the page.
        put_in: bytes that stand there afterwards.
        left_out: number of the page's own bytes that they replace.
    """

    at: int
    put_in: bytes
    left_out: int = 0

    @property
    def growth(self) -> int:
        """The number of bytes by which the page grows."""
        return len(self.put_in) - self.left_out


def edited(page: PageBytes, edits: Sequence[Edit]) -> PageBytes:
    """Return a page with all edits made; of those at one place the first stands first.

    Args:
        page: the page, or its beginning.
        edits: in any order; their bytes do not overlap.
    """
    if not edits:
        return page
    whole, at = memoryview(page), 0
    pieces: list[memoryview | bytes] = []
    for edit in sorted(edits, key=attrgetter("at")):
        pieces += [whole[at : edit.at], edit.put_in]
        at = edit.at + edit.left_out
    return b"".join([*pieces, whole[at:]])
