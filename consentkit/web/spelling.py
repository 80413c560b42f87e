"""Names that come from outside, as they may stand on a page.

Owns making visible what could hide or turn round what stands beside it. Escaping markup is the template's.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_MOST: Final = 128


def spelled(name: str, *, most: int = _MOST) -> str:
    r"""Return a name with all that can't be seen spelled out, as ``\u202e``.

    That is controls, formats (turns of direction among them), separators, what no character is, and marks, which
    could be piled upon other text.

    Args:
        name: hostile.
        most: characters; what is longer is cut and ends with an ellipsis.
    """
    shown = "".join(_spelled(char) for char in name[: most + 1])
    return shown if len(shown) <= most else f"{shown[:most]}…"


def spelled_bytes(name: bytes, *, most: int = 64) -> str:
    """Return `spelled` of bytes as they came; what is no UTF-8 is spelled out too."""
    return spelled(name[: 4 * (most + 1)].decode("utf-8", "backslashreplace"), most=most)


def _spelled(char: str) -> str:
    if char.isascii():
        return char if char.isprintable() else f"\\x{ord(char):02x}"
    if unicodedata.category(char)[0] in "CZM":
        return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
    return char
