"""Which of many globs a name from the wire matches, in time linear in the name and in bounded memory.

Owns matching alone: ``*`` stands for any bytes, ``?`` for one, everything else for itself; anchored at both
ends and case-sensitive. Names are hostile: a client invents as many as it likes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_MATCH: Final = -1
MAX_NAME_BYTES: Final = 256  # over this a name is nobody's: a declared one has at most 128 characters

_CACHED_NAME_BYTES: Final = 64  # longer names are matched anew, so that a full cache stays small
_GENERATION: Final = 512  # names a generation; two of them stay under 300 KB


def is_glob(name: str) -> bool:
    """Say whether a declared name stands for more than itself."""
    return "*" in name or "?" in name


class GlobMatcher:
    """Find the first of some globs that matches a name.

    The work for one name is bounded by its length times that of the globs, which are the operator's: a star's
    match is never tried again once its next piece was found (atomic groups), which is right because the
    earliest place of a piece leaves the most room for those after it.
    """

    __slots__ = ("_match", "_recent")

    def __init__(self, globs: Sequence[str]) -> None:
        pattern = b"|".join(_branch(glob) for glob in globs)
        self._match = re.compile(pattern, re.DOTALL).match if globs else None
        self._recent = _Recent()

    def first(self, name: bytes) -> int:
        """Return the index of the first glob that matches, or NO_MATCH."""
        if self._match is None or len(name) > MAX_NAME_BYTES:
            return NO_MATCH
        index = self._recent.get(name)
        if index is None:
            match = self._match(name)
            index = NO_MATCH if match is None or match.lastindex is None else match.lastindex - 1
            self._recent.put(name, index)
        return index


class _Recent:
    """Remember answers for names in two generations.

    A full generation becomes the older one and the older is forgotten. A name that is asked for again moves
    to the younger, so names in real use outlive a flood of invented ones, at the price of one match each.
    """

    __slots__ = ("_older", "_younger")

    def __init__(self) -> None:
        self._younger: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)

    def get(self, name: bytes) -> int | None:
        index = self._younger.get(name)
        if index is None:
            index = self._older.get(name)
            if index is not None:
                self.put(name, index)
        return index

    def put(self, name: bytes, index: int) -> None:
        if len(name) > _CACHED_NAME_BYTES:
            return
        if len(self._younger) >= _GENERATION:
            self._older, self._younger = self._younger, {}
        self._younger[name] = index


def _branch(glob: str) -> bytes:
    first, *rest = (_piece(piece) for piece in re.split(r"\*+", glob))
    if not rest:
        return b"(" + first + rb"\Z)"
    middle = b"".join(b"(?>.*?" + piece + b")" for piece in rest[:-1])
    return b"(" + first + middle + b".*" + rest[-1] + rb"\Z)"


def _piece(piece: str) -> bytes:
    return b".".join(re.escape(part.encode("utf-8")) for part in piece.split("?"))
