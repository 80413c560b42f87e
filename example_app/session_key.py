"""The key that signs session cookies: from the environment, or made once and kept in a file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_KEY_BYTES = 32


def load_session_key(path: Path) -> str:
    """Return the key in `LUMO_SESSION_KEY`, else the one in `path`, made now if there is none.

    Several workers may start at the same moment; all of them return the same key.

    Raises:
        OSError: the file can't be read or made.
    """
    given = os.environ.get("LUMO_SESSION_KEY", "")
    if given:
        return given
    if not path.exists():
        _make(path)
    return path.read_text(encoding="ascii")


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_KEY_BYTES))
        # A link appears whole or not at all, so that no other worker reads half a key.
        os.link(draft, path)
    except FileExistsError:
        return  # another worker was first: its key is the key
    finally:
        draft.unlink()
