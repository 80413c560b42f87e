"""The receipt: a visitor's own record as a file, complete by itself, and its check without any database.

Owns the format. Every member is in the file in a fixed order and form, so that each byte of it matters: what
is signed is the compact JSON of a member as it stands, and the file is that, indented. Which decisions stand in
it is `receipts`' job.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.consent.statement import SECONDS_A_MINUTE, Statement, minute_of, signed_bytes
from consentkit.crypto.signatures import BadSignature, KeySet, PublicKey, Signature, verify
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from collections.abc import Callable

# Two hundred decisions under as many wordings of a large site are a tenth of it.
MAX_RECEIPT_BYTES: Final = 8 << 20

# A clock that was set right meanwhile must not make a good receipt a bad one.
_CLOCKS_APART_US: Final = 86_400 * 1_000_000
_US_A_MINUTE: Final = SECONDS_A_MINUTE * 1_000_000


class BadReceipt(ConsentKitError):
    """Report a receipt that does not hold, and why."""


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a receipt is from.

    Attributes:
        installation: proves it; see `crypto.signatures.installation_id`.
        operator: in the settings' words.
        host: that the request for the receipt named; empty = it was asked for otherwise. Proves nothing.
    """

    installation: str
    operator: str
    host: str


class SignedStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One decision, with the signature that was made when it was written."""

    statement: Statement
    signature: Signature


class Record(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="format",
    tag="consentkit-receipt/1",
):
    """What a receipt says.

    Attributes:
        site: where it is from.
        made: when, to the minute, as ``2026-11-23T13:06Z``.
        consent_id: the visitor's.
        left_out: how many older decisions are not in it: more than fit, or let go since.
        decisions: oldest first.
        policies, texts: what the decisions name, by hash; a hash that is missing here is not kept any more.
        keys: the public keys that signed, for reading alone: whether they are the site's is said by ``keys.json``.
    """

    site: Site
    made: str
    consent_id: str
    left_out: int
    decisions: tuple[SignedStatement, ...]
    policies: dict[str, object]
    texts: dict[str, object]
    keys: tuple[PublicKey, ...]


class Receipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record, and the signature of the site as it handed it out."""

    receipt: Record
    signature: Signature


def write_receipt(record: Record, sign: Callable[[bytes], Signature]) -> bytes:
    """Return the file."""
    return _file(Receipt(receipt=record, signature=sign(_compact(record))))


def read_receipt(file: bytes) -> Receipt:
    """Return what a file says, unchecked but for its form.

    Raises:
        BadReceipt: it is no receipt, or not written as one is.
    """
    if len(file) > MAX_RECEIPT_BYTES:
        raise BadReceipt(f"it has more than {MAX_RECEIPT_BYTES:,} bytes")
    try:
        receipt = msgspec.json.decode(file, type=Receipt)
        is_canonical = _file(receipt) == file
    except (ValueError, RecursionError) as exc:  # msgspec's faults, and that of text that is no UTF-8
        raise BadReceipt("it is no receipt of consentkit, or not a whole one") from exc
    if not is_canonical:
        raise BadReceipt("it is not written as a receipt is: it was changed or formatted anew")
    return receipt


def verify_receipt(file: bytes, trusted: KeySet) -> Receipt:
    """Check a receipt against the keys that a site has published, and return what it says.

    Args:
        file: hostile.
        trusted: the site's key set; an older one knows nothing of newer keys.

    Raises:
        BadReceipt: says what does not hold.
    """
    receipt = read_receipt(file)
    record = receipt.receipt
    if record.site.installation != trusted.installation:
        raise BadReceipt("it is from another site than these keys")
    _check(_compact(record), receipt.signature, record.made, trusted, "the receipt")
    _check_order(record)
    for decision in record.decisions:
        statement, place = decision.statement, f"decision {decision.statement.number}"
        if (statement.consent_id, statement.installation) != (record.consent_id, trusted.installation):
            raise BadReceipt(f"{place} is not one of this visitor on this site")
        _check(signed_bytes(statement), decision.signature, statement.written, trusted, place)
    for name, snapshot in [*record.policies.items(), *record.texts.items()]:
        if snapshot_hash(snapshot) != name:
            raise BadReceipt(f"the policy or text {name[:16]!r} is another one than its hash names")
    return receipt


def snapshot_hash(snapshot: object) -> str:
    """Return the hash of a policy or text as it stands in a receipt: SHA-256 of its compact JSON."""
    return hashlib.sha256(msgspec.json.encode(snapshot)).hexdigest()


def _check(signed: bytes, signature: Signature, minute: str, trusted: KeySet, what: str) -> None:
    try:
        key = verify(signed, signature, trusted.keys)
    except BadSignature as exc:
        raise BadReceipt(f"{what} is not signed by a key of the site: {exc}") from exc
    try:
        time_us = minute_of(minute) * _US_A_MINUTE
    except ValueError as exc:
        raise BadReceipt(f"{what} has no time") from exc
    is_before = time_us < key.since_us - _CLOCKS_APART_US
    if is_before or (key.until_us is not None and time_us > key.until_us + _CLOCKS_APART_US):
        raise BadReceipt(f"{what} is dated outside of the time in which its key signed")


def _check_order(record: Record) -> None:
    before = 0
    for index, each in enumerate(record.decisions):
        statement = each.statement
        is_first_kept = index == 0 and record.left_out > 0
        if statement.number <= before or (statement.previous_number != before and not is_first_kept):
            raise BadReceipt(f"decision {statement.number} does not follow from the one before it")
        before = statement.number


def _file(receipt: Receipt) -> bytes:
    return msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"


def _compact(record: Record) -> bytes:
    return msgspec.json.encode(record)
