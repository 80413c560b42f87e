"""One entry of the audit: who did what and why, and how it is bound to the one before.

Owns the shapes and the hash. Writing and reading entries is left to the modules beside it.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from consentkit.errors import ConsentKitError

Purpose: TypeAlias = Literal["operation", "security", "incident", "fraud", "person", "audit"]

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)

CHAIN_START: Final = "0" * 64


class BrokenChain(ConsentKitError):
    """Report the first entry of a chain that does not follow from the one before.

    Attributes:
        number: the entry's number.
        fault: what is wrong with it, in words that follow on "entry 7".
    """

    def __init__(self, number: int, fault: str = "does not follow from the one before it") -> None:
        self.number = number
        self.fault = fault
        super().__init__(f"entry {number} {fault}")


class Actor(msgspec.Struct, frozen=True):
    """Who acts, and from where.

    Attributes:
        name: the system user, or the administrator's name; ``consentkit`` for what runs by itself.
        origin: ``cli``, ``admin`` or ``system``.
    """

    name: str
    origin: str


SYSTEM: Final = Actor("consentkit", "system")


class Look(msgspec.Struct, frozen=True):
    """Why personal data is looked at.

    Attributes:
        purpose: one of `PURPOSES`.
        case: number of an incident or request; empty where there is none.
        reason: in words.
    """

    purpose: Purpose
    case: str = ""
    reason: str = ""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry, as stored. Times are microseconds since 1970 UTC; `detail` is JSON."""

    number: int
    time_us: int
    actor: str
    origin: str
    action: str
    purpose: str
    case_id: str
    reason: str
    detail: str
    rows: int
    previous_hash: str
    hash: str = ""


class Link(msgspec.Struct, frozen=True):
    """A place in the chain: an entry's number and hash; number 0 = before the first."""

    number: int
    hash: str


BEFORE_FIRST: Final = Link(0, CHAIN_START)


def chain_hash(entry: msgspec.Struct) -> str:
    """Return the SHA-256 of an entry's canonical JSON, its own hash left out."""
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(entry, hash=""), order="sorted")).hexdigest()


def link_fault(entry: AuditEntry, before: Link) -> str:
    """Return what is wrong with an entry as the one after `before`; empty = nothing."""
    if entry.number != before.number + 1:
        return "is missing"  # said of the one that should have come
    if entry.hash != chain_hash(entry):
        return "was changed"
    if entry.previous_hash != before.hash:
        return "does not follow from the one before it"
    return ""
