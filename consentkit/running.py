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
from consentkit.consent.registry import Registry, renewals
from consentkit.crypto import Keyring
from consentkit.errors import StorageError
from consentkit.requestlog.spool import Spool
from consentkit.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consentkit.archive.child import IngestKeeper
    from consentkit.consent.decision import Decision
    from consentkit.consent.inventory import Met
    from consentkit.consent.seen import Seen
    from consentkit.control import Control
    from consentkit.settings import Settings
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
        status: Callable[[], WorkerStatus],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._secrets = secrets
        self._seen = seen
        self._met = met
        self._look = status
        self.spool: Spool | None = None
        self.keys: FollowingKeys | None = None
        self._keyring: Keyring | None = None
        self._control: Control | None = None
        self._keeper: IngestKeeper | None = None
        self._watch: Watch | None = None
        self._inventory: InventoryWriter | None = None

    def open(self) -> None:
        """Open everything, and start the ingester.

        Raises:
            KeyUnavailable: the keys do not open.
            StorageError: the data directory can't be made, or was never written and can't be.
        """
        storage, log = self._settings.storage, self._settings.requestlog
        keyring = self._keyring = Keyring.open(storage.keys, self._secrets)
        if keyring.secret_is_own:
            logger.warning("no CONSENTKIT_SECRET is set: one was made in %s, for development", storage.keys)
        if keyring.rotation_is_unfinished:
            logger.warning("a rotation of the keys is not finished: run `consentkit keys rotate` once more")
        state = self._open_policy(keyring)
        spool = self.spool = Spool(storage.directory, keyring, max_bytes=log.spool_max_mb * _BYTES_A_MEGABYTE)
        self._watch = Watch(storage.directory, spool.worker, self._status)
        self._inventory = InventoryWriter(storage.directory, self._met)
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
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        self._control = None
        self._keyring = None

    def record(self, decision: Decision) -> Decision:
        """Make a decision durable, and return it with its number.

        Raises:
            StorageError: it can't be.
        """
        from consentkit.consent.ledger import record_decision  # noqa: PLC0415 - brings SQLAlchemy along

        return record_decision(self._open_control(), decision)

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

        state = register_policy(self._open_control(), canonical, renewals)
        write_copy(directory, key, state)
        return state

    def _open_control(self) -> Control:
        if self._control is None:
            from consentkit.control import Control  # noqa: PLC0415 - brings SQLAlchemy along

            if self._keyring is None:
                raise StorageError(str(self._settings.storage.directory), "consentkit has not started")
            self._control = Control(self._settings.storage.directory, self._keyring)
        return self._control

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

    def _status(self) -> WorkerStatus:
        spool = self.spool
        return msgspec.structs.replace(
            self._look(),
            lost=spool.lost if spool is not None else 0,
            sampled=spool.sampled if spool is not None else 0,
        )


def _why_unwritable(directory: Path) -> str:
    """Return why the data directory can't be made or written; empty if it can."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        return exc.strerror or type(exc).__name__
    return "" if os.access(directory, os.W_OK | os.X_OK) else "it is not writable for this user"
