"""Anchors: the end of the chain, written down where whoever can write the database can't.

Owns their form. A chain that was written anew from an entry on, or cut and continued, contradicts an anchor
of a later entry; comparing is `verification`'s job.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from consentkit.audit.reading import newest_link
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from typing import BinaryIO

    from sqlalchemy import Connection

# What a person keeps: a line a day for a century is 8 MB.
_MAX_BYTES: Final = 16 * 2**20

_HASH: Final = re.compile(r"[0-9a-f]{64}")


class BadAnchor(ConsentKitError):
    """Refuse a line that is no anchor."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(f"line {line} of the anchors {reason}")


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the audit as it was seen.

    Attributes:
        format: ``consentkit-anchor-1``.
        number, hash: the entry's; number 0 = there was none yet.
        time: when it was the newest; ISO 8601, UTC.
        operator: whose audit; empty where the settings don't say.
    """

    format: Literal["consentkit-anchor-1"] = "consentkit-anchor-1"
    number: int
    hash: str
    time: str
    operator: str = ""


def present_anchor(connection: Connection, operator: str) -> Anchor:
    """Return the anchor of the newest entry."""
    newest = newest_link(connection)
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Anchor(number=newest.number, hash=newest.hash, time=time, operator=operator)


def read_anchors(file: BinaryIO) -> list[Anchor]:
    """Return the anchors of a file, one a line, by number; empty lines are passed over.

    Raises:
        BadAnchor: a line is none, or there is none at all.
        OSError: the file can't be read.
    """
    content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise BadAnchor(1, f"begins a file of more than {_MAX_BYTES:,} bytes; give the anchors alone")
    found = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            anchor = msgspec.json.decode(line, type=Anchor)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise BadAnchor(number, "is no anchor: each is as `consentkit log anchor` printed it") from exc
        if anchor.number < 0 or not _HASH.fullmatch(anchor.hash):
            raise BadAnchor(number, "has no hash of 64 hexadecimal digits, or a number below 0")
        found.append(anchor)
    if not found:
        raise BadAnchor(1, "is missing: the file holds none")
    return sorted(found, key=lambda anchor: anchor.number)
