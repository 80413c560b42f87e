"""Cutting the addresses of a sealed period down to networks, by writing it anew under a new key.

Owns the rewrite and its switch. VACUUM or an update in place would leave the full addresses readable in
every backup; here the generation before is destroyed as a period is.

The new generation is a draft until one transaction of the catalogue makes it the present one; a draft that a
crash left behind is thrown away. The table of what was applied goes along, so that exactly-once holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import sqlcipher3.dbapi2 as sqlcipher

from consentkit import audit
from consentkit.archive.destruction import finish_rewrite, remove_files
from consentkit.archive.period import Catalogue, change
from consentkit.archive.periodlock import PeriodLock, custody
from consentkit.archive.schedule import DAY_US
from consentkit.archive.sealing import Contents, close_for_good, file_hash
from consentkit.archive.store.digest import digest_key, restate
from consentkit.archive.store.tables import SCHEMA, pack_address, unpack_address
from consentkit.control import open_sqlcipher
from consentkit.errors import ConsentKitError, StorageError
from consentkit.requestlog.truncate import truncate_address

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period
    from consentkit.audit import Actor

_COPIED: Final = ("agent", "resource", "referrer", "segment", "batch", "gap", "misdated")

# The place was found by the full address; of a network's several places the first stands for all.
_REWRITE: Final = """
CREATE TEMP TABLE cut AS SELECT id, truncated(address) AS address, truncated(peer) AS peer, source, country,
  city FROM old.client;
INSERT OR IGNORE INTO client (address, peer, source, country, city)
  SELECT address, peer, source, country, city FROM cut ORDER BY id;
CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);
INSERT INTO moved SELECT cut.id, client.id FROM cut JOIN client USING (address, peer, source);
INSERT INTO request (id, batch, sequence, client, agent, resource, referrer, status, outcome, bytes_sent,
  duration_us) SELECT r.id, batch, sequence, moved.new, agent, resource, referrer, status, outcome, bytes_sent,
  duration_us FROM old.request r JOIN moved ON moved.old = r.client ORDER BY r.id;
"""


def is_due(period: Period, truncate_after_days: int, now_us: int) -> bool:
    """Tell whether a sealed period's addresses are to be cut by now."""
    return (
        period.state == "sealed"
        and not period.is_truncated
        and period.since_us + truncate_after_days * DAY_US <= now_us
    )


def truncate_due(
    holdings: Holdings, truncate_after_days: int | None, actor: Actor, now_us: int, *, wait_seconds: float
) -> None:
    """Cut the addresses of every period that is due for it, and destroy what earlier rewrites left.

    Args:
        holdings: the store.
        truncate_after_days: the setting; None and 0 = no period is due (0: they are cut in the worker).
        actor: who does it.
        now_us: the clock.
        wait_seconds: how long others may take to leave a period.

    Raises:
        PeriodBusy: somebody did not; all others are done, and this one at the next call.
        KeyUnavailable, StorageError: a period can't be read or written; likewise.
    """
    faults: list[ConsentKitError] = []
    with custody(holdings.directory, wait_seconds=wait_seconds):
        for period in Catalogue(holdings.control, "day").known:
            present = period
            try:
                if truncate_after_days and is_due(period, truncate_after_days, now_us):
                    present = truncate(holdings, period, actor, wait_seconds=wait_seconds) or period
                finish_rewrite(holdings, present, actor, wait_seconds=wait_seconds)
            except ConsentKitError as exc:
                faults.append(exc)  # it keeps no other period from being done
    if faults:
        raise faults[0]


def truncate(holdings: Holdings, period: Period, actor: Actor, *, wait_seconds: float) -> Period | None:
    """Write a sealed period anew with cut addresses, and make that the present generation.

    Returns:
        The present generation; None where a late record came meanwhile: it is done after the next seal.

    Raises:
        PeriodBusy, KeyUnavailable, StorageError: the period stays as it was.
    """
    if period.old_generation is not None:
        finish_rewrite(holdings, period, actor, wait_seconds=wait_seconds)
    fresh = msgspec.structs.replace(period, generation=period.generation + 1)
    _discard(holdings, fresh)
    with PeriodLock(holdings.file(period), exclusive=False, wait_seconds=wait_seconds):
        if file_hash(holdings.file(period)) != period.file_hash:
            raise StorageError(period.file_name, "is not the file that was sealed; it is left as it is")
        contents = _write(holdings, period, fresh)
        with holdings.control.transaction() as connection:
            values = {**contents.columns, "generation": fresh.generation, "is_truncated": 1}
            if not change(connection, period, ("sealed",), **values, old_generation=period.generation):
                return None
            audit.append(
                connection,
                actor,
                "period.truncated",
                detail={
                    "period": period.name,
                    "generation": fresh.generation,
                    "replaces_file_hash": period.file_hash,
                    **msgspec.structs.asdict(contents),
                },
            )
    return msgspec.structs.replace(fresh, old_generation=period.generation)


def _discard(holdings: Holdings, draft: Period) -> None:
    """Throw away what an earlier attempt left, key first."""
    holdings.keyring.destroy(draft.key_name)
    remove_files(holdings.file(draft))


def _write(holdings: Holdings, period: Period, fresh: Period) -> Contents:
    old_file, file = holdings.file(period), holdings.file(fresh)
    old_key, key = holdings.keyring.load(period.key_name), holdings.keyring.make(fresh.key_name)
    try:
        connection = open_sqlcipher(file, key)
        try:
            _rewrite(connection, key, old_file, old_key)
        finally:
            connection.close()
    except sqlcipher.Error as exc:
        raise StorageError(period.file_name, f"can't be written anew ({exc})") from exc
    return close_for_good(file, key, fresh)


def _rewrite(connection: sqlcipher.Connection, key: bytes, old_file: Path, old_key: bytes) -> None:
    connection.create_function("truncated", 1, _truncated, deterministic=True)
    connection.execute("ATTACH DATABASE ? AS old KEY ?", (str(old_file), f"x'{old_key.hex()}'"))
    copies = "".join(f"INSERT INTO {table} SELECT * FROM old.{table};" for table in _COPIED)  # noqa: S608 - our names
    connection.executescript(f"BEGIN; {SCHEMA} {copies} {_REWRITE}")
    restate(connection, digest_key(key))
    connection.execute("COMMIT")
    rows, old_rows = (
        connection.execute(f"SELECT count(*) FROM {schema}.request").fetchone()[0]  # noqa: S608 - our names
        for schema in ("main", "old")
    )
    connection.execute("DETACH DATABASE old")
    if rows != old_rows:
        raise sqlcipher.IntegrityError(f"{rows} of {old_rows} rows were written")


def _truncated(packed: bytes) -> bytes:
    return pack_address(truncate_address(unpack_address(packed)))
