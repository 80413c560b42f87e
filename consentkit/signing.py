"""Signatures of what leaves the house: bundles, archives, receipts.

Owns the signing keys. They are random and replaced one by one; the private half is destroyed when another
takes its place, every public half is kept, so that a signature is checked years and rotations later.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select

from consentkit.control import signing_key
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from consentkit.control import Control
    from consentkit.crypto import Keyring

ALGORITHM: Final = "Ed25519"


class BadSignature(ConsentKitError):
    """Report a signature that does not hold, and why."""


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


def sign(control: Control, keyring: Keyring, data: bytes) -> Signature:
    """Sign with the present key, making the first one where there is none.

    Raises:
        KeyUnavailable: its private half is missing or damaged.
        StorageError: a new one can't be kept.
    """
    with control.transaction() as connection:
        key_id = _present(connection) or _begin(connection, keyring)
    private = Ed25519PrivateKey.from_private_bytes(keyring.load(_key_name(key_id)))
    return Signature(key_id=key_id, value=private.sign(data))


def replace_key(control: Control, keyring: Keyring) -> PublicKey:
    """Make another key the present one, and destroy the private half of the one before.

    Raises:
        StorageError: a key can't be kept or destroyed; calling it again finishes what was begun.
    """
    with control.transaction() as connection:
        _end_all(connection)
        _begin(connection, keyring)
        keys = public_keys(connection)
    for name in keyring.names("signing"):
        if name != _key_name(keys[-1].key_id):
            keyring.destroy(name)
    return keys[-1]


def public_keys(connection: Connection) -> list[PublicKey]:
    """Return all public keys there ever were, oldest first."""
    rows = connection.execute(select(signing_key).order_by(signing_key.c.since_us)).all()
    return [PublicKey(**row._asdict()) for row in rows]


def verify(data: bytes, signature: Signature, keys: Iterable[PublicKey]) -> PublicKey:
    """Check a signature against the keys that are trusted, and return the one that made it.

    Raises:
        BadSignature: says why it does not hold.
    """
    key = next((key for key in keys if key.key_id == signature.key_id), None)
    if key is None:
        raise BadSignature(f"it names the key {signature.key_id!r}, which is none of those given")
    if signature.algorithm != ALGORITHM or _key_id(key.public) != key.key_id:
        raise BadSignature("its key or algorithm is not what it says it is")
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature.value, data)
    except InvalidSignature:
        raise BadSignature("what was signed was changed since, or another key signed it") from None
    return key


def _present(connection: Connection) -> str | None:
    found = connection.execute(select(signing_key.c.key_id).where(signing_key.c.until_us.is_(None))).scalar()
    return str(found) if found is not None else None


def _begin(connection: Connection, keyring: Keyring) -> str:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    keyring.put(_key_name(_key_id(public)), private.private_bytes_raw())
    row = {"key_id": _key_id(public), "public": public, "since_us": time.time_ns() // 1000}
    connection.execute(signing_key.insert().values(row))
    return _key_id(public)


def _end_all(connection: Connection) -> None:
    ended = {"until_us": time.time_ns() // 1000}
    connection.execute(signing_key.update().where(signing_key.c.until_us.is_(None)).values(ended))


def _key_id(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16]


def _key_name(key_id: str) -> str:
    return f"signing/{key_id}"
