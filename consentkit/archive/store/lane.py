"""Which host this is, among those that write the same places.

Owns that name: random, made once, kept in the data directory, which is a host's own. What was written under it is
chained by it, so it stays the same over restarts; it says nothing of the host.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from consentkit.crypto import publish
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "lane"

_BYTES: Final = 8
_LANE: Final = re.compile(rb"[0-9a-f]{16}\n?", re.ASCII)


def own_lane(directory: Path) -> str:
    """Return the host's name, which is made at the first call, once among all its processes.

    Args:
        directory: the data directory.

    Raises:
        StorageError: it can't be read or made, or is none.
    """
    file = directory / FILE_NAME
    try:
        if not file.exists():
            publish(file, f"{secrets.token_hex(_BYTES)}\n".encode())
        content = file.read_bytes()
    except OSError as exc:
        raise StorageError(str(file), f"can't be read or made ({exc.strerror})") from exc
    if not _LANE.fullmatch(content):
        raise StorageError(str(file), "is no host's name; take it away, and another is made")
    return content.decode().strip()
