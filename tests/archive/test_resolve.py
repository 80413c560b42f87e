from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from user_agents import parse

from consentkit.archive.resolve import Agent, AgentResolver, Place, PlaceResolver

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.1.2 Mobile/15E148 Safari/604.1"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/16.0 Mobile/15E148 Safari/604.1"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"
CRAWLER = (
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/119.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
)
UNKNOWN = Agent("Other", "other", "Other", "", "Other", "")

LATVIA = {"country": {"iso_code": "LV"}, "city": {"names": {"en": "Riga", "de": "Riga"}}}
ESTONIA = {"country": {"iso_code": "EE"}, "city": {"names": {"en": "Tallinn"}}}

agents = AgentResolver()


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        pytest.param(CHROME, Agent("PC", "pc", "Chrome", "120.0.0", "Windows", "10"), id="pc"),
        pytest.param(FIREFOX, Agent("PC", "pc", "Firefox", "120.0", "Linux", ""), id="pc with Linux"),
        pytest.param(IPHONE, Agent("iPhone", "mobile", "Mobile Safari", "17.1.2", "iOS", "17.1.2"), id="mobile"),
        pytest.param(IPAD, Agent("iPad", "tablet", "Mobile Safari", "16.0", "iOS", "16.0"), id="tablet"),
        pytest.param(
            CRAWLER,
            Agent("Spider", "bot", "Googlebot", "2.1", "Android", "6.0.1"),
            id="bot that names a phone",
        ),
        pytest.param("", UNKNOWN, id="empty"),
        pytest.param("\ud800\x00\xb2" * 1000, UNKNOWN, id="no text of an agent"),
        pytest.param("x" * 512 + CHROME, UNKNOWN, id="beyond the cap"),
    ],
)
def test_an_agent_is_resolved(text: str, agent: Agent) -> None:
    assert agents.resolve(text) == agent


@pytest.mark.parametrize("text", [CHROME, FIREFOX, IPHONE, IPAD, CRAWLER])
def test_an_agent_is_what_the_package_says_of_it(text: str) -> None:
    package, agent = parse(text), agents.resolve(text)
    assert agent.device == package.get_device()
    assert f"{agent.browser} {agent.browser_version}".strip() == package.get_browser()
    assert f"{agent.os} {agent.os_version}".strip() == package.get_os()
    assert (agent.device_type == "bot") == package.is_bot
    assert agent.device_type == "bot" or getattr(package, f"is_{agent.device_type}")


