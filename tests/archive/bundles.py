"""Bundles as somebody might change them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path


def contents(path: Path) -> dict[str, bytes] | None:
    """Return the files of a bundle by name; None where they can't be unpacked."""
    try:
        with zipfile.ZipFile(path) as found:
            return {name: found.read(name) for name in found.namelist()}
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return None


def change_byte(path: Path, name: str) -> None:
    """Change one byte in the midst of a file, and pack all anew, so that the zip file's own sums hold."""
    files = contents(path)
    assert files is not None
    content = bytearray(files[name])
    content[len(content) // 2] ^= 0x01
    files[name] = bytes(content)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as changed:
        for each, its_content in files.items():
            changed.writestr(each, its_content)
