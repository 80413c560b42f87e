"""What a server holds tells nobody anything without the keys, and nothing at all once they are gone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import pytest

from consentkit.archive.retention import Retention
from consentkit.archive.sealing import seal
from consentkit.archive.store.server.store import ServerStore
from consentkit.audit import SYSTEM
from consentkit.errors import KeyUnavailable
from consentkit.requestlog.record import Entry, Gap
from tests.archive.installation import DAY_US, DAYS, MONDAY
from tests.stores.conftest import SERVERS
from tests.stores.places import found
from tests.stores.raw import tables_of
from tests.stores.sites import Site

pytestmark = pytest.mark.parametrize("backend", SERVERS, indirect=True, scope="session")


def secrets_of(entries: Iterable[Entry]) -> set[bytes]:
    """Return what of requests must not be readable, as text and packed."""
    values: set[bytes] = set()
    for entry in entries:
        if isinstance(entry, Gap):
            values.add(entry.network.encode())
            continue
        for text in (entry.client_address, entry.peer_address, entry.host, entry.user_agent, entry.referrer_host):
            values.add(text.encode())
        values |= {piece.encode() for piece in (entry.url, *entry.url.split("/")) if len(piece) > 6}
        for address in filter(None, (entry.client_address, entry.peer_address)):
            packed = ipaddress.ip_address(address).packed
            values |= {packed, packed.hex().encode()}
    return {value for value in values if len(value) >= 4}


def dump(site: Site) -> bytes:
    """Return all that lies on the server, in one piece."""
    values = (value for row in tables_of(site.where).everything() for value in row)
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


def test_no_address_path_host_or_agent_can_be_read_on_the_server(site: Site) -> None:
    site.drain()
    lying = dump(site)
    hidden = secrets_of(entry for _, entry in site.corpus.frames)
    assert len(lying) > 40_000
    assert len(hidden) > 60
    assert [value for value in hidden if value in lying] == []


def test_a_copy_from_before_the_destruction_gives_nothing_back(site: Site) -> None:
    site.drain()
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    place, tables, rows = site.period(DAYS[0]).place, tables_of(site.where), site.holdings.rows
    copy = tables.read(place.key_name)
    assert len(copy["request"]) > 90
    Retention(site.holdings, 10, SYSTEM, wait_seconds=0.5).run(MONDAY + 10 * DAY_US)
    assert not rows.exists(place)
    assert isinstance(rows, ServerStore)
    rows._engine.make(place.key_name)
    tables.write(place.key_name, copy)
    assert rows.exists(place)
    assert site.found() == site.expected(lambda row: row.time_us >= MONDAY + DAY_US)
    with pytest.raises(KeyUnavailable):
        found(site, place)
    assert DAYS[0] in site.faults()
    Retention(site.holdings, 10, SYSTEM, wait_seconds=0.5).run(MONDAY + 10 * DAY_US)
    assert not rows.exists(place)
    assert site.faults() == {}


def test_a_server_that_keeps_something_is_told_and_nothing_is_certified(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.drain()
    rows = site.holdings.rows
    assert isinstance(rows, ServerStore)
    monkeypatch.setattr(rows._engine, "left", lambda _: 3)
    outcome = Retention(site.holdings, 10, SYSTEM, wait_seconds=0.5).run(MONDAY + 10 * DAY_US)
    assert (outcome.certificates, [one.period for one in outcome.failures]) == ((), [DAYS[0]])
    assert site.states()[DAYS[0]] == "destroying"
    assert site.keyring.was_destroyed(f"period/{DAYS[0]}.1")
    monkeypatch.undo()
    outcome = Retention(site.holdings, 10, SYSTEM, wait_seconds=0.5).run(MONDAY + 10 * DAY_US)
    assert (len(outcome.certificates), outcome.failures) == (1, ())
    assert rows._engine.left(f"period/{DAYS[0]}.1") == 0
