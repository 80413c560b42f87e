"""Rows as CSV for spreadsheets, in which nothing that a client sent is ever a formula.

Owns the columns, which are our own names, and what a cell may begin with. Where the text matters to the byte,
``json`` is the format to take.

Source: RFC 4180; OWASP, "CSV Injection".
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.archive.store.interface import FoundRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS: Final = FoundRequest.__struct_fields__

# A spreadsheet takes a cell that begins so for a formula, spaces before it and full-width forms included. Where
# a comma is the decimal sign, as in LV, EE and LT, it reads ";" as the separator too, and then a quote after it
# as the beginning of a quoted cell.
_FORMULA: Final = re.compile(r'(^|;)(?=[\s"]*[=+\-@\t\r\n＝＋－＠])')
_BREAKS_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def line(found: FoundRequest) -> bytes:
    """Return a row as one line with its end: numbers as numbers, flags parted by spaces."""
    return _line(_cell(value) for value in msgspec.structs.astuple(found))


def cells(values: Iterable[str | int]) -> bytes:
    """Return any values as one line with its end, none of which is a formula."""
    return _line(_cell(value) for value in values)


def _line(cells: Iterable[str | int]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _cell(value: str | int | tuple[str, ...]) -> str | int:
    if isinstance(value, int):
        return value
    text = value if isinstance(value, str) else " ".join(value)
    if ";" in text or _FORMULA.match(text):  # a search through every text would take most of the time
        text = _FORMULA.sub(r"\1'", text)
    return text if text.isprintable() else _BREAKS_LINE.sub("\N{REPLACEMENT CHARACTER}", text)


HEADER: Final = _line(COLUMNS)
