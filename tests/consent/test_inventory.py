"""Which cookies are in use: noted by name, safe from invented names, and kept across restarts."""

from __future__ import annotations

import asyncio
import threading
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.gate import Gate
from consentkit.consent.inventory import FILE, KEPT_DAYS, Inventory, InventoryWriter, Sighting, read_inventory
from consentkit.consent.names import CookieNames
from consentkit.consent.registry import Registry
from consentkit.consent.seen import Seen
from consentkit.consent.sightings import Sightings, met
from consentkit.consent.undeclared import declaration, undeclared
from consentkit.settings import Settings

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

BASE = {"site": {"operator": "SIA Piemērs", "contact": "privacy@example.lv", "languages": ["en"]}}
COOKIES = [
    {"name": "theme", "category": "preferences", "purpose": "Light or dark", "lifetime_days": 30},
    {"name": "sid", "category": "necessary", "purpose": "Signed in"},
]
REGISTRY = Registry.build(Settings.from_mapping({**BASE, "consent": {"cookies": COOKIES}}, base=Path("/srv/site")))
TODAY = date(2026, 11, 23)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("clients", "is_shown"),
    [
        (["192.0.2.1", "192.0.2.2", "192.0.2.99"], False),
        (["192.0.2.1", "198.51.100.1"], False),
        (["192.0.2.1", "198.51.100.1", "203.0.113.1"], True),
        (["2001:db8:1::1", "2001:db8:1::2", "2001:db8:1:2::3"], False),
        (["2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1"], True),
        (["::ffff:192.0.2.1", "192.0.2.2", "192.0.2.3"], False),
        (["", "a socket", ""], False),
        (["127.0.0.1"], True),
        (["::1"], True),
    ],
    ids=[
        "one /24",
        "two",
        "three",
        "one /48",
        "three /48",
        "mapped",
        "no address",
        "this machine",
        "the same, v6",
    ],
)
def test_a_name_that_only_browsers_send_is_shown_when_several_networks_sent_it(
    clients: list[str], is_shown: bool
) -> None:
    sightings = Sightings(REGISTRY)
    for client in clients:
        sightings.look([b"_odd"], client)
    assert ("_odd" in sightings.counts["brought"]) is is_shown


