"""What a page of the admin area answers, and what is written down before it leaves.

Owns the shapes. A handler sends nothing by itself: it returns an answer with its entry, and the application
makes the entry durable and then sends; if it can't, nothing is shown.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import msgspec

from consentkit.audit import Look


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit will say of an answer.

    Attributes:
        action: as in ``log.search``; the words of the command line where it does the same.
        detail: what exactly, as in the filters of a search; no row's content.
        rows: how many rows of personal data are about to be shown.
        look: why, where personal data is shown.
    """

    action: str
    detail: Mapping[str, object] = {}
    rows: int = 0
    look: Look | None = None


class Written(msgspec.Struct, frozen=True):
    """Say that what was done has made its own entry already, as an export or an erasure does.

    Attributes:
        number: of that entry.
    """

    number: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page.

    Attributes:
        template: under ``consentkit/admin/``, as ``overview.html``.
        view: what it is given, beside the frame.
        entry: what is written down first.
        status: HTTP status.
    """

    template: str
    view: msgspec.Struct
    entry: Entry | Written
    status: int = 200


class SeeOther(msgspec.Struct, frozen=True, kw_only=True):
    """Go on to another page, by 303.

    Attributes:
        path: under the admin area, as ``/people/7``, with its query.
        entry: what is written down first.
        notice: a word that the next page says once, of those in `navigation.NOTICES`; empty = none.
    """

    path: str
    entry: Entry | Written
    notice: str = ""


class Stream(Protocol):
    """Content that is made while it is sent, so that nobody holds all of it."""

    @property
    def size_bytes(self) -> int:
        """How long it is."""

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield it, in a thread; what raises breaks the download off, so that it is not taken for whole."""

    def sent(self) -> None:
        """Hear that all of it was sent; it may yet not have arrived."""


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """A file to keep.

    Attributes:
        file_name: ASCII letters, digits, ``.``, ``-`` and ``_``.
        content_type: value of the Content-Type field.
        content: bytes, what is made while it is sent, or a finished file to be sent and then removed.
        entry: what is written down first.
    """

    file_name: str
    content_type: str
    content: bytes | Path | Stream
    entry: Entry | Written


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """JSON for the page's own script, or for who asks for it.

    Attributes:
        value: encoded by msgspec.
        entry: what is written down first.
    """

    value: object
    entry: Entry | Written


Answer: TypeAlias = Page | SeeOther | Download | Data

# What is not there and what one may not see are told alike by those who may not know.
NOT_FOUND: Final = 404


class Refused(Exception):
    """End a request with an error page; raised by handlers.

    Attributes:
        status: HTTP status: 400 for what can't be read, 404, 409 where it no longer fits.
        message: what is wrong and the way out, in the reader's language.
        field: the form's field that is at fault; empty = none.
    """

    def __init__(self, status: int, message: str, *, field: str = "") -> None:
        self.status = status
        self.message = message
        self.field = field
        super().__init__(f"refused with {status}")
