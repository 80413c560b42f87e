"""Signals by which a browser refuses for its user: Global Privacy Control, and what a site adds.

Owns what counts as a signal, and the statement at ``/.well-known/gpc.json``. What a signal does to a choice is
`visit`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

# Source: Global Privacy Control §3.1. The field's only value is "1"; anything else is no signal.
GPC_FIELD: Final = b"sec-gpc"
GPC_ON: Final = b"1"

# Source: Global Privacy Control §3.3. The date is that of the statement, not of the file: it changes when the
# meaning of the signal here does.
WELL_KNOWN_PATH: Final = "/.well-known/gpc.json"
WELL_KNOWN_BODY: Final = b'{"gpc": true, "lastUpdate": "2026-11-23"}\n'


class Signal(Protocol):
    """Tell from a request's fields that the visitor refuses what is optional.

    Called for each request, on the event loop: a look at the fields and no more. What it raises ends the
    request, for a signal that can't be read must not pass for none.
    """

    def __call__(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Return whether the visitor refuses.

        Args:
            headers: the request's fields, names in lower case, as they came; hostile.
        """
        ...