def test_a_flood_of_invented_names_neither_hides_real_ones_nor_fills_the_memory() -> None:
    sightings = Sightings(REGISTRY)
    networks = ["192.0.2.1", "198.51.100.1", "203.0.113.1"]
    for number in range(20_000):
        sightings.look([b"invented%d" % number], networks[number % 3])
        if number % 50 == 0:
            sightings.look([b"_real", b"theme"], networks[number // 50 % 3])
    assert set(sightings.counts["brought"]) == {"_real"}
    assert sightings.counts["sent"] == {"theme": 400}
    assert len(sightings._probation._younger) + len(sightings._probation._older) <= 1024


@given(st.lists(st.binary(max_size=300), max_size=20), st.text(max_size=40))
def test_whatever_comes_is_noted_as_text(names: list[bytes], client: str) -> None:
    sightings = Sightings(REGISTRY)
    sightings.look(names, client)
    assert all(name.encode("utf-8").decode() == name for name in sightings.counts["brought"])


def test_on_a_busy_site_a_sample_of_requests_is_looked_at() -> None:
    clock = Clock()
    sightings = Sightings(REGISTRY, clock=clock)
    assert sum(sightings.has_room() for _ in range(2000)) == 500
    clock.now += 1
    assert sum(sightings.has_room() for _ in range(2000)) == 50


def test_the_gate_notes_what_is_set_and_what_is_sent() -> None:
    seen, sightings = Seen(), Sightings(REGISTRY)

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"set-cookie", b"sid=1"), (b"set-cookie", b"theme=1"), (b"set-cookie", b"odd=1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None:
        return

    gate = Gate(
        app,
        registry=REGISTRY,
        keys=lambda: None,
        names=CookieNames("consentkit", has_prefix=True),
        seen=seen,
        sightings=sightings,
    )
    headers = [(b"cookie", b"sid=a; theme=b; _from_script=c")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "client": ("127.0.0.1", 1)}
    asyncio.run(_call(gate, scope, receive, send))
    found = met(seen, sightings)
    assert found["set"] == {"sid": 1}
    assert found["sent"] == {"sid": 1, "theme": 1}
    assert found["brought"] == {"_from_script": 1}
    assert found["dropped"] == {"theme": 1}
    assert found["undeclared"] == {"odd": 1}
    assert "a" not in {name for names in found.values() for name in names}


async def _call(gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
    await gate(scope, receive, send)


def test_several_workers_add_to_one_file(tmp_path: Path) -> None:
    counts = [{"set": {"sid": 100}}, {"set": {"sid": 100}, "undeclared": {"odd": 3}}]
    writers = [InventoryWriter(tmp_path, lambda number=number: counts[number]) for number in (0, 1)]  # type: ignore[misc]
    threads = [threading.Thread(target=writer.close) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_inventory(tmp_path)
    assert (found.of("set")["sid"].count, found.of("undeclared")["odd"].count, found.days) == (200, 3, 1)


def test_only_what_came_since_is_added_and_a_new_name_within_seconds(tmp_path: Path) -> None:
    clock, counts = Clock(), {"set": {"sid": 1}}
    writer = InventoryWriter(tmp_path, lambda: counts, clock=clock)
    writer.round()
    assert read_inventory(tmp_path).of("set")["sid"].count == 1
    counts["set"]["sid"] = 5
    clock.now += 10
    writer.round()
    assert read_inventory(tmp_path).of("set")["sid"].count == 1  # no hurry
    counts["undeclared"] = {"odd": 1}
    clock.now += 10
    writer.round()
    assert read_inventory(tmp_path).of("set")["sid"].count == 5
    assert "odd" in read_inventory(tmp_path).of("undeclared")
    writer.close()
    assert read_inventory(tmp_path).of("set")["sid"].count == 5


def test_a_disk_that_refuses_loses_no_count_and_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    writer = InventoryWriter(folder, lambda: {"set": {"sid": 7}})
    writer.close()
    folder.mkdir()
    writer.close()
    assert read_inventory(folder).of("set")["sid"].count == 7


def test_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b'{"names": 7')
    assert read_inventory(tmp_path) == Inventory()


def test_a_name_drops_out_when_it_was_not_met_for_long() -> None:
    old = Inventory().with_met({"undeclared": {"odd": 1}, "set": {"sid": 1}}, TODAY)
    at_the_limit = old.with_met({"set": {"sid": 1}}, TODAY + timedelta(days=KEPT_DAYS))
    past_it = at_the_limit.with_met({"set": {"sid": 1}}, TODAY + timedelta(days=KEPT_DAYS + 1))
    assert ("odd" in at_the_limit.of("undeclared"), "odd" in past_it.of("undeclared")) == (True, False)
    assert past_it.of("set")["sid"] == Sighting(TODAY, TODAY + timedelta(days=KEPT_DAYS + 1), 3)
    assert past_it.days == 3


def test_the_file_is_bounded_and_keeps_what_is_met_often() -> None:
    inventory = Inventory().with_met({"brought": {"_real": 1000}}, TODAY)
    inventory = inventory.with_met({"brought": {f"invented{number}": 1 for number in range(5000)}}, TODAY)
    assert len(inventory.of("brought")) == 512
    assert "_real" in inventory.of("brought")


def test_what_is_declared_since_is_no_longer_undeclared() -> None:
    inventory = Inventory().with_met(
        {"undeclared": {"odd": 1, "theme": 4}, "brought": {"odd": 2, "_ga": 3}}, TODAY
    )
    found = {one.name: (one.source, one.known) for one in undeclared(inventory, REGISTRY)}
    assert found == {"odd": ("server", ""), "_ga": ("browser", 'use = "google-analytics"')}


@given(st.text(max_size=140))
def test_a_declaration_declares_the_name_and_nothing_else(name: str) -> None:
    written = declaration(name)
    if not written:
        return
    data = tomllib.loads(
        written.replace('category = ""', 'category = "necessary"').replace('purpose = ""', 'purpose = "x"')
    )
    settings = Settings.from_mapping({**BASE, **data}, base=Path("/srv/site"))
    assert [cookie.name for cookie in settings.consent.cookies] == [name]


@pytest.mark.parametrize("name", ["a*", "a?", "", "a b", 'a"]\n[site]', "ā", "a=b", "x" * 129])
def test_a_name_that_settings_can_not_hold_has_no_declaration(name: str) -> None:
    assert declaration(name) == ""
