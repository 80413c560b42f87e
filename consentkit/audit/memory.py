"""The newest entry of the audit, remembered outside the database, in the keys folder.

Owns that file. A database that was put back to an older copy, or whose last entries were cut off, does not
hold what is remembered; judging that is left to `putback`, at a write, and to `verification`.

The file is bound to the database's own key, so that who can write the folder but open no key can't forge it,
and a new root key changes nothing. It holds less than the last write where a process was killed in between,
never more: it is written after the entry is durable.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import logging
import os
import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.audit.entry import Link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.control import Control

logger = logging.getLogger("consentkit")

FILE_NAME: Final = "chain.head"
_LOCK_NAME: Final = "chain.lock"

# Folders of which it was told that they can't be written: once each, not at every entry.
_TOLD: Final[set[str]] = set()


class Seen(msgspec.Struct, frozen=True):
    """What the file says.

    Attributes:
        link: the remembered entry; None where none can be had.
        fault: why; empty where it can.
        is_unusable: this process can't read or write there, so that nothing follows from it.
    """

    link: Link | None
    fault: str = ""
    is_unusable: bool = False


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str = "consentkit-chain-1"
    number: int
    hash: str
    mac: str


class ChainMemory:
    """The remembered head of one installation's audit.

    Args:
        control: the database that it tells of; its key binds the file.
    """

    def __init__(self, control: Control) -> None:
        self._folder = control.keys_folder
        self._key = control.derive("chain-head/v1")

    def read(self) -> Seen:
        """Return what is remembered."""
        try:
            content = (self._folder / FILE_NAME).read_bytes()
        except FileNotFoundError:
            return Seen(None, "what the audit last held is not remembered: its file is gone from the keys folder")
        except OSError as exc:
            fault = f"what the audit last held can't be read from the keys folder ({exc.strerror})"
            return Seen(None, fault, is_unusable=True)
        try:
            record = msgspec.json.decode(content, type=_Record)
        except msgspec.DecodeError:
            return Seen(None, "the file that remembers what the audit last held is damaged")
        if not hmac.compare_digest(record.mac, self._mac(Link(record.number, record.hash))):
            return Seen(None, "the file that remembers what the audit last held is not this database's")
        return Seen(Link(record.number, record.hash))

    def is_writable(self) -> bool:
        """Tell whether something can be remembered there; where it can't, the log is told once."""
        try:
            with self._alone():
                return True
        except OSError as exc:
            self._tell(exc.strerror or type(exc).__name__)
            return False

    def keep(self, newest: Link, *, replacing: Link | None) -> None:
        """Remember an entry that is durable. A folder that can't be written is told once, in the log.

        It never moves backwards, in whichever order several processes come here.

        Args:
            newest: the entry.
            replacing: what was remembered when it was written, and is out of date even if it is further on: the
                audit says so by then.
        """
        try:
            with self._alone():
                present = self.read().link
                if present is None or present == replacing or present.number < newest.number:
                    self._write(newest)
        except OSError as exc:
            self._tell(exc.strerror or type(exc).__name__)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self._folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._give(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, newest: Link) -> None:
        draft = self._folder / f".{FILE_NAME}.{secrets.token_hex(8)}"
        record = _Record(number=newest.number, hash=newest.hash, mac=self._mac(newest))
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                self._give(file.fileno())
                file.write(msgspec.json.encode(record))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._folder / FILE_NAME)
        finally:
            draft.unlink(missing_ok=True)

    def _give(self, descriptor: int) -> None:
        # A command run by root must leave a file that the site's own user can read and replace.
        if os.geteuid() == 0:
            folder = self._folder.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)

    def _mac(self, link: Link) -> str:
        return hmac.new(self._key, f"{link.number} {link.hash}".encode(), hashlib.sha256).hexdigest()

    def _tell(self, reason: str) -> None:
        if str(self._folder) not in _TOLD:
            _TOLD.add(str(self._folder))
            logger.error(
                "the newest entry of the audit can't be remembered in %s (%s): nobody sees a database put back"
                " to an older copy then; let this user write there",
                self._folder,
                reason,
            )
