"""How requests, and what is missing among them, are shown.

Owns the words and which links a row has. Addresses are masked here unless they are shown for a case; values that
came from a request are data and nothing else, to be escaped by the template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin.masking import masked
from consentkit.archive.store import FoundRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.admin.masking import Mask
    from consentkit.admin.searching import Asked
    from consentkit.admin.writing import Writing
    from consentkit.archive.search import Found
    from consentkit.archive.store.interface import Cursor
    from consentkit.requestlog.record import Gap
    from consentkit.web.texts import Catalogue

_ADDRESSES: Final = ("client_address", "peer_address")
_MAX_GAPS: Final = 10


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a row.

    Attributes:
        time_us: microseconds since 1970 UTC.
        method: or the scheme of a websocket.
        path, query: the URL's two parts; a query begins with ``?``.
        status, status_tone: 0 is shown as a dash.
        outcome: in words, empty where the answer was complete.
        duration: in milliseconds or seconds, as text.
        address: masked, or in full.
        mark: the same for the same address; empty where the address is shown.
        client: browser and system.
        of_address, of_path, of_agent: query strings of all of the same; empty = there is none.
        place: of the row, for all that is known of it.
        record: the rest of the row, as it was found.
        fields: as `fields` gives them, where addresses are shown; empty where they are asked for one by one.
    """

    time_us: int
    method: str
    path: str
    query: str
    status: int
    status_tone: str
    outcome: str
    duration: str
    address: str
    mark: str
    client: str
    of_address: str
    of_path: str
    of_agent: str
    place: str
    record: FoundRequest
    fields: tuple[tuple[str, str], ...]


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of time in which requests were not kept: what, and since and until when in microseconds."""

    since_us: int
    until_us: int
    words: str


def rows(
    found: Sequence[Found], asked: Asked, *, say: Catalogue, write: Writing, mask: Mask, is_revealed: bool
) -> tuple[Row, ...]:
    """Return requests as rows."""
    return tuple(
        _row(cursor, record, asked, say=say, write=write, mask=mask, is_revealed=is_revealed)
        for cursor, record in found
    )


def fields(record: FoundRequest, *, is_revealed: bool) -> tuple[tuple[str, str], ...]:
    """Return the fields of a record that have a value, by their names, addresses masked or in full."""
    shown = {name: _shown(getattr(record, name), is_revealed=is_revealed) for name in _ADDRESSES}
    texts = {name: _text(value) for name, value in msgspec.structs.asdict(record).items()}
    return tuple((name, text) for name, text in (texts | shown).items() if text)


def _row(
    place: Cursor,
    record: FoundRequest,
    asked: Asked,
    *,
    say: Catalogue,
    write: Writing,
    mask: Mask,
    is_revealed: bool,
) -> Row:
    path, question, query = record.url.partition("?")
    address = record.client_address
    return Row(
        time_us=place.time_us,
        method=record.method or record.scheme.upper(),
        path=path,
        query=question + query,
        status=record.status,
        status_tone=status_tone(record.status),
        outcome="" if record.outcome == "complete" else outcome_name(say, record.outcome),
        duration=_duration(say, write, record.duration_us),
        address=_shown(address, is_revealed=is_revealed),
        mark="" if is_revealed else mask.mark(address),
        client=" · ".join(
            filter(None, (f"{record.browser} {record.browser_version.partition('.')[0]}".strip(), record.os))
        ),
        of_address=asked.all_of(address=mask.seal(address)) if address else "",
        of_path=asked.all_of(path=path) if path else "",
        of_agent=asked.all_of(text=record.user_agent) if record.user_agent else "",
        place=str(place),
        record=record,
        fields=fields(record, is_revealed=True) if is_revealed else (),
    )


def status_tone(status: int) -> str:
    """Return the tone of a status."""
    if status >= 500 or status == 0:
        return "bad"
    return "warn" if status >= 400 else "good" if 200 <= status < 300 else ""


def outcome_name(say: Catalogue, outcome: str) -> str:
    """Return what the way a response ended is called."""
    names = {
        "complete": say.pgettext("outcome", "complete"),
        "client_gone": say.pgettext("outcome", "client gone"),
        "app_error": say.pgettext("outcome", "error of the site"),
    }
    return names.get(outcome, outcome)


def device_name(say: Catalogue, device_type: str) -> str:
    """Return what a kind of device is called."""
    names = {
        "pc": say.pgettext("device", "computer"),
        "mobile": say.pgettext("device", "phone"),
        "tablet": say.pgettext("device", "tablet"),
        "bot": say.pgettext("device", "bot"),
        "other": say.pgettext("device", "other"),
    }
    return names.get(device_type, device_type)


def missing(say: Catalogue, write: Writing, gaps: Sequence[Gap]) -> tuple[tuple[Missing, ...], int]:
    """Return the newest gaps in words, and how many older ones are left out."""
    newest = [
        Missing(
            since_us=gap.since_us,
            until_us=gap.until_us,
            words=_gap_words(say, write, gap),
        )
        for gap in gaps[-_MAX_GAPS:]
    ]
    return tuple(reversed(newest)), len(gaps) - len(newest)


def _gap_words(say: Catalogue, write: Writing, gap: Gap) -> str:
    lost, number = gap.lost, write.number(gap.lost)
    if gap.reason == "sampled" and gap.network:
        return say.ngettext(
            "Flood: {number} request of {network} was not kept.",
            "Flood: {number} requests of {network} were not kept.",
            lost,
            number=number,
            network=masked(gap.network),
        )
    if gap.reason == "sampled":
        return say.ngettext(
            "Flood: {number} request was not kept.", "Flood: {number} requests were not kept.", lost, number=number
        )
    if gap.reason == "full":
        return say.ngettext(
            "{number} request was not kept: the spool was full.",
            "{number} requests were not kept: the spool was full.",
            lost,
            number=number,
        )
    if gap.reason == "write":
        return say.ngettext(
            "{number} request was not kept: the disk refused.",
            "{number} requests were not kept: the disk refused.",
            lost,
            number=number,
        )
    return say.ngettext(
        "{number} request was damaged before it was stored.",
        "{number} requests were damaged before they were stored.",
        lost,
        number=number,
    )


def _shown(address: str, *, is_revealed: bool) -> str:
    return address if is_revealed else masked(address)


def _text(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _duration(say: Catalogue, write: Writing, duration_us: int) -> str:
    if duration_us >= 10_000_000:
        return write.span(duration_us / 1e6)
    return say.gettext("{n} ms", n=write.number(-(-duration_us // 1000)))
