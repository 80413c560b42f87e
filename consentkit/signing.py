"""Signatures of what leaves the house: bundles, archives, receipts.

Owns the signing keys. They are random and replaced one by one; the private half is destroyed when another
takes its place, every public half is kept, so that a signature is checked years and rotations later. How it
is checked is `crypto.signatures`' job.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from consentkit.control import signing_key
from consentkit.crypto.signatures import (
    ALGORITHM,
    BadSignature,
    KeySet,
    PublicKey,
    Signature,
    installation_id,
    key_id_of,
    verify,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consentkit.control import Control
    from consentkit.crypto import Keyring

__all__ = [
    "ALGORITHM",
    "BadSignature",
    "KeySet",
    "PublicKey",
    "Signature",
    "Signer",
    "installation_id",
    "key_set",
    "public_keys",
    "replace_key",
    "sign",
    "verify",
]


def sign(control: Control, keyring: Keyring, data: bytes) -> Signature:
    """Sign with the present key, making the first one where there is none.

    Raises:
        KeyUnavailable: its private half is missing or damaged.
        StorageError: a new one can't be kept.
    """
    with control.transaction() as connection:
        return Signer(connection, keyring).sign(data)


class Signer:
    """The present key, in one transaction: it is not replaced before the transaction has ended.

    The first key is made where there is none.

    Args:
        connection: of `Control.transaction`.
        keyring: has the private halves.

    Attributes:
        key_id: of the present key.

    Raises:
        KeyUnavailable: its private half is missing or damaged.
        StorageError: a new one can't be kept.
    """

    def __init__(self, connection: Connection, keyring: Keyring) -> None:
        self.key_id = _present(connection) or _begin(connection, keyring)
        self._private = Ed25519PrivateKey.from_private_bytes(keyring.load(_key_name(self.key_id)))

    def sign(self, data: bytes) -> Signature:
        """Sign with it."""
        return Signature(key_id=self.key_id, value=self._private.sign(data))


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


def key_set(connection: Connection, keyring: Keyring, operator: str) -> KeySet:
    """Return what is published of this installation, its first key made where there is none.

    Raises:
        KeyUnavailable, StorageError: as `Signer`.
    """
    if not (keys := public_keys(connection)):
        _begin(connection, keyring)
        keys = public_keys(connection)
    return KeySet(installation=installation_id(keys), operator=operator, keys=tuple(keys))


def _present(connection: Connection) -> str | None:
    found = connection.execute(select(signing_key.c.key_id).where(signing_key.c.until_us.is_(None))).scalar()
    return str(found) if found is not None else None


def _begin(connection: Connection, keyring: Keyring) -> str:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    keyring.put(_key_name(key_id_of(public)), private.private_bytes_raw())
    # Their order outlives a clock that was set back: the installation's id follows from the first.
    newest_us = connection.execute(select(func.max(signing_key.c.since_us))).scalar() or 0
    since_us = max(time.time_ns() // 1000, newest_us + 1)
    row = {"key_id": key_id_of(public), "public": public, "since_us": since_us}
    connection.execute(signing_key.insert().values(row))
    return key_id_of(public)


def _end_all(connection: Connection) -> None:
    ended = {"until_us": time.time_ns() // 1000}
    connection.execute(signing_key.update().where(signing_key.c.until_us.is_(None)).values(ended))


def _key_name(key_id: str) -> str:
    return f"signing/{key_id}"
