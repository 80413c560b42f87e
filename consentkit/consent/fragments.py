"""The markup that goes into pages: its shape, and what must be able to give it.

This room knows where markup goes, and when; what it says is for the implementation of `Fragments` to write.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from starlette.types import Scope


# By this header, with the value 1, an app keeps one of its pages as it is; the gate takes it off the answer.
EXEMPT_HEADER: Final = b"consentkit-exempt"


class Insertion(Struct, frozen=True):
    """Give the markup for one page: ASCII bytes, with character references for all else.

    Attributes:
        head: for the start of the head, before the page's own scripts.
        body: for the start of the body.
    """

    head: bytes
    body: bytes


class Fragments(Protocol):
    """Give pages their markup."""

    def insertion(
        self, scope: Scope, *, page_language: str | None, shared: bool, nonce: str | None
    ) -> Insertion | None:
        """Return the markup for a page, or None for a page that gets none.

        Called on the event loop, once a page, before its first byte is sent.

        Args:
            scope: the request's, as `Inject` was given it; not to be changed.
            page_language: the page's own `lang`, a well-formed language tag; None where it has none.
            shared: the answer may be kept for other visitors, so the markup must be the same for all. It is
                chosen by language alone.
            nonce: what the page's policy asks of scripts, base64 characters only; None without one.
        """
        ...

    def shared_hashes(self) -> frozenset[str]:
        """Return `markup_hash` of all that is given for `shared` pages now: each language, no nonce.

        Asked for each request that brings a validator of ours, so it should be kept.
        """
        ...


@lru_cache(maxsize=64)
def markup_hash(insertion: Insertion) -> str:
    """Return eight hexadecimal digits that stand for this markup in validators."""
    digest = hashlib.sha256(b"%d " % len(insertion.head) + insertion.head + insertion.body)
    return digest.hexdigest()[:8]
