"""How numbers, sizes, shares, instants and spans are written in the staff's language.

Owns the few patterns of Unicode's CLDR for it; a test holds them against Babel. Instants are written as ISO 8601
does, to the minute, in UTC: the same in every language, in order when sorted, and as the command line shows them.
The page's script turns them into the reader's zone.

Source: CLDR 47, ``common/main/<language>.xml``, ``symbols``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from consentkit.web.texts import Catalogue

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"

# Between thousands, and before decimals.
_SIGNS: Final = {
    "en": (",", "."),
    "lv": (_NO_BREAK, ","),
    "ru": (_NO_BREAK, ","),
    "et": (_NO_BREAK, ","),
    "lt": (_NO_BREAK, ","),
}

_UNITS: Final = ("kB", "MB", "GB", "TB")
_KILO: Final = 1000


class Writing:
    """Write values in one language.

    Args:
        say: speaks it.
    """

    __slots__ = ("_between", "_point", "_say")

    def __init__(self, say: Catalogue) -> None:
        self._say = say
        base = say.language.partition("-")[0].lower()
        self._between, self._point = _SIGNS.get(base, _SIGNS["en"])

    def number(self, number: int) -> str:
        """Return a whole number with its thousands divided."""
        return f"{number:,}".replace(",", self._between).replace("-", "\N{MINUS SIGN}")

    def share(self, share: float) -> str:
        """Return a share of 0 to 1 in per cent: one decimal below 100 %, and never 100 % unless it is all."""
        tenths = int(share * 1000)  # rounded down: 99.96 % is not all
        text = "100" if tenths == 1000 else f"{tenths // 10}{self._point}{tenths % 10}"
        return f"{text}%" if self._say.language.startswith("en") else f"{text}{_NO_BREAK}%"

    def bytes(self, count: int) -> str:
        """Return a size in bytes, kilobytes (1,000 bytes) and so on."""
        if count < _KILO:
            return f"{count}{_NO_BREAK}B"
        size, unit = count / _KILO, 0
        while round(size, 1) >= _KILO and unit < len(_UNITS) - 1:
            size, unit = size / _KILO, unit + 1
        return f"{size:.1f}{_NO_BREAK}{_UNITS[unit]}".replace(".", self._point)

    def span(self, seconds: float) -> str:
        """Return a length of time in its largest unit: days, hours, minutes or seconds; parts are cut off."""
        whole, say = max(int(seconds), 0), self._say
        if whole >= 2 * 86_400:
            return say.ngettext("{n} day", "{n} days", whole // 86_400)
        if whole >= 2 * 3_600:
            return say.ngettext("{n} hour", "{n} hours", whole // 3_600)
        if whole >= 2 * 60:
            return say.ngettext("{n} minute", "{n} minutes", whole // 60)
        return say.ngettext("{n} second", "{n} seconds", whole)

    def day(self, time_us: int) -> str:
        """Return the UTC day of an instant, microseconds since 1970."""
        return f"{_instant(time_us):%Y-%m-%d}"

    def minute(self, time_us: int) -> str:
        """Return an instant to the minute, UTC."""
        return f"{_instant(time_us):%Y-%m-%d %H:%M}"

    def second(self, time_us: int) -> str:
        """Return an instant to the second, UTC."""
        return f"{_instant(time_us):%Y-%m-%d %H:%M:%S}"

    def iso(self, time_us: int) -> str:
        """Return an instant as a machine reads it, in a ``datetime`` attribute."""
        return f"{_instant(time_us):%Y-%m-%dT%H:%M:%SZ}"


def _instant(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_us)
