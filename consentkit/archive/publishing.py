"""Publishing: what outsiders may see of custody, written into files that every worker reads.

Owns what is published, when, and by which words of the database. The shapes and the reading are `published`'s.

No number of an entry is published, nor how many rows a period had: they would tell how often staff look, how
many visitors decide, and how many come. The heads are written at most once an hour, so that the moment of a
look is not to be read off them either; what the log notes of traffic changes them as well.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit import audit, signing
from consentkit.archive.period import Catalogue
from consentkit.archive.published import (
    DELETIONS,
    FOLDER,
    HEADS,
    KEYS,
    MAX_LISTED,
    Deletions,
    Destroyed,
    read_deletions,
)
from consentkit.archive.schedule import due_us
from consentkit.control import audit as audit_table
from consentkit.control import decision as decision_table
from consentkit.crypto.files import make_folder, replace
from consentkit.signing import PublicKey, Signature

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Connection

    from consentkit.archive.holdings import Holdings
    from consentkit.archive.period import Period

HEADS_EVERY: Final = timedelta(hours=1)

_CERTIFICATE: Final = "period.destroyed"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


class Heads(msgspec.Struct, frozen=True, kw_only=True, tag_field="format", tag="consentkit-heads/1"):
    """The ends of the two chains. They hold no number: how many entries there are is nobody's business outside.

    Each hash stands for all that came before it. That of the audit so stands for every digest of the request
    log, every seal and every certificate, since they are entries of it.

    Attributes:
        time: when these were the ends; UTC, to the second.
        audit: the newest entry's hash; zeros where there is none.
        decisions: the newest decision's, likewise.
    """

    time: datetime
    audit: str
    decisions: str


class SignedHeads(msgspec.Struct, frozen=True, kw_only=True):
    """Heads that prove where they come from.

    Attributes:
        heads: the exact text that was signed, JSON of `Heads`.
        signature: over its UTF-8 bytes.
        key: the public half, which ``keys.json`` has too.
    """

    heads: str
    signature: Signature
    key: PublicKey


class Publisher:
    """Write what is published, each file only when it changes; nothing but this writes there.

    Args:
        operator: who runs the site, for the keys' file.
        retention_days: in force.
    """

    def __init__(self, operator: str, retention_days: int) -> None:
        self._operator = operator
        self._retention_days = retention_days
        self._certificates: dict[str, str] | None = None

    def publish(self, holdings: Holdings, now_us: int) -> None:
        """Bring the files up to date.

        Args:
            holdings: the store.
            now_us: the clock, microseconds since 1970 UTC.

        Raises:
            StorageError: the control database refuses.
            KeyUnavailable: the signing key is missing or damaged.
            OSError: a file can't be written.
        """
        folder = holdings.directory / FOLDER
        make_folder(folder)
        self._publish_deletions(holdings, folder, now_us)
        heads = self._signed_heads(holdings, folder, now_us)
        self._publish_keys(holdings, folder)  # a new one stands there before anything that it has signed
        if heads is not None:
            _write(folder / HEADS, heads)

    def _publish_deletions(self, holdings: Holdings, folder: Path, now_us: int) -> None:
        periods = Catalogue(holdings.control, "day").known
        path = folder / DELETIONS
        if self._certificates is None:  # what the audit has let go of since stands there still
            before = read_deletions(path) or Deletions()
            self._certificates = {one.period: one.certificate for one in before.destroyed}
        gone = sorted(
            (one for one in periods if one.state == "destroyed"), key=lambda one: one.since_us, reverse=True
        )
        listed = gone[:MAX_LISTED]
        self._look_up(holdings, {one.name for one in listed} - self._certificates.keys())
        deletions = Deletions(
            destroyed=tuple(_destroyed(one, self._certificates.get(one.name, "")) for one in listed),
            unlisted=len(gone) - len(listed),
            next_due=self._next_due(periods, now_us),
        )
        _write(path, msgspec.json.encode(deletions))

    def _look_up(self, holdings: Holdings, names: set[str]) -> None:
        """Find the certificates of periods in the audit; those it has none of any more are not asked for again."""
        if not names or self._certificates is None:
            return
        wanted = set(names)
        with holdings.control.transaction() as connection:
            for entry in audit.newest_first(connection, _CERTIFICATE):
                name = msgspec.json.decode(entry.detail, type=_Name).period
                if name in wanted:
                    wanted.remove(name)
                    self._certificates[name] = entry.hash
                    if not wanted:
                        return
        self._certificates.update(dict.fromkeys(wanted, ""))

    def _next_due(self, periods: Iterable[Period], now_us: int) -> datetime | None:
        """Return when the next period goes; what would go early waits for its own confirmation."""
        live = [due_us(one, self._retention_days, now_us) for one in periods if _is_kept(one)]
        return _second(min(live)) if live else None

    def _signed_heads(self, holdings: Holdings, folder: Path, now_us: int) -> bytes | None:
        """Return the file of heads; None where it is not time for another, or nothing changed."""
        now, before = _second(now_us), _read_heads(folder / HEADS)
        # A clock that was set back must not silence it.
        if before is not None and timedelta(0) <= now - before.time < HEADS_EVERY:
            return None
        with holdings.control.transaction() as connection:
            heads = _heads(connection, now)
        if before is not None and (before.audit, before.decisions) == (heads.audit, heads.decisions):
            return None
        text = msgspec.json.encode(heads)
        signature = signing.sign(holdings.control, holdings.keyring, text)
        with holdings.control.transaction() as connection:
            key = next(key for key in signing.public_keys(connection) if key.key_id == signature.key_id)
        # A line by itself, so that what is fetched again and again can be added to one file.
        signed = SignedHeads(heads=text.decode(), signature=signature, key=key)
        return msgspec.json.encode(signed) + b"\n"

    def _publish_keys(self, holdings: Holdings, folder: Path) -> None:
        with holdings.control.transaction() as connection:
            keys = signing.key_set(connection, holdings.keyring, self._operator)
        _write(folder / KEYS, msgspec.json.encode(keys))


class _Name(msgspec.Struct, frozen=True):
    period: str


def _is_kept(period: Period) -> bool:
    return period.state != "destroyed" and not period.early


def _destroyed(period: Period, certificate: str) -> Destroyed:
    return Destroyed(
        period=period.name,
        at=_second(period.destroyed_us or 0),
        early=bool(period.early),
        certificate=certificate,
    )


def _heads(connection: Connection, now: datetime) -> Heads:
    found = []
    for table in (audit_table, decision_table):
        newest = select(table.c.hash).order_by(table.c.number.desc()).limit(1)
        found.append(str(connection.execute(newest).scalar() or audit.CHAIN_START))
    return Heads(time=now, audit=found[0], decisions=found[1])


def _read_heads(path: Path) -> Heads | None:
    """Return the heads published last; None where there are none, or the file is damaged: it is written anew."""
    try:
        signed = msgspec.json.decode(path.read_bytes(), type=SignedHeads)
        return msgspec.json.decode(signed.heads, type=Heads)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _write(path: Path, content: bytes) -> None:
    """Write a file if it says something else, so that it is found whole at every moment."""
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        pass  # the first
    replace(path, content)


def _second(time_us: int) -> datetime:
    """Return an instant to the second; the last day that has a name for what lies past it."""
    try:
        return _EPOCH + timedelta(seconds=time_us // 1_000_000)
    except OverflowError:
        return _LATEST
