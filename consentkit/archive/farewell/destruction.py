"""The destruction of all that is kept, but for what is held: forward only, told by one signed certificate.

Owns the order. Each period goes by its own five steps and has its own certificate in the audit; then the spool,
the exports that wait, and the keys of both; then, where nothing is held, the root key, by which every other key is
wrapped, and the files. An open incident is a hold: its rows, its key and the control database that tells of it
stay.

A crash on the way is finished by running it again: what is done already is passed over.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from consentkit import audit, signing
from consentkit.archive import destruction
from consentkit.archive.destruction import iso_second
from consentkit.archive.export.pending import PendingExports
from consentkit.archive.farewell.stripping import strip_control
from consentkit.archive.period import Catalogue, Period
from consentkit.archive.periodlock import READER_SECONDS
from consentkit.archive.schedule import Going, due_us
from consentkit.archive.sealing import seal
from consentkit.audit import Actor
from consentkit.control import incident
from consentkit.signing import PublicKey, Signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consentkit.archive.holdings import Holdings
    from consentkit.audit import AuditEntry

BEGUN: Final = "service.destroying"
DONE: Final = "service.destroyed"

# Stands in the certificate of each period as the reason why it goes before its day.
ENDED: Final = "the service has ended, and all was handed over"

# What lies in the data directory, by our hand; anything else there is not ours to remove.
_FOLDERS: Final = ("requests", "spool", "status", "incidents", "published", "showings", "owed", "exports")
_FILES: Final = ("control.db*", "*.lock", "*.sealed", "inventory.json", "has-staff")


class HandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """The archive that was read back before anything was destroyed.

    Attributes:
        sha256, bytes: of the file.
        requests, choices: rows of the request log, and visitors' decisions, in it.
        copy: its number in the register of copies.
    """

    sha256: str
    bytes: int
    requests: int
    choices: int
    copy: int


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """On what terms everything is destroyed.

    Attributes:
        operator: whose data it is.
        retention_days: in force.
        actor, reason: by whom, and why.
        handed_over: the archive.
    """

    operator: str
    retention_days: int
    actor: Actor
    reason: str
    handed_over: HandedOver


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """One period that was destroyed.

    Attributes:
        period: name.
        rows, file_hash: what the seal found.
        entry: number of its own certificate in the audit.
    """

    period: str
    rows: int | None
    file_hash: str
    entry: int


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What was destroyed at the end of a service.

    Attributes:
        format: ``consentkit-destruction-1``.
        operator: whose data it was.
        time: ISO 8601 in UTC.
        actor, reason: by whom, and why.
        handed_over: the archive.
        periods: those that went now.
        held: numbers of the incidents that stay, with the control database.
        chain_number, chain_hash: the audit's entry with which it began; the archive's copy of the audit leads
            up to it.
    """

    format: str = "consentkit-destruction-1"
    operator: str
    time: str
    actor: str
    reason: str
    handed_over: HandedOver
    periods: tuple[Gone, ...]
    held: tuple[int, ...]
    chain_number: int
    chain_hash: str


class SignedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that proves itself: signed by a key that is destroyed with the rest.

    Attributes:
        certificate: the exact text that was signed.
        signature: over its UTF-8 bytes.
        key: the public half.
    """

    certificate: str
    signature: Signature
    key: PublicKey


def begun(holdings: Holdings) -> HandedOver | None:
    """Return the archive of a destruction that was begun and not finished; None where there is none."""
    with holdings.control.transaction() as connection:
        entry = next(audit.newest_first(connection, BEGUN), None)
        ended = next(audit.newest_first(connection, DONE), None)
    if entry is None or (ended is not None and ended.number > entry.number):
        return None
    return msgspec.json.decode(entry.detail, type=HandedOver)


def announce(holdings: Holdings, ending: Ending) -> None:
    """Write down that all goes now, before anything does.

    Raises:
        StorageError: the audit can't be written; then nothing may be destroyed.
    """
    look = audit.Look("operation", "", ending.reason)
    detail = msgspec.structs.asdict(ending.handed_over)
    audit.record(holdings.control, ending.actor, BEGUN, look=look, detail=detail)


def destroy_everything(
    holdings: Holdings,
    ending: Ending,
    *,
    keep: Callable[[SignedCertificate], None],
    each: Callable[[str], None] = lambda _: None,
) -> Certificate:
    """Destroy everything but what is held.

    Args:
        holdings: the store; nobody else works on it.
        ending: on what terms.
        keep: takes the certificate before the last key goes; returns when it is durable.
        each: called before each step with what goes.

    Raises:
        StorageError: a step failed; running it again goes on from there.
    """
    for period in _live(holdings):
        each(period.name)
        _destroy_period(holdings, ending, period)
    each("the spool")
    _remove_spool(holdings)
    PendingExports(holdings.directory, holdings.keyring).clear()
    held = _held(holdings)
    if held:
        each("the visitors' choices")
        holdings = strip_control(holdings)
    certificate = _certificate(holdings, ending, held)
    keep(_signed(holdings, ending, certificate))
    if not held:
        each("the keys")
        holdings.control.drop()
        holdings.keyring.destroy_root()
        remove_remains(holdings.directory, holdings.keyring.folder)
    return certificate


def _signed(holdings: Holdings, ending: Ending, certificate: Certificate) -> SignedCertificate:
    text = msgspec.json.format(msgspec.json.encode(certificate), indent=2)
    signature = signing.sign(holdings.control, holdings.keyring, text)
    with holdings.control.transaction() as connection:
        key = next(key for key in signing.public_keys(connection) if key.key_id == signature.key_id)
        audit.append(connection, ending.actor, DONE, detail=msgspec.to_builtins(certificate))
    return SignedCertificate(certificate=text.decode(), signature=signature, key=key)


def _live(holdings: Holdings) -> list[Period]:
    return [one for one in reversed(Catalogue(holdings.control, "day").known) if one.state != "destroyed"]


def _destroy_period(holdings: Holdings, ending: Ending, period: Period) -> None:
    order = destruction.Order(
        actor=ending.actor,
        retention_days=ending.retention_days,
        confirmed_by=ending.actor.name,
        wait_seconds=READER_SECONDS,
    )
    destruction.finish_rewrite(holdings, period, ending.actor, wait_seconds=READER_SECONDS)
    if period.state == "open":
        seal(holdings, period, ending.actor)
        period = next(one for one in _live(holdings) if one.name == period.name)
    due = due_us(period, ending.retention_days)
    going = Going(period=period, due_us=due, early=ENDED, is_begun=period.state == "destroying")
    for _ in destruction.destroy(holdings, going, order):
        pass


def _remove_spool(holdings: Holdings) -> None:
    for name in holdings.keyring.names("worker"):
        holdings.keyring.destroy(name)
    shutil.rmtree(holdings.directory / "spool", ignore_errors=True)


def _held(holdings: Holdings) -> tuple[int, ...]:
    with holdings.control.transaction() as connection:
        rows = connection.execute(select(incident.c.number).where(incident.c.state == "open"))
        return tuple(sorted(row.number for row in rows))


def _certificate(holdings: Holdings, ending: Ending, held: tuple[int, ...]) -> Certificate:
    with holdings.control.transaction() as connection:
        begin = next(audit.newest_first(connection, BEGUN))
        certificates = audit.newest_first(connection, "period.destroyed")
        gone = [_gone(entry) for entry in certificates if entry.number > begin.number]
    return Certificate(
        operator=ending.operator,
        time=iso_second(time.time_ns() // 1000),
        actor=ending.actor.name,
        reason=ending.reason,
        handed_over=ending.handed_over,
        periods=tuple(reversed(gone)),
        held=held,
        chain_number=begin.number,
        chain_hash=begin.hash,
    )


def _gone(entry: AuditEntry) -> Gone:
    detail = msgspec.json.decode(entry.detail, type=_Detail)
    return Gone(period=detail.period, rows=detail.rows, file_hash=detail.file_hash, entry=entry.number)


class _Detail(msgspec.Struct, frozen=True):
    period: str
    rows: int | None = None
    file_hash: str = ""


def remove_remains(directory: Path, keys: Path) -> None:
    """Remove what lies there of ours when no key opens it any more."""
    for name in _FOLDERS:
        shutil.rmtree(directory / name, ignore_errors=True)
    for pattern in _FILES:
        for path in directory.glob(pattern):
            path.unlink(missing_ok=True)
    for path in sorted(keys.rglob("*.key")):
        path.unlink(missing_ok=True)
    (keys / "secret").unlink(missing_ok=True)
    (keys / "chain.head").unlink(missing_ok=True)