@settings(max_examples=50)
@given(
    text=st.one_of(
        st.text(max_size=600),
        st.text(max_size=80).map(lambda middle: f"Mozilla/5.0 (Linux; Android {middle}) Mobile/{middle}"),
        st.text("0123456789\xb2\u0663.", max_size=400).map(lambda version: f"Opera/{version} Firefox/{version}"),
    )
)
def test_any_text_gives_short_visible_words(text: str) -> None:
    agent = agents.resolve(text)
    assert agent.device_type in ("pc", "mobile", "tablet", "bot", "other")
    for word in (agent.device, agent.browser, agent.browser_version, agent.os, agent.os_version):
        assert len(word) <= 64
        assert word.isprintable()


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def write(path: Path, places: dict[str, Any], ip_version: int = 6) -> None:
    """Put a database in place the way updaters do: written beside it, then renamed."""
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6)
    for network, record in places.items():
        writer.insert_network(IPSet([network]), record)
    fresh = path.with_suffix(".new")
    writer.to_db_file(str(fresh))
    fresh.replace(path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "places.mmdb"
    write(path, {"192.0.2.0/24": LATVIA, "2001:db8::/32": ESTONIA})
    return path


@pytest.mark.parametrize(
    ("address", "place"),
    [
        pytest.param("192.0.2.9", Place("LV", "Riga"), id="IPv4"),
        pytest.param("2001:db8::1", Place("EE", "Tallinn"), id="IPv6"),
        pytest.param("203.0.113.9", Place(), id="not in the file"),
        pytest.param("", Place(), id="no address"),
        pytest.param("192.0.2.9; drop", Place(), id="text"),
    ],
)
def test_an_address_has_a_place(database: Path, address: str, place: Place) -> None:
    assert PlaceResolver(database, "city").resolve(address) == place
    assert PlaceResolver(database, "country").resolve(address) == Place(place.country)


@pytest.mark.parametrize(
    ("record", "place"),
    [
        pytest.param({"country_code": "LV", "city": "Riga"}, Place("LV", "Riga"), id="flat"),
        pytest.param({"country": "lv"}, Place("LV"), id="flat and small"),
        pytest.param({"country": {"iso_code": "Latvia"}}, Place(), id="no code"),
        pytest.param({"country": {"iso_code": 7}, "city": {"names": []}}, Place(), id="other types"),
        pytest.param("text", Place(), id="no table"),
        pytest.param(
            {"city": "R\u202eiga\n" + "a" * 500}, Place("", "R\ufffdiga\ufffd" + "a" * 118), id="hostile name"
        ),
    ],
)
def test_a_record_of_any_form_gives_a_code_and_a_clean_name(tmp_path: Path, record: object, place: Place) -> None:
    write(tmp_path / "x.mmdb", {"192.0.2.0/24": record})
    assert PlaceResolver(tmp_path / "x.mmdb", "city").resolve("192.0.2.9") == place


def test_a_database_of_ipv4_alone_knows_no_ipv6(tmp_path: Path) -> None:
    write(tmp_path / "x.mmdb", {"192.0.2.0/24": LATVIA}, ip_version=4)
    places = PlaceResolver(tmp_path / "x.mmdb")
    assert places.resolve("192.0.2.9") == Place("LV")
    assert places.resolve("2001:db8::1") == Place()
    assert places.fault == ""


def test_without_a_database_there_are_no_places() -> None:
    places = PlaceResolver(None)
    assert (places.refresh(), places.resolve("192.0.2.9"), places.fault) == (False, Place(), "")


def test_a_replaced_database_is_taken_up_within_a_second(database: Path, clock: Clock) -> None:
    places = PlaceResolver(database, clock=clock)
    assert places.resolve("192.0.2.9") == Place("LV")
    write(database, {"192.0.2.0/24": ESTONIA})
    clock.now += 0.9
    assert not places.refresh()
    assert places.resolve("192.0.2.9") == Place("LV")
    clock.now += 0.2
    assert places.refresh()
    assert places.resolve("192.0.2.9") == Place("EE")
    clock.now += 2
    assert not places.refresh()


@pytest.mark.parametrize("content", [b"", b"no database", None], ids=["empty", "text", "cut"])
def test_a_broken_database_is_refused_and_the_old_one_stays(
    database: Path, clock: Clock, content: bytes | None
) -> None:
    places = PlaceResolver(database, clock=clock)
    assert places.resolve("192.0.2.9") == Place("LV")
    whole = database.read_bytes()
    # In place: what is mapped must not be pulled away under a reader.
    database.write_bytes(whole[: len(whole) // 2] if content is None else content)
    clock.now += 2
    assert not places.refresh()
    assert "damaged" in places.fault
    assert [places.resolve(f"192.0.2.{number}") for number in range(256)] == [Place("LV")] * 256
    write(database, {"192.0.2.0/24": ESTONIA})
    clock.now += 2
    assert places.refresh()
    assert (places.fault, places.resolve("192.0.2.9")) == ("", Place("EE"))


def test_a_tree_that_leads_nowhere_is_refused(database: Path) -> None:
    whole = bytearray(database.read_bytes())
    end = whole.rindex(b"\xab\xcd\xefMaxMind.com")
    whole[: end // 2] = b"\xff" * (end // 2)
    database.write_bytes(whole)
    places = PlaceResolver(database)
    assert places.resolve("192.0.2.9") == Place()
    assert "damaged" in places.fault


def test_a_missing_database_is_a_fault_until_it_comes(database: Path, clock: Clock) -> None:
    aside = database.with_suffix(".aside")
    database.rename(aside)
    places = PlaceResolver(database, clock=clock)
    assert places.resolve("192.0.2.9") == Place()
    assert "missing" in places.fault
    assert str(database) not in places.fault
    aside.rename(database)
    clock.now += 2
    assert (places.resolve("192.0.2.9"), places.fault) == (Place("LV"), "")


def test_a_database_that_can_not_be_copied_is_tried_again_after_a_minute(
    database: Path, clock: Clock, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    places = PlaceResolver(database, scratch=scratch, clock=clock)
    assert places.resolve("192.0.2.9") == Place()
    assert "can't be copied" in places.fault
    scratch.mkdir()
    clock.now += 30
    assert not places.refresh()
    clock.now += 31
    assert places.refresh()
    assert (places.resolve("192.0.2.9"), places.fault) == (Place("LV"), "")
    assert os.listdir(scratch) == [], "the copy has no name"  # noqa: PTH208


def test_a_closed_resolver_opens_its_file_again(database: Path, clock: Clock) -> None:
    places = PlaceResolver(database, clock=clock)
    assert places.resolve("192.0.2.9") == Place("LV")
    places.close()
    clock.now += 2
    assert places.resolve("192.0.2.9") == Place("LV")
