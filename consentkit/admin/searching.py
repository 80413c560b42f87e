"""What a search page was asked for: its filters, its place in the list, and the addresses of its links.

Owns the query string. What the filters' values mean is `archive.search.typed`'s matter, the same for the command
line. An address can stand there as a token (see `masking`), which a link of a masked row carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from consentkit.admin.answer import Refused
from consentkit.admin.masking import TILDE, BadToken, Mask, masked
from consentkit.archive.search.typed import Typed, parse_cursor, understand
from consentkit.archive.store.interface import Cursor, Filters
from consentkit.errors import BadSearch

if TYPE_CHECKING:
    from consentkit.admin.visit import Visit
    from consentkit.web.texts import Catalogue

# What is looked at where nothing was asked for.
DEFAULT_SINCE: Final = "24h"

# As long as the longest agent that is recorded.
MAX_CHARACTERS: Final = 600
_MAX_VALUES: Final = 20

_SINGLE: Final = (
    "since", "until", "path", "host", "method", "outcome", "device_type", "browser", "country", "text",
)  # fmt: skip
_SEVERAL: Final = ("address", "status", "flag")
FIELDS: Final = (*_SINGLE, *_SEVERAL, "bot")
_BOT: Final[dict[str, bool | None]] = {"": None, "yes": True, "no": False}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Hidden(msgspec.Struct, frozen=True):
    """An address that came as a token: the token, and how it is shown."""

    token: str
    text: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        typed: the filters as they were typed, tokens among the addresses.
        filters: what they mean; those that can't be read ask nothing.
        faults: what is wrong with the others, in words, by field.
        hidden: the addresses that came as tokens.
        now: when times that are so long ago were reckoned; it stays the same from page to page.
        before, after: the place in the list.
        is_patient: a longer search was asked for.
    """

    typed: Typed
    filters: Filters
    faults: Mapping[str, str]
    hidden: tuple[Hidden, ...]
    now: datetime
    before: Cursor | None = None
    after: Cursor | None = None
    is_patient: bool = False

    @property
    def is_of_time_alone(self) -> bool:
        """Whether nothing but a time was asked for."""
        return self.filters == Filters(since_us=self.filters.since_us, until_us=self.filters.until_us)

    @property
    def plain_addresses(self) -> str:
        """The addresses that were typed, as the field shows them."""
        return " ".join(one for one in self.typed.address if not one.startswith(TILDE))

    def query(self, **more: str) -> str:
        """Return the query string of these filters, with more in it."""
        pairs = [pair for name in FIELDS for pair in _pairs(self.typed, name)]
        pairs.append(("as_of", self.now.strftime("%Y-%m-%dT%H:%M:%SZ")))
        return urlencode([*pairs, *more.items()])

    def at(self, *, before: Cursor | None = None, after: Cursor | None = None, **more: str) -> str:
        """Return the query string of another place in the same list."""
        places = {"before": before, "after": after}
        place = {name: str(cursor) for name, cursor in places.items() if cursor is not None}
        return self.query(**place, **more)

    def all_of(self, **one: str) -> str:
        """Return the query string for all of one address, path or agent in the same time."""
        times = [(name, value) for name in ("since", "until") for name, value in _pairs(self.typed, name)]
        return urlencode([*(times or [("since", "")]), *one.items()])

    def narrowed(self, name: str, value: str) -> str:
        """Return the query string of these filters with one of them set to one value."""
        pairs = [pair for field in FIELDS for pair in _pairs(self.typed, field) if field != name]
        times = [] if self.typed.since else [("since", "")]
        return urlencode([*times, *pairs, (name, value)])

    def within(self, since: str) -> str:
        """Return the query string of the same filters over another time."""
        pairs = [pair for name in FIELDS for pair in _pairs(self.typed, name) if name not in ("since", "until")]
        return urlencode([("since", since), *pairs])

    def given(self) -> dict[str, object]:
        """Return the filters that were given, for the audit: under the command line's names, addresses in full."""
        opened = {"address": self.filters.networks} if self.filters.networks else {}
        found = {**msgspec.to_builtins(self.typed), **opened}
        places = {"before": self.before and str(self.before), "after": self.after and str(self.after)}
        return {name: value for name, value in {**found, **places}.items() if value not in ("", (), [], None)}


