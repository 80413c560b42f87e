"""The words of a place: what repeats in its requests, numbered and sealed before it leaves the process.

Owns the numbers and the encryption. A word is a whole value with all that was resolved of it, so that two hosts
give equal values the same number and the same bytes without asking each other, and a number stands for one value
alone:

    number = 63 bits of BLAKE2b, keyed, over the value in MessagePack; each kind for itself
    lookup = the same over a client's packed address alone, so that one address is found without all others
    sealed = AES-256-SIV of the value, bound to its kind and number
    keys   = HKDF(the place's key)

Encryption that gives equal bytes for equal values tells no more than the number does, and needs no nonce that two
hosts would have to agree on. Keys are of one place: nothing here links the rows of two. Two values have one number
by chance once in some 3 billion values of a place.

Source: RFC 5297 (SIV), §1.3.1 "Key Wrapping" and deterministic encryption; RFC 7693 (BLAKE2); RFC 5869 (HKDF).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from consentkit.archive.store.server.engine import GapRow, Kind, Word
from consentkit.crypto import hkdf
from consentkit.requestlog.record import Gap

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIV_KEY_BYTES: Final = 64
_NUMBER_BYTES: Final = 8

encode: Final = msgspec.msgpack.Encoder().encode


class Client(NamedTuple):
    """Who asked: packed addresses of the client and of its peer, where the first was taken from, and its place."""

    address: bytes
    peer: bytes
    source: int
    country: str
    city: str


class Agent(NamedTuple):
    """A User-Agent, and what it names."""

    user_agent: str
    device: str
    device_type: str
    browser: str
    browser_version: str
    os: str
    os_version: str


class Resource(NamedTuple):
    """What was asked for; `query` is None where the URL has no question mark."""

    method: str
    scheme: str
    host: str
    path: str
    query: str | None
    query_flags: int


class Referrer(NamedTuple):
    """The host that a request was led from."""

    host: str


Content: TypeAlias = Client | Agent | Resource | Referrer

SHAPES: Final[Mapping[Kind, type[Content]]] = {
    "client": Client,
    "agent": Agent,
    "resource": Resource,
    "referrer": Referrer,
}
_DECODERS: Final = {kind: msgspec.msgpack.Decoder(shape) for kind, shape in SHAPES.items()}
_GAPS: Final = msgspec.msgpack.Decoder(Gap)


class BadWord(Exception):
    """Refuse what was not sealed under this key for this place in the tables."""


class Words:
    """Number, seal and open the words of one place.

    Args:
        place_key: the place's, 32 bytes.

    Attributes:
        digest_key: for the chain of its batches.
    """

    def __init__(self, place_key: bytes) -> None:
        self._number_key = hkdf(place_key, "server/number/v1")
        self._sealing = AESSIV(hkdf(place_key, "server/words/v1", length=_SIV_KEY_BYTES))
        self.digest_key = hkdf(place_key, "server/digest/v1")

    def word(self, kind: Kind, content: Content) -> Word:
        """Return a value as it is stored."""
        plain = encode(content)
        number = self._number(kind, plain)
        return Word(kind, number, self._sealing.encrypt(plain, _bound(kind, number)), self._lookup_of(content))

    def lookup(self, address: bytes) -> int:
        """Return under what the clients of a packed address are found."""
        return self._number("lookup", address) or 1

    def open(self, word: Word) -> Content:
        """Return the value of a word.

        Raises:
            BadWord: it was not sealed so, or is found under another lookup.
        """
        try:
            plain = self._sealing.decrypt(word.sealed, _bound(word.kind, word.number))
            content = _DECODERS[word.kind].decode(plain)
        except (InvalidTag, ValueError, OverflowError):
            raise BadWord from None
        if self._lookup_of(content) != word.lookup:
            raise BadWord
        return content

    def segment(self, worker: str, number: int, *, part: int = 0) -> int:
        """Return the number in rows of a segment, or of a part of it that is kept for itself."""
        return self._number("segment", encode((worker, number, part)))

    def seal_gap(self, segment: int, sequence: int, gap: Gap) -> GapRow:
        """Return a gap as it is stored, under the frame that told it."""
        sealed = self._sealing.encrypt(encode(gap), _bound("gap", segment, sequence))
        return GapRow(segment, sequence, gap.since_us, gap.until_us, sealed)

    def open_gap(self, row: GapRow) -> Gap:
        """Return a gap.

        Raises:
            BadWord: it was not sealed so, or stands under another time.
        """
        try:
            gap = _GAPS.decode(self._sealing.decrypt(row.sealed, _bound("gap", row.segment, row.sequence)))
        except (InvalidTag, ValueError, OverflowError):
            raise BadWord from None
        if (gap.since_us, gap.until_us) != (row.since_us, row.until_us):
            raise BadWord
        return gap

    def _lookup_of(self, content: Content) -> int:
        return self.lookup(content.address) if isinstance(content, Client) else 0

    def _number(self, kind: str, plain: bytes) -> int:
        digest = blake2b(plain, key=self._number_key, person=kind.encode(), digest_size=_NUMBER_BYTES)
        return int.from_bytes(digest.digest()) >> 1


def _bound(kind: str, *numbers: int) -> list[bytes]:
    return [kind.encode(), *(number.to_bytes(_NUMBER_BYTES) for number in numbers)]
