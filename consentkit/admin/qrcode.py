"""A QR code as the path of an SVG, which a page holds without any style of its own.

Owns that alone.
"""

from __future__ import annotations

import msgspec


class QrCode(msgspec.Struct, frozen=True):
    """A QR code.

    Attributes:
        size: of its side, the quiet zone included, in modules.
        path: the dark modules, as the ``d`` of one SVG path.
    """

    size: int
    path: str


_QUIET = 4  # ISO/IEC 18004 §9.1


def draw(text: str) -> QrCode:
    """Return the QR code of a text."""
    import segno  # noqa: PLC0415 - for the one page that shows a code

    rows = segno.make(text, error="m", micro=False).matrix
    parts = [
        f"M{x + _QUIET} {y + _QUIET}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark
    ]
    return QrCode(len(rows) + 2 * _QUIET, "".join(parts))
