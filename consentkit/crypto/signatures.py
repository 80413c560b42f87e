"""Signatures as they are published, and their check: no database, no private key.

Owns the shapes that stand in JSON and what makes a signature hold. Making one, and keeping the keys, is
`consentkit.signing`'s job.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterable

ALGORITHM: Final = "Ed25519"
PUBLIC_BYTES: Final = 32

# A key set as it is published: a key a month for a hundred years is not half of it.
MAX_KEY_SET_BYTES: Final = 1 << 20


class BadSignature(ConsentKitError):
    """Report a signature that does not hold, and why."""


class BadKeySet(ConsentKitError):
    """Report a published key set that can't be used, and why."""


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """A detached signature, as it stands in JSON.

    Attributes:
        key_id: names the public key.
        algorithm: ``Ed25519``.
        value: 64 bytes; base64 in JSON.
    """

    key_id: str
    algorithm: str = ALGORITHM
    value: bytes


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """The public half of a signing key, as it is published.

    Attributes:
        key_id: the first 16 hexadecimal digits of the SHA-256 of `public`.
        algorithm: ``Ed25519``.
        public: 32 bytes; base64 in JSON.
        since_us, until_us: when it signed; microseconds since 1970 UTC, `until_us` None while it still does.
    """

    key_id: str
    algorithm: str = ALGORITHM
    public: bytes
    since_us: int
    until_us: int | None


class KeySet(msgspec.Struct, frozen=True, kw_only=True, tag_field="format", tag="consentkit-keys/1"):
    """All that is needed to check what one installation has signed, as ``keys.json`` has it.

    Attributes:
        installation: its id: `installation_id` of its keys.
        operator: who runs it, in the settings' words; may change, and proves nothing.
        keys: every public key there ever was, oldest first.
    """

    installation: str
    operator: str
    keys: tuple[PublicKey, ...]


def installation_id(keys: Iterable[PublicKey]) -> str:
    """Return the id of the installation whose public keys these are, oldest first: 32 hexadecimal digits.

    It follows from the first key there ever was, so that it stays through every rotation and every change of
    host name or operator, and nobody can show another site's id with keys of his own.

    Raises:
        BadKeySet: there is no key.
    """
    first = next(iter(keys), None)
    if first is None:
        raise BadKeySet("it has no key")
    return hashlib.sha256(b"consentkit/installation/v1\0" + first.public).hexdigest()[:32]


def key_id_of(public: bytes) -> str:
    """Return the id of a public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def read_key_set(text: bytes) -> KeySet:
    """Read a saved ``keys.json``, which may come from anybody.

    Raises:
        BadKeySet: it is none, or contradicts itself.
    """
    if len(text) > MAX_KEY_SET_BYTES:
        raise BadKeySet(f"it has more than {MAX_KEY_SET_BYTES:,} bytes")
    try:
        found = msgspec.json.decode(text, type=KeySet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadKeySet("it is no key set as consentkit publishes it") from exc
    if any(len(key.public) != PUBLIC_BYTES or key.key_id != key_id_of(key.public) for key in found.keys):
        raise BadKeySet("a key in it is not what its id says")
    if found.installation != installation_id(found.keys):
        raise BadKeySet("its installation is not the one of its first key")
    return found


def verify(data: bytes, signature: Signature, keys: Iterable[PublicKey]) -> PublicKey:
    """Check a signature against the keys that are trusted, and return the one that made it.

    Raises:
        BadSignature: says why it does not hold.
    """
    key = next((key for key in keys if key.key_id == signature.key_id), None)
    if key is None:
        raise BadSignature(f"it names the key {signature.key_id!r}, which is none of those given")
    if signature.algorithm != ALGORITHM or key_id_of(key.public) != key.key_id:
        raise BadSignature("its key or algorithm is not what it says it is")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature.value, data)
    except InvalidSignature:
        raise BadSignature("what was signed was changed since, or another key signed it") from None
    return key
