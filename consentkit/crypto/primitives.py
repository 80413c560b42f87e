"""What keys are made of: their sizes, how one is derived from another, how a secret becomes one.

Owns the parameters. Nothing here touches a file.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SALT_BYTES: Final = 16

# Stretching costs a guesser of a poor secret; a good one (32 random characters) needs none. These cost
# a start 16 MiB and some 40 ms, once. Source: RFC 7914 §2, OWASP Password Storage Cheat Sheet.
_SCRYPT_N: Final = 2**14
_SCRYPT_R: Final = 8
_SCRYPT_P: Final = 1


def hkdf(key: bytes, label: str, *, length: int = KEY_BYTES) -> bytes:
    """Derive `length` bytes from a uniformly random `key` for one use named by `label`.

    Source: RFC 5869; no salt is needed where the input is uniformly random (§3.1).
    """
    return HKDF(hashes.SHA256(), length, salt=None, info=f"consentkit/{label}".encode()).derive(key)


def stretch(secret: str, salt: bytes) -> bytes:
    """Return the 32-byte key that an operator's secret stands for. Source: RFC 7914 §6."""
    return Scrypt(salt=salt, length=KEY_BYTES, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).derive(secret.encode())
