"""Where static files and templates lie, and the static files as they are served.

The one module that knows that they stand at the top of a checkout and inside the package in a wheel. Answering
requests is left to the rooms with pages.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = Path(__file__).resolve().parent.parent

# Only what a browser asks for; type declarations and notes stay on the disk.
_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HASH_LENGTH = 12  # hexadecimal digits: 48 bits tell the versions of one file apart
_HASHED_NAME = re.compile(rf"([\w/-]{{1,80}})\.[0-9a-f]{{{_HASH_LENGTH}}}(\.[a-z]{{2,3}})", re.ASCII)


class Asset(msgspec.Struct, frozen=True):
    """Hold one static file as it is sent.

    Attributes:
        name: the name in the URL, with the content's hash: ``consentkit.3f2a9c1b04de.js``.
        content: the file.
        gzipped: the same, compressed; send it where Accept-Encoding has gzip, with ``Vary: Accept-Encoding``.
        content_type: value of the Content-Type field.
    """

    name: str
    content: bytes
    gzipped: bytes
    content_type: str


class Assets:
    """Serve static files from memory under names that change with their content.

    Such a name is answered with ``Cache-Control: public, max-age=31536000, immutable`` (RFC 8246); no validator
    is needed.
    """

    __slots__ = ("_by_hashed_name", "_hashed_names")

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._hashed_names: dict[str, str] = {}
        self._by_hashed_name: dict[str, Asset] = {}
        for name, content in files.items():
            asset = _prepare(name, content)
            self._hashed_names[name] = asset.name
            self._by_hashed_name[asset.name] = asset

    @classmethod
    def load(cls) -> Assets:
        """Read the static files; to be called once, at start.

        Raises:
            StorageError: the folder is missing, so the installation is broken.
        """
        folder = find_folder("static")
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.suffix in _CONTENT_TYPES and path.is_file()
        }
        return cls(files)

    def hashed_name(self, name: str) -> str:
        """Return the name under which a file is served; KeyError for a file that is not there."""
        return self._hashed_names[name]

    def find(self, hashed_name: str) -> Asset | None:
        """Return the file of a name from a URL; None for any that was not given out by this content."""
        return self._by_hashed_name.get(hashed_name)

    def find_other_version(self, hashed_name: str) -> Asset | None:
        """Return the present file where the name holds another version's hash; None for any other name."""
        form = _HASHED_NAME.fullmatch(hashed_name)
        return self._by_hashed_name.get(self._hashed_names.get("".join(form.groups()), "")) if form else None


def find_folder(name: str) -> Path:
    """Return the folder ``static`` or ``templates``: inside the package, else beside it in a checkout.

    Raises:
        StorageError: it is in neither place.
    """
    for parent in (_PACKAGE, _PACKAGE.parent):
        # The package's own name for itself keeps a stranger's site-packages/static from being taken for ours.
        if (parent / name).is_dir() and (parent is _PACKAGE or (parent / "pyproject.toml").is_file()):
            return parent / name
    raise StorageError(name, "is not in the package; install consentkit again")


def _prepare(name: str, content: bytes) -> Asset:
    path = Path(name)
    digest = hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]
    return Asset(
        name=path.with_suffix(f".{digest}{path.suffix}").as_posix(),
        content=content,
        gzipped=gzip.compress(content, 9, mtime=0),
        content_type=_CONTENT_TYPES[path.suffix],
    )
