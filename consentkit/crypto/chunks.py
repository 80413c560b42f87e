"""Content of any length, sealed in chunks as it comes and opened in chunks as it goes.

Owns the format, in which neither changing, exchanging, repeating, leaving out nor cutting off chunks goes unseen.
Whose key it is, and that it seals no second content, is the caller's business.

Each chunk is sealed by AES-256-GCM under its number and whether it is the last. Source: the STREAM construction,
Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance",
CRYPTO 2015, §7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentkit.crypto.primitives import NONCE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

CHUNK_BYTES: Final = 64 * 1024
TAG_BYTES: Final = 16

_SEALED_BYTES: Final = CHUNK_BYTES + TAG_BYTES


class BadChunk(Exception):
    """Refuse sealed content that is not what was sealed under this key, or not all of it."""


class ChunkSealer:
    """Seal one content.

    Args:
        key: 32 random bytes, which have sealed nothing and will seal nothing else.
        context: what the content is; opens with the same alone.
    """

    def __init__(self, key: bytes, context: bytes) -> None:
        self._sealing = AESGCM(key)
        self._context = context
        self._number = 0
        self._rest = bytearray()

    def update(self, data: bytes) -> bytes:
        """Take more of the content; return what is sealed by now, which may be nothing."""
        self._rest += data
        sealed = []
        while len(self._rest) > CHUNK_BYTES:  # the last chunk is never known as such here, so one stays
            sealed.append(self._seal(bytes(self._rest[:CHUNK_BYTES]), is_last=False))
            del self._rest[:CHUNK_BYTES]
        return b"".join(sealed)

    def finish(self) -> bytes:
        """Return the last chunk, without which nothing is whole."""
        return self._seal(bytes(self._rest), is_last=True)

    def _seal(self, chunk: bytes, *, is_last: bool) -> bytes:
        nonce = _nonce(self._number, is_last=is_last)
        self._number += 1
        return self._sealing.encrypt(nonce, chunk, self._context)


def opened_bytes(sealed_bytes: int) -> int:
    """Return how long the content is that was sealed into so many bytes; nothing is proved by it.

    Raises:
        BadChunk: no content gives that many.
    """
    chunks, rest = divmod(sealed_bytes, _SEALED_BYTES)
    if rest == 0 and chunks:
        return chunks * CHUNK_BYTES
    if rest < TAG_BYTES or (rest == TAG_BYTES and chunks):
        raise BadChunk
    return chunks * CHUNK_BYTES + rest - TAG_BYTES


def open_chunks(file: BinaryIO, key: bytes, context: bytes) -> Iterator[bytes]:
    """Yield the content, a chunk at a time, each after it was proved.

    Args:
        file: at its beginning.
        key, context: under which it was sealed.

    Raises:
        BadChunk: here it is not what was sealed, or it ends too early.
    """
    opening = AESGCM(key)
    number, sealed = 0, file.read(_SEALED_BYTES)
    is_last = False
    while not is_last:
        following = file.read(_SEALED_BYTES)
        is_last = not following
        try:
            chunk = opening.decrypt(_nonce(number, is_last=is_last), sealed, context)
        except InvalidTag:
            raise BadChunk from None
        yield chunk
        number, sealed = number + 1, following


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(NONCE_BYTES - 1) + bytes([is_last])
