"""Which formats an export can have.

Owns their names and the one that is ours; each other format has a module of its own. A format is pure: it
knows one row at a time, and neither files nor the audit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from consentkit.archive.export import combined, ecs, spreadsheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.archive.store import FoundRequest

_encode: Final = msgspec.json.Encoder().encode


class Format(NamedTuple):
    """Say how rows are written.

    Attributes:
        line: one row, as one line with its end.
        header: what stands before the first row; empty for most formats.
    """

    line: Callable[[FoundRequest], bytes]
    header: bytes = b""


def json_line(found: FoundRequest) -> bytes:
    """Return a row under our own names, byte for byte as ``log search --json`` prints it."""
    return _encode(found) + b"\n"


FORMATS: Final = {
    "json": Format(json_line),
    "ecs": Format(ecs.line),
    "combined": Format(combined.line),
    "csv": Format(spreadsheet.line, spreadsheet.HEADER),
}
