"""What requests are counted by, and which group of each a request belongs to.

Owns the dimensions and the names of their groups. A name is one of a short list, or has the look of a word:
what a client may have made up never becomes one by itself. How small groups are folded is `folding`'s job.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, get_args

Dimension: TypeAlias = Literal[
    "total", "status_class", "method", "path_group", "device_type", "browser", "os", "country",
    "duration_class", "outcome", "availability",
]  # fmt: skip

DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)

# What has no name of its own, together with what is too small to be told.
OTHER: Final = "other"
UNKNOWN: Final = "unknown"

# The one value of the dimension `total`.
REQUESTS: Final = "requests"

# The values of `availability`; the two of the middle hold whole hours.
ANSWERED: Final = "answered"
FEW_FAILED: Final = "few_failed"
FEW_ANSWERED: Final = "few_answered"
FAILED: Final = "failed"

# RFC 9110 §9.3 and RFC 5789; a websocket has none.
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))

# Upper bounds in microseconds, each not within its class.
DURATION_BOUNDS_US: Final = (10_000, 50_000, 100_000, 300_000, 1_000_000, 3_000_000)
DURATION_CLASSES: Final = ("<10ms", "<50ms", "<100ms", "<300ms", "<1s", "<3s", ">=3s")

# A longer first segment is no word. Read from the store no further than to tell.
MAX_SEGMENT: Final = 40

# Lower-case words joined by a hyphen or underscore, a file of such a name, or a version: no digits, no mixed
# case, nothing encoded, which is how numbers of people, tokens and codes look.
_WORDS: Final = re.compile(r"[A-Z]?[a-z]{1,15}(?:[-_][a-z]{1,15}){0,3}(?:\.[a-z]{2,5})?|v[0-9]{1,2}")
_FAMILY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .+/_-]{0,39}")


def status_class(status: int) -> str:
    """Return ``2xx`` and so on; ``none`` where no answer was sent."""
    if status == 0:
        return "none"
    return f"{status // 100}xx" if 100 <= status < 600 else OTHER


def method_group(method: str) -> str:
    """Return a method of the standards, ``websocket``, or ``other``; methods are case-sensitive."""
    if not method:
        return "websocket"
    return method if method in _METHODS else OTHER


def path_group(path: str) -> str:
    """Return the first segment of a path, as ``/shop``, if it looks like words; else ``other``."""
    if path == "/":
        return path
    segment = path[1 : MAX_SEGMENT + 2].partition("/")[0]
    is_words = path.startswith("/") and len(segment) <= MAX_SEGMENT and _WORDS.fullmatch(segment)
    return f"/{segment}" if is_words else OTHER


def family_group(family: str) -> str:
    """Return a family of browsers or systems; ``other`` for none, and for text that is no plain name."""
    return family if family != "Other" and _FAMILY.fullmatch(family) else OTHER


def is_failed(status: int, outcome: str) -> bool:
    """Tell whether the server failed the client: status 5xx, or an error of the application."""
    return 500 <= status < 600 or outcome == "app_error"
