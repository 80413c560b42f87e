"""What is open while consentkit runs: keys, policy, spool, the ingester and the control database.

Owns the order in which they are opened and closed, and what is done about once a second. Where requests go is
the composition root's.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.consent.choicekeys import FollowingKeys
from consentkit.consent.inventory import InventoryWriter
from consentkit.consent.policy import Policy, PolicyState, policy_hash, read_copy, write_copy
from consentkit.consent.recording import Recording
from consentkit.consent.registry import Registry, renewals
from consentkit.consent.showings import ShowingsFile
from consentkit.crypto import Keyring
from consentkit.errors import StorageError
from consentkit.requestlog.spool import Spool
from consentkit.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from consentkit.archive.child import IngestKeeper
    from consentkit.consent.decision import Decision
    from consentkit.consent.inventory import Met
    from consentkit.consent.outcomes import Outcome
    from consentkit.consent.seen import Seen
    from consentkit.consent.showings import Showings
    from consentkit.control import Control
    from consentkit.settings import Settings, Storage
    from consentkit.status import WorkerStatus

logger = logging.getLogger("consentkit")

_BYTES_A_MEGABYTE: Final = 1024 * 1024


class Running:
    """Open and close what a worker needs; all methods block.

    Args:
        settings: in force.
        registry: what is declared.
        secrets: that wrap the root key, newest last.
        seen: what the gate counts.
        met: returns which cookies and hosts it met, by kind and name.
        showings: counts the pages on which visitors are asked.
        status: returns the worker's counters; those of the spool are filled in here.

    Attributes:
        spool: takes records; None while nothing is open.
        keys: read and sign choices; likewise.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        secrets: tuple[str, ...],
        *,
        seen: Seen,
        met: Callable[[], Met],
        showings: Showings,
        status: Callable[[], WorkerStatus],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._secrets = secrets
        self._seen = seen
        self._met = met
        self._showings = showings
        self._look = status
        self.spool: Spool | None = None
        self.keys: FollowingKeys | None = None
        self._keyring: Keyring | None = None
        self._control: Control | None = None
        self._keeper: IngestKeeper | None = None
        self._watch: Watch | None = None
        self._inventory: InventoryWriter | None = None
        self._recording: Recording | None = None
        self._showings_file: ShowingsFile | None = None

    def open(self) -> None:
        """Open everything, and start the ingester.

        Raises:
            KeyUnavailable: the keys do not open.
            StorageError: the data directory can't be made, or was never written and can't be; or what it kept was
                moved to a server that the settings don't name.
        """
        storage, log = self._settings.storage, self._settings.requestlog
        _refuse_moved(storage)
        keyring = self._keyring = Keyring.open(storage.keys, self._secrets)
        if keyring.secret_is_own:
            logger.warning("no CONSENTKIT_SECRET is set: one was made in %s, for development", storage.keys)
        if keyring.rotation_is_unfinished:
            logger.warning("a rotation of the keys is not finished: run `consentkit keys rotate` once more")
        state = self._open_policy(keyring)
        spool = self.spool = Spool(storage.directory, keyring, max_bytes=log.spool_max_mb * _BYTES_A_MEGABYTE)
        self._watch = Watch(storage.directory, spool.worker, self._status)
        self._inventory = InventoryWriter(storage.directory, self._met)
        categories = self._registry.categories
        self._showings_file = ShowingsFile(storage.directory, spool.worker, self._showings, categories)
        self._recording = Recording(storage.directory, keyring, self.open_control)
        from consentkit.archive.child import IngestKeeper, IngestOrder  # noqa: PLC0415 - brings subprocess along

        order = IngestOrder.of(self._settings, self._secrets)
        is_external = log.ingest == "external"
        self._keeper = IngestKeeper(order, each_round=self._tend, is_external=is_external)
        self._keeper.start()
        policy = Policy.of(self._registry, state, self._settings.consent.lifetime_days)
        self.keys = FollowingKeys(keyring, policy)

    def close(self) -> None:
        """Close everything, in reverse; wait until the ingester has applied what is spooled."""
        self.keys = None
        spool, self.spool = self.spool, None
        if spool is not None:
            spool.close()
        inventory, self._inventory = self._inventory, None
        if inventory is not None:
            inventory.close()
        showings_file, self._showings_file = self._showings_file, None
        if showings_file is not None:
            showings_file.close()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        self._recording = None
        control, self._control = self._control, None
        if control is not None:
            control.close()
        self._keyring = None

    def record(
        self,
        decision: Decision,
        counted: Sequence[Outcome] = (),
        shown: bytes = b"",
        *,
        once: str = "",
        may_wait: bool = False,
    ) -> Decision:
        """Make a decision durable, as `Recording.record` does.

        Raises:
            ConsentKitError: it is neither written nor kept for later.
        """
        return self._open_recording().record(decision, counted, shown, once=once, may_wait=may_wait)

    def receipt(self, consent_id: str, host: str) -> bytes | None:
        """Return the receipt of a visitor's own record; None where nothing is kept under his id.

        Raises:
            ConsentKitError: it can't be read or signed.
        """
        operator = self._settings.site.operator
        return self._open_recording().receipt(consent_id, operator=operator, host=host)

    def _open_policy(self, keyring: Keyring) -> PolicyState:
        """Find the policy in force: its sealed copy, else the ledger, where a new one is entered."""
        directory, key = self._settings.storage.directory, keyring.derive("policy/v1")
        canonical = self._registry.policy()
        known = read_copy(directory, key, policy_hash(canonical))
        fault = _why_unwritable(directory)
        if known is not None:
            if fault:
                # It has worked before: the log fails open and consent is enforced from what is known.
                logger.error("%s: the request log is not being kept (%s)", directory, fault)
            return known
        if fault:
            raise StorageError(
                str(directory), f"the data directory can't be used ({fault}); let this user write it"
            )
        from consentkit.consent.ledger import register_policy  # noqa: PLC0415 - brings SQLAlchemy along

        state = register_policy(self.open_control(), canonical, renewals)
        write_copy(directory, key, state)
        return state

    @property
    def keyring(self) -> Keyring | None:
        """The opened keys; None while nothing is open."""
        return self._keyring

    def open_control(self) -> Control:
        """Return the control database, opened when it is first asked for.

        Raises:
            KeyUnavailable: its key does not open.
            StorageError: it can't be opened, or nothing has started.
        """
        if self._control is None:
            from consentkit.control import Control  # noqa: PLC0415 - brings SQLAlchemy along

            if self._keyring is None:
                raise StorageError(str(self._settings.storage.directory), "consentkit has not started")
            storage = self._settings.storage
            self._control = Control(storage.directory, self._keyring, storage.url)
        return self._control

    def _open_recording(self) -> Recording:
        recording = self._recording
        if recording is None:
            raise StorageError(str(self._settings.storage.directory), "consentkit has not started")
        return recording

    def _tend(self) -> None:
        # `close` may take each of them away meanwhile, in another thread.
        if (spool := self.spool) is not None:
            spool.tend()
        if (keys := self.keys) is not None:
            keys.follow()
        if (watch := self._watch) is not None:
            watch.round()
        if (inventory := self._inventory) is not None:
            inventory.round()
        if (showings_file := self._showings_file) is not None:
            showings_file.round()
        if (recording := self._recording) is not None:
            recording.tend()

    def _status(self) -> WorkerStatus:
        spool = self.spool
        return msgspec.structs.replace(
            self._look(),
            lost=spool.lost if spool is not None else 0,
            sampled=spool.sampled if spool is not None else 0,
            unkept_refusals=self._recording.unkept if self._recording is not None else 0,
        )


def _refuse_moved(storage: Storage) -> None:
    # Most workers never open the control database, which would refuse it too.
    if any(storage.directory.glob("moved*")):
        from consentkit.control.moved import refuse_moved, refuse_requests_moved  # noqa: PLC0415 - as above

        if not storage.url:
            refuse_moved(storage.directory)
        if not storage.requests_url:
            refuse_requests_moved(storage.directory)


def _why_unwritable(directory: Path) -> str:
    """Return why the data directory can't be made or written; empty if it can."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        return exc.strerror or type(exc).__name__
    return "" if os.access(directory, os.W_OK | os.X_OK) else "it is not writable for this user"
