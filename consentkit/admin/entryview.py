"""How an entry of the audit is shown.

Owns its rows on a page. What an entry says was written by people and programs, some of it comes from requests:
it is data, escaped by the template; addresses of visitors in it are masked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.admin import wording
from consentkit.admin.actionnames import action_name
from consentkit.admin.masking import masked
from consentkit.archive.destruction import iso_second

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.audit import AuditEntry
    from consentkit.web.texts import Catalogue

_MAX_PAIRS: Final = 60
_MAX_VALUE_CHARACTERS: Final = 600
# The year 2200: a later instant is no time of ours, but what stands for "without end".
_LATEST_US: Final = 7_258_118_400_000_000
# Looks like an address of version 4 or 6, alone or with a prefix; whether it is one is `ipaddress`'s to say.
_ADDRESS: Final = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3})(?:/\d{1,3})?"
)


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """One entry.

    Attributes:
        number, time_us: of the entry; microseconds since 1970 UTC.
        actor, origin: who, and whether by ``cli``, ``admin`` or ``system``.
        action, name: what was done, and the same in words where there are any.
        purpose: in words; empty where no personal data was shown.
        case, reason: as they were given.
        rows: of personal data that were shown.
        pairs: the detail by dotted name.
        left_out: how many more pairs there are.
        hash, previous_hash: its place in the chain.
    """

    number: int
    time_us: int
    actor: str
    origin: str
    action: str
    name: str
    purpose: str
    case: str
    reason: str
    rows: int
    pairs: tuple[tuple[str, str], ...]
    left_out: int
    hash: str
    previous_hash: str


def entry_view(say: Catalogue, entry: AuditEntry) -> EntryView:
    """Return an entry as it is shown."""
    pairs = _pairs(entry.detail)
    return EntryView(
        number=entry.number,
        time_us=entry.time_us,
        actor=entry.actor,
        origin=entry.origin,
        action=entry.action,
        name=action_name(say, entry.action),
        purpose=wording.purpose_name(say, entry.purpose),
        case=entry.case_id,
        reason=entry.reason,
        rows=entry.rows,
        pairs=tuple(pairs[:_MAX_PAIRS]),
        left_out=max(len(pairs) - _MAX_PAIRS, 0),
        hash=entry.hash,
        previous_hash=entry.previous_hash,
    )


def without_addresses(text: str) -> str:
    """Return a text in which each address and network is masked."""
    return _ADDRESS.sub(lambda found: _masked(found[0]), text)


def _masked(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return text
    return masked(text)


def _pairs(detail: str) -> list[tuple[str, str]]:
    try:
        content = msgspec.json.decode(detail)
    except msgspec.DecodeError:
        return [("", _cut(detail))]  # the chain's check tells that it was changed
    if not isinstance(content, Mapping):
        return [("", _cut(without_addresses(detail)))]
    own = content.get("address")
    found = [pair for pair in _flat("", content) if pair[0] != "address" or not isinstance(own, str)]
    # From where a member of staff asked is what the audit is for.
    return [("address", _cut(own)), *found] if isinstance(own, str) else found


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            # A name can hold an address too, where something was counted by it.
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
        return
    if isinstance(value, int) and name.endswith("_us") and 0 < value < _LATEST_US:
        value = iso_second(value)
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        value = ", ".join(str(one) for one in value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    yield _cut(without_addresses(name)), _cut(without_addresses(text))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[:_MAX_VALUE_CHARACTERS]}…"
