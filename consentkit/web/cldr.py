"""How lists and dates are written: the few patterns of Unicode's CLDR that visitors' texts need.

Babel carries all of CLDR and is a development dependency; a test holds these lines against it.
Source: CLDR 47, ``common/main/<language>.xml``: ``listPattern`` (standard), and ``dateFormats``. Lithuanian's
short form, the numeric forms of lv, ru and et (day, month, whole year) and English's long form are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

# Language: (two items, the last two of more). Middle items are joined by a comma in all of them.
_LISTS = {
    "lv": ("{} un {}", "{} un {}"),
    "ru": ("{} и {}", "{} и {}"),
    "en": ("{} and {}", "{}, and {}"),
    "et": ("{} ja {}", "{} ja {}"),
    "lt": ("{} ir {}", "{} ir {}"),
}
_COMMAS = ("{}, {}", "{}, {}")  # CLDR root: what a language without an entry gets

_ENGLISH_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAY_FIRST = frozenset({"lv", "ru", "et"})


def join(items: Sequence[str], language: str) -> str:
    """Return items as one phrase, as in ``a, b and c``; an empty string for none.

    Source: Unicode Technical Standard 35, part 2, "List Patterns".
    """
    if len(items) < 2:
        return "".join(items)
    pair, end = _LISTS.get(_base(language), _COMMAS)
    if len(items) == 2:
        return pair.format(*items)
    return end.format(", ".join(items[:-1]), items[-1])


def write_date(day: date, language: str) -> str:
    """Return a day as it is written in a language; ISO 8601 where the language has no entry."""
    base = _base(language)
    if base == "en":
        return f"{_ENGLISH_MONTHS[day.month - 1]} {day.day}, {day.year}"
    if base in _DAY_FIRST:
        return f"{day:%d.%m}.{day.year}"
    return day.isoformat()


def _base(language: str) -> str:
    return language.partition("-")[0].lower()
