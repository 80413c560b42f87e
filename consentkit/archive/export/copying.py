"""One export: rows into a format, each page in the audit before it is written, and the copy in the register.

Owns the audit entries of an export and what the register says of a copy. Where the bytes go is the caller's
choice, which rows they are the search's.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from consentkit import audit
from consentkit.archive.export.formats import FORMATS
from consentkit.archive.exposure import page_detail
from consentkit.archive.search import pages
from consentkit.archive.store.interface import Filters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consentkit.archive.search import Found
    from consentkit.audit import Actor, Look
    from consentkit.control import Control


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be copied, and on what terms.

    Attributes:
        format: one of `FORMATS`.
        filters: as they were asked for, by name.
        output: the file's name; ``-`` for a stream whose end we don't see.
        recipient: for whom; empty = for the one who exports.
        destroy_by: when the copy must be destroyed; None = when the first of its rows would be.
    """

    format: str
    filters: Mapping[str, object]
    output: str
    recipient: str = ""
    destroy_by: date | None = None


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """One copy, as the register has it; who made it and why stands in the same entry.

    Attributes:
        number: the audit entry's; later entries and the destruction of the copy name it.
        export: number of the entry that began the export.
        rows, bytes: how much was written.
        sha256: of all that was written, in hexadecimal.
        format, output, recipient: as ordered.
        destroy_by: ISO date; empty for a copy without rows on which no date was set.
        is_whole: the export came to its end.
    """

    number: int
    export: int
    rows: int
    bytes: int
    sha256: str
    format: str
    output: str
    recipient: str
    destroy_by: str
    is_whole: bool


class Export:
    """One run of an export, which begins with its entry in the audit.

    Args:
        control: holds the audit.
        actor: who exports.
        look: why.
        order: what, and on what terms.
        retention_days: how long a row may be kept.

    Raises:
        StorageError: the audit can't be written; then nothing may be exported.
    """

    def __init__(self, control: Control, actor: Actor, look: Look, order: Order, *, retention_days: int) -> None:
        self._record = functools.partial(audit.record, control, actor, look=look)
        self._order = order
        self._retention = timedelta(days=retention_days)
        self._rows = 0
        self._bytes = 0
        self._digest = hashlib.sha256()
        self._oldest = ""
        kind = "stream" if order.output == "-" else "file"
        terms = {"format": order.format, "filters": order.filters, "output": kind}
        self._number = self._record("log.export", detail=terms).number

    @property
    def number(self) -> int:
        """Number of the entry that began the export."""
        return self._number

    def write(self, rows: Iterator[Found], output: Callable[[bytes], object]) -> Iterator[int]:
        """Write all rows, a page at a time, and yield the number of rows of each page when it is written.

        Args:
            rows: newest first.
            output: takes all bytes that it is given.

        Raises:
            StorageError: a page can't be put into the audit; it is not written.
            OSError: as `output`.
        """
        form = FORMATS[self._order.format]
        self._put(form.header, output)
        for page in pages(rows):
            ends = {"first": page[0][1].request_id, "last": page[-1][1].request_id}
            which = {"export": self._number, **ends, **page_detail(Filters(), page)}
            self._record("log.export.page", detail=which, rows=len(page))
            self._rows += len(page)
            self._oldest = page[-1][1].time
            self._put(b"".join(form.line(found) for _, found in page), output)
            yield len(page)

    def _put(self, data: bytes, output: Callable[[bytes], object]) -> None:
        # Counted first: of what breaks off in between, the register says rather too much than too little.
        self._bytes += len(data)
        self._digest.update(data)
        output(data)

    def register(self, *, is_whole: bool = True) -> Copy:
        """Enter the copy into the register, which is the audit's entries ``copy.made``.

        Args:
            is_whole: the export came to its end.

        Raises:
            StorageError: the entry can't be made; the copy must not stay.
        """
        copy = Copy(
            number=0,
            export=self._number,
            rows=self._rows,
            bytes=self._bytes,
            sha256=self._digest.hexdigest(),
            format=self._order.format,
            output=self._order.output,
            recipient=self._order.recipient,
            destroy_by=self._destroy_by(),
            is_whole=is_whole,
        )
        detail = {name: value for name, value in msgspec.structs.asdict(copy).items() if name != "number"}
        entry = self._record("copy.made", detail=detail, rows=self._rows)
        return msgspec.structs.replace(copy, number=entry.number)

    def _destroy_by(self) -> str:
        if self._order.destroy_by is not None:
            return self._order.destroy_by.isoformat()
        if not self._oldest:
            return ""
        return (datetime.fromisoformat(self._oldest) + self._retention).date().isoformat()
