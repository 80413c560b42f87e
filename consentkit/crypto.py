"""The keys folder: one random root key wrapped by the operator's secret, and the keys wrapped by it.

Owns how keys are made, wrapped, derived and destroyed. What a key opens is its user's business.

The root is random, so that a new secret rewraps 32 bytes and touches nothing else. Keys that must be
destroyable (a period, a worker, the control database) are random too and lie in a file of their own;
keys that live as long as the root (choices, digests) come from it by HKDF and lie nowhere.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from consentkit.errors import KeyUnavailable, StorageError

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_WRAPPED_MAGIC: Final = b"CKW1"

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


class _WrappedRoot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`root.key` on disk: the root key sealed under a key stretched from the secret."""

    format: str = "consentkit-root-1"
    salt: bytes
    nonce: bytes
    wrapped: bytes


class Keyring:
    """The opened keys folder of one installation.

    Names are paths without an ending, as in ``period/2026-11-23.1`` or ``worker/5f0c…``. A record is
    bound to its name, so that one file put in another's place does not open.

    Attributes:
        folder: the keys folder; never inside the data directory.
        secret_is_own: the secret was made by consentkit and lies beside the keys (development only).
    """

    def __init__(self, folder: Path, root: bytes, *, secret_is_own: bool) -> None:
        self.folder = folder
        self.secret_is_own = secret_is_own
        self._root = root
        self._wrapping = AESGCM(hkdf(root, "wrap/v1"))

    @classmethod
    def open(cls, folder: Path, given: tuple[str, ...]) -> Keyring:
        """Open the folder, making it and its root key where there are none yet.

        Args:
            folder: the keys folder.
            given: the operator's secrets, newest last; none = one is made in the folder.

        Raises:
            KeyUnavailable: none of the secrets opens the root key, or its file is damaged.
            StorageError: the folder can't be made, read or written.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(
                folder,
                _open_root(folder / "root.key", given or (_own_secret(folder / "secret"),)),
                secret_is_own=not given,
            )
        except OSError as exc:
            raise StorageError(
                str(folder),
                f"the keys folder can't be used ({exc.strerror}); let this user read and write it",
            ) from exc

    def derive(self, label: str) -> bytes:
        """Return the 32-byte key for one use; the same label gives the same key as long as the root lives."""
        return hkdf(self._root, label)

    def make(self, name: str) -> bytes:
        """Return the random key of that name, making it durably if there is none.

        Of several processes that make one name at once, one wins and all get its key.

        Raises:
            KeyUnavailable: a file of that name is there and does not open.
            StorageError: it can't be written.
        """
        key = secrets.token_bytes(KEY_BYTES)
        return key if self.put(name, key) else self.load(name)

    def put(self, name: str, key: bytes) -> bool:
        """Keep a key that was made elsewhere under that name, durably; return False where one is there already.

        Raises:
            StorageError: it can't be written.
        """
        try:
            path = self._path(name)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            return publish(path, self._wrapped(name, key))
        except OSError as exc:
            raise StorageError(str(self.folder), f"a key can't be written ({exc.strerror})") from exc

    def load(self, name: str) -> bytes:
        """Return the random key of that name.

        Raises:
            KeyUnavailable: it is not there (destroyed, or the folder is another one's), or does not open.
        """
        try:
            sealed = self._path(name).read_bytes()
        except FileNotFoundError as exc:
            raise KeyUnavailable(
                name, "is not in the keys folder: destroyed, or the folder is incomplete"
            ) from exc
        except OSError as exc:
            raise KeyUnavailable(name, f"can't be read ({exc.strerror})") from exc
        start = len(_WRAPPED_MAGIC)
        nonce, wrapped = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            if not sealed.startswith(_WRAPPED_MAGIC):
                raise InvalidTag
            return self._wrapping.decrypt(nonce, wrapped, name.encode())
        except (InvalidTag, ValueError) as exc:
            raise KeyUnavailable(name, "is damaged, or belongs to another root key; restore it") from exc

    def destroy(self, name: str, *, is_remembered: bool = False) -> bool:
        """Destroy the key of that name durably; return whether it was there.

        The file is overwritten first, which helps on disks that write in place and costs nothing elsewhere.

        Args:
            name: the key.
            is_remembered: leave an empty file that tells `was_destroyed`, also after the data directory was
                restored from before.

        Raises:
            StorageError: it can't be destroyed.
        """
        path = self._path(name)
        try:
            if is_remembered:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                publish(self._trace(name), b"")
            with path.open("r+b") as file:
                file.write(b"\0" * path.stat().st_size)
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as exc:
            raise StorageError(str(self.folder), f"a key can't be destroyed ({exc.strerror})") from exc
        sync_directory(path.parent)
        return True

    def was_destroyed(self, name: str) -> bool:
        """Tell whether the key was destroyed to be remembered as such; it may not be made or used again."""
        return self._trace(name).exists()

    def names(self, group: str) -> list[str]:
        """List the names in one group, as ``worker`` or ``period``, sorted."""
        return sorted(f"{group}/{path.stem}" for path in (self.folder / group).glob("*.key"))

    def _wrapped(self, name: str, key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _WRAPPED_MAGIC + nonce + self._wrapping.encrypt(nonce, key, name.encode())

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def _trace(self, name: str) -> Path:
        return self.folder / f"{name}.destroyed"


def publish(path: Path, content: bytes) -> bool:
    """Write a file so that it appears whole or not at all; return False if another made it first.

    A link fails where the name exists, as O_EXCL does, but is never seen empty by who lost the race.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True


def sync_directory(folder: Path) -> None:
    """Make the names in a folder durable. Source: fsync(2), "does not necessarily ensure the entry"."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _own_secret(path: Path) -> str:
    if not path.exists():
        publish(path, secrets.token_urlsafe(32).encode())
    return path.read_text("ascii")


def _open_root(path: Path, given: tuple[str, ...]) -> bytes:
    if not path.exists():
        root, salt, nonce = (
            secrets.token_bytes(KEY_BYTES),
            secrets.token_bytes(16),
            secrets.token_bytes(NONCE_BYTES),
        )
        wrapped = AESGCM(_stretch(given[-1], salt)).encrypt(nonce, root, b"root")
        if publish(path, msgspec.json.encode(_WrappedRoot(salt=salt, nonce=nonce, wrapped=wrapped))):
            return root
    try:
        record = msgspec.json.decode(path.read_bytes(), type=_WrappedRoot)
    except msgspec.DecodeError as exc:
        raise KeyUnavailable("root", f"{path} is damaged; restore the keys folder from its backup") from exc
    for secret in reversed(given):
        try:
            return AESGCM(_stretch(secret, record.salt)).decrypt(record.nonce, record.wrapped, b"root")
        except (InvalidTag, ValueError):
            continue  # an older secret may be the one: they are listed for that
    raise KeyUnavailable(
        "root",
        f"none of the {len(given)} secrets given opens {path}; "
        "set CONSENTKIT_SECRET to the one it was made with (several, comma-separated, newest last)",
    )


def _stretch(secret: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P).derive(secret.encode())