def asked(visit: Visit, *, since: str = DEFAULT_SINCE) -> Asked:
    """Return what a page's address asks for.

    Args:
        visit: of the page.
        since: from when, where nothing at all is asked for; empty = from the first.

    Raises:
        Refused: its place in the list can't be read.
    """
    values = visit.request.query_params
    several = {name: _split(values.getlist(name)) for name in _SEVERAL}
    single = {name: values.get(name, "").strip() for name in _SINGLE}
    if not any(name in values for name in (*FIELDS, "as_of")):
        single["since"] = since
    typed = msgspec.convert({**single, **several, "bot": _BOT.get(values.get("bot", ""))}, Typed)
    faults = _too_much(visit.say, single, several)
    try:
        now = _instant(values.get("as_of", ""))
        places = {name: parse_cursor(name, values[name]) for name in ("before", "after") if values.get(name)}
    except BadSearch:
        raise Refused(400, visit.say.gettext("This address is damaged. Begin the search anew.")) from None
    mask = Mask(visit.office.keyring, visit.entrant)
    opened, hidden = _opened(visit.say, mask, typed, faults)
    understood = understand(opened, now=now)
    for name in understood.faults:
        faults.setdefault(name, fault_words(visit.say, name))
    if not faults and understood.filters.until_us <= understood.filters.since_us:
        faults["until"] = visit.say.gettext("The end is not later than the beginning.")
    return Asked(
        typed=typed,
        filters=understood.filters,
        faults=faults,
        hidden=hidden,
        now=now,
        before=places.get("before"),
        after=None if "before" in places else places.get("after"),
        is_patient=values.get("long") == "1",
    )


def fault_words(say: Catalogue, name: str) -> str:
    """Return what is wrong with a filter's value, and what is allowed."""
    if name in ("since", "until"):
        return say.gettext("This is no time. Write 2026-11-23, 2026-11-23T14:05, 2h or 7d.")
    if name == "address":
        return say.gettext("This is no address and no network. Write 192.0.2.7 or 2001:db8::/32.")
    if name == "status":
        return say.gettext("This is no status. Write 404 or 4xx.")
    return say.gettext("This is none of the list.")


def _opened(say: Catalogue, mask: Mask, typed: Typed, faults: dict[str, str]) -> tuple[Typed, tuple[Hidden, ...]]:
    """Return the filters with the addresses that tokens stand for; a bad token is a fault and is left out."""
    addresses, hidden = [], []
    for one in typed.address:
        if not one.startswith(TILDE):
            addresses.append(one)
            continue
        try:
            address = mask.open(one)
        except BadToken:
            faults["address"] = say.gettext(
                "A hidden address of another session can't be opened here. Search for it anew, or type it."
            )
            continue
        addresses.append(address)
        hidden.append(Hidden(one, f"{masked(address)} {mask.mark(address)}"))
    return msgspec.structs.replace(typed, address=tuple(addresses)), tuple(hidden)


def _too_much(say: Catalogue, single: Mapping[str, str], several: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    faults = {
        name: say.gettext("At most {most} characters.", most=MAX_CHARACTERS)
        for name, value in (*single.items(), *((name, one) for name in _SEVERAL for one in several[name]))
        if len(value) > MAX_CHARACTERS
    }
    for name, values in several.items():
        if len(values) > _MAX_VALUES:
            faults[name] = say.gettext("At most {most} values.", most=_MAX_VALUES)
    return faults


def _split(values: list[str]) -> tuple[str, ...]:
    return tuple(one for value in values for one in value.replace(",", " ").split())


def _pairs(typed: Typed, name: str) -> list[tuple[str, str]]:
    if name == "bot":
        return [(name, "yes" if typed.bot else "no")] if typed.bot is not None else []
    value = getattr(typed, name)
    return [(name, one) for one in value] if isinstance(value, tuple) else [(name, value)] if value else []


def _instant(text: str) -> datetime:
    """Return the instant at which times were reckoned that are so long ago; without one, now."""
    if not text:
        return datetime.now(UTC)
    return _EPOCH + timedelta(microseconds=max(parse_cursor("as_of", text).time_us, 0))
