"""A root key, and its form on disk: sealed under a key stretched from a secret.

Owns what the root does (it wraps other keys, and derives those that live as long as it) and the record in
``root.key``. Which root is in force is `roots`' business.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentkit.crypto.primitives import KEY_BYTES, NONCE_BYTES, SALT_BYTES, hkdf, stretch
from consentkit.errors import KeyUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_WRAPPED_MAGIC: Final = b"CKW1"
_ID_BYTES: Final = 16


class Root:
    """A root key in memory.

    Attributes:
        id: names it without telling anything of it.
    """

    __slots__ = ("_key", "_wrapping", "id")

    def __init__(self, key: bytes) -> None:
        self.id = hkdf(key, "root-id/v1", length=_ID_BYTES)
        self._key = key
        self._wrapping = AESGCM(hkdf(key, "wrap/v1"))

    @classmethod
    def fresh(cls) -> Root:
        """Return a random one."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def derive(self, label: str) -> bytes:
        """Return the 32-byte key for one use."""
        return hkdf(self._key, label)

    def wrap(self, name: str, key: bytes) -> bytes:
        """Return the content of the file of a key; it opens under that name alone."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _WRAPPED_MAGIC + nonce + self._wrapping.encrypt(nonce, key, name.encode())

    def unwrap(self, name: str, content: bytes) -> bytes | None:
        """Return the key in a file, or None where it is damaged, another name's or another root's."""
        start = len(_WRAPPED_MAGIC)
        if not content.startswith(_WRAPPED_MAGIC):
            return None
        nonce, wrapped = content[start : start + NONCE_BYTES], content[start + NONCE_BYTES :]
        try:
            return self._wrapping.decrypt(nonce, wrapped, name.encode())
        except (InvalidTag, ValueError):
            return None

    def sealed(self, secret: str) -> bytes:
        """Return the content of ``root.key`` under a secret, with fresh salt."""
        salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
        wrapped = AESGCM(stretch(secret, salt)).encrypt(nonce, self._key, b"root")
        return msgspec.json.encode(Record(id=self.id, salt=salt, nonce=nonce, wrapped=wrapped))


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``root.key`` on disk.

    Attributes:
        id: the root's; empty in a file of the first form, which had none.
    """

    format: str = "consentkit-root-1"
    id: bytes = b""
    salt: bytes
    nonce: bytes
    wrapped: bytes


def read_record(path: Path) -> Record:
    """Return the record in a file.

    Raises:
        KeyUnavailable: the file is damaged.
        OSError: it can't be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except msgspec.DecodeError as exc:
        raise KeyUnavailable("root", f"{path} is damaged; restore the keys folder from its backup") from exc


def open_record(record: Record, given: Sequence[str], known: Iterable[Root] = ()) -> Root | None:
    """Return the root of a record, or None where no secret opens it.

    Args:
        record: what was read.
        given: secrets, newest last.
        known: roots that are open already; stretching a secret for one of them again would be work for nothing.
    """
    for root in known:
        if root.id == record.id:
            return root
    for secret in reversed(given):
        try:
            key = AESGCM(stretch(secret, record.salt)).decrypt(record.nonce, record.wrapped, b"root")
        except (InvalidTag, ValueError):
            continue  # an older secret may be the one: they are listed for that
        return Root(key)
    return None
