"""Decisions that are owed to the ledger: refusals that hold although their row could not be written.

Owns the folder ``owed`` of the data directory: a sealed file a decision, written again and again into the ledger
until that takes it. Bounded: past it, and where not even the file can be written, the decision is lost, and
the caller counts it. A process killed between row and file has a refusal written again, which the ledger knows by
its form, where it has one; none is left out.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentkit.consent.decision import Decision
from consentkit.consent.outcomes import Outcome
from consentkit.crypto import NONCE_BYTES, publish
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from consentkit.crypto import Keyring

logger = logging.getLogger("consentkit")

FOLDER: Final = "owed"
MAX_OWED: Final = 1000

_KEY_NAME: Final = "owed/owed"
_ENDING: Final = ".owed"
_DAMAGED: Final = ".damaged"
_AT_ONCE: Final = 100


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    decision: Decision
    counted: tuple[Outcome, ...]
    shown: bytes
    once: str = ""


class Recorder(Protocol):
    """Whatever writes a decision into the ledger; blocks until it is durable."""

    def __call__(self, decision: Decision, counted: Sequence[Outcome], shown: bytes, once: str) -> Decision:
        """Record one decision or raise ConsentKitError."""


class OwedDecisions:
    """The decisions that wait for the ledger; all methods block.

    Args:
        directory: the data directory.
        keyring: seals the files; their key is random, so that a rotation leaves them readable.
    """

    def __init__(self, directory: Path, keyring: Keyring) -> None:
        self._folder = directory / FOLDER
        self._keyring = keyring

    def add(self, decision: Decision, counted: Sequence[Outcome], shown: bytes, once: str = "") -> None:
        """Keep one durably, with the time at which it was given.

        Raises:
            KeyUnavailable: there is no key to seal it.
            StorageError: it can't be written, or too many wait already.
        """
        key = self._keyring.make(_KEY_NAME)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if len(waiting(self._folder)) >= MAX_OWED:
                raise StorageError(str(self._folder), f"{MAX_OWED:,} decisions wait there already")
            name = f"{decision.minute:010d}-{secrets.token_hex(8)}{_ENDING}"
            nonce = secrets.token_bytes(NONCE_BYTES)
            text = msgspec.msgpack.encode(_Entry(decision, tuple(counted), shown, once))
            publish(self._folder / name, nonce + AESGCM(key).encrypt(nonce, text, name.encode()))
        except OSError as exc:
            raise StorageError(str(self._folder), f"a decision can't be kept there ({exc.strerror})") from exc

    def settle(self, record: Recorder) -> int:
        """Write what waits into the ledger, oldest first, and return how many were written.

        Another process that is at it is left to it.

        Raises:
            ConsentKitError: the ledger still refuses; the rest waits.
            OSError: the folder can't be read or written.
        """
        names = waiting(self._folder)[:_AT_ONCE]
        if not names:
            return 0
        done = 0
        with self._locked() as is_ours:
            for name in names if is_ours else ():
                path = self._folder / name
                with contextlib.suppress(FileNotFoundError):  # written by another process since we looked
                    entry = self._open(path)
                    if entry is not None:
                        record(entry.decision, entry.counted, entry.shown, entry.once)
                        done += 1
                    path.unlink()
        return done

    def _open(self, path: Path) -> _Entry | None:
        sealed = path.read_bytes()
        key = self._keyring.load(_KEY_NAME)
        try:
            text = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], path.name.encode())
            return msgspec.msgpack.decode(text, type=_Entry)
        except (InvalidTag, ValueError):  # msgspec's faults are ValueErrors
            logger.error("a decision that was owed to the ledger is damaged; it is kept beside the others")
            os.link(path, path.with_suffix(_DAMAGED))
            return None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)


def waiting(folder: Path) -> list[str]:
    """Return the names of what waits in a folder, oldest first; none where there is no folder.

    Raises:
        OSError: it can't be read.
    """
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(_ENDING))  # noqa: PTH208 - names alone
    except FileNotFoundError:
        return []
