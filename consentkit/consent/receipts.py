"""Making a receipt from the ledger: which decisions stand in it, and what they name.

Owns the reading. The format and its check are `receipt`'s. Loaded when a receipt is asked for, since it
brings the database with it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from consentkit.consent.decision import Decision
from consentkit.consent.receipt import (
    MAX_RECEIPT_BYTES,
    Record,
    SignedStatement,
    Site,
    write_receipt,
)
from consentkit.consent.statement import SECONDS_A_MINUTE, minute_text, statement_of
from consentkit.control import decision as decisions
from consentkit.control import policy as policy_table
from consentkit.control import shown_text
from consentkit.signing import Signature, Signer, key_set

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Table

    from consentkit.control import Control
    from consentkit.crypto.signatures import KeySet

# Newest first; a person decides a few times a year.
MAX_DECISIONS: Final = 200


def make_receipt(control: Control, consent_id: str, *, operator: str, host: str = "") -> bytes | None:
    """Return the receipt of everything that is kept under a consent id; None where there is nothing.

    Args:
        control: the control database.
        consent_id: the visitor's; not empty.
        operator: in the settings' words.
        host: that the request named, already checked for its form; empty = there is none.

    Raises:
        KeyUnavailable: the signing key is missing.
        StorageError: the control database refuses.
    """
    with control.transaction() as connection:
        found, total = _decisions(connection, consent_id)
        if not found:
            return None
        signer = Signer(connection, control.keyring)
        keys = key_set(connection, control.keyring, operator)
        site = Site(installation=keys.installation, operator=operator, host=host)
        while True:
            record = _record(connection, found, total=total, site=site, keys=keys, key_id=signer.key_id)
            file = write_receipt(record, signer.sign)
            if len(file) <= MAX_RECEIPT_BYTES or len(found) == 1:
                return file
            found = found[len(found) // 2 :]


def _decisions(connection: Connection, consent_id: str) -> tuple[list[Decision], int]:
    is_his = decisions.c.consent_id == consent_id
    newest = select(decisions).where(is_his).order_by(decisions.c.number.desc()).limit(MAX_DECISIONS)
    rows = connection.execute(newest).all()
    total = connection.execute(select(func.count()).select_from(decisions).where(is_his)).scalar_one()
    return [Decision(**row._asdict()) for row in reversed(rows)], int(total)


def _record(
    connection: Connection, found: list[Decision], *, total: int, site: Site, keys: KeySet, key_id: str
) -> Record:
    left_out = total - len(found)
    if not left_out and found[0].previous_number:
        left_out = 1  # at least: what came before was let go
    used = {key_id, *(decision.key_id for decision in found)}
    return Record(
        site=site,
        made=minute_text(int(time.time()) // SECONDS_A_MINUTE),
        consent_id=found[0].consent_id,
        left_out=left_out,
        decisions=tuple(_signed(decision, site.installation) for decision in found),
        policies=_snapshots(connection, policy_table, (decision.policy_hash for decision in found)),
        texts=_snapshots(connection, shown_text, (decision.text_hash for decision in found)),
        keys=tuple(key for key in keys.keys if key.key_id in used),
    )


def _signed(decision: Decision, installation: str) -> SignedStatement:
    signature = Signature(key_id=decision.key_id, value=decision.signature)
    return SignedStatement(statement=statement_of(decision, installation), signature=signature)


def _snapshots(connection: Connection, table: Table, hashes: Iterable[str]) -> dict[str, object]:
    wanted = select(table.c.hash, table.c.snapshot).where(table.c.hash.in_(set(hashes))).order_by(table.c.hash)
    return {row.hash: msgspec.json.decode(bytes(row.snapshot)) for row in connection.execute(wanted)}
