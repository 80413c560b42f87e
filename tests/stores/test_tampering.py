"""Whatever somebody does to the tables of a server by hand, the verification fails and names the period."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from consentkit.archive.evidence.heads import note_heads
from consentkit.archive.sealing import seal
from consentkit.archive.store.server.store import ServerStore
from consentkit.audit import SYSTEM
from tests.archive.installation import DAY_US, DAYS, MONDAY, request
from tests.stores.conftest import SERVERS, MakeSite
from tests.stores.raw import Line, Tables, tables_of
from tests.stores.sites import Site

Kept: TypeAlias = dict[str, list[Line]]
Change: TypeAlias = Callable[[Kept], object]

SEALED, OPEN = DAYS[:2]


@pytest.fixture(scope="session")
def evident(make_shared: MakeSite) -> Site:
    """The corpus, its first day sealed, and the heads of what is open noted."""
    site = make_shared()
    ingester = site.ingester()
    ingester.drain()
    note_heads(site.control, SYSTEM, ingester.written)
    ingester.close()
    seal(site.holdings, site.period(SEALED), SYSTEM)
    return site


@pytest.fixture(scope="session")
def tables(evident: Site) -> Tables:
    return tables_of(evident.where)


@pytest.fixture(params=[SEALED, OPEN], ids=["sealed", "open"])
def name(request: pytest.FixtureRequest) -> str:
    """A period of which somebody changes something."""
    return str(request.param)


@pytest.fixture
def kept(evident: Site, tables: Tables, name: str) -> Iterator[Kept]:
    """What it has; all of it is put back after the test."""
    place = evident.period(name).place.key_name
    untouched = tables.read(place)
    yield {kind: [dict(line) for line in lines] for kind, lines in untouched.items()}
    tables.write(place, untouched)


def middle(lines: list[Line]) -> Line:
    return sorted(lines, key=lambda line: (line["segment"], line["sequence"]))[len(lines) // 2]


def change(column: str, by: int) -> Change:
    def do(kept: Kept) -> None:
        line = middle(kept["request"])
        line[column] = int(line[column]) + by

    return do


def add_a_row(kept: Kept) -> None:
    """Put one where the frames of another day were, among those that are in."""
    line = dict(middle(kept["request"]))
    there = {one["sequence"] for one in kept["request"] if one["segment"] == line["segment"]}
    kept["request"].append({**line, "sequence": min(set(range(min(there), max(there))) - there)})


def double_a_row(kept: Kept) -> None:
    kept["request"].append(dict(middle(kept["request"])))


def remove_a_row(kept: Kept) -> None:
    kept["request"].remove(middle(kept["request"]))


def move_a_row(kept: Kept) -> None:
    line = middle(kept["request"])
    line["segment"] = next(one["segment"] for one in kept["request"] if one["segment"] != line["segment"])


def exchange(column: str) -> Change:
    def do(kept: Kept) -> None:
        one = middle(kept["request"])
        other = next(line for line in kept["request"] if line[column] != one[column])
        one[column], other[column] = other[column], one[column]

    return do


def change_a_word(kept: Kept) -> None:
    line = kept["word"][len(kept["word"]) // 2]
    sealed = bytearray(line["sealed"])
    sealed[-1] ^= 1
    line["sealed"] = bytes(sealed)


def swap_two_words(kept: Kept) -> None:
    one = kept["word"][0]
    other = next(line for line in kept["word"] if line["kind"] == one["kind"] and line["number"] != one["number"])
    one["sealed"], other["sealed"] = other["sealed"], one["sealed"]


def remove_a_word(kept: Kept) -> None:
    number = middle(kept["request"])["resource"]
    kept["word"] = [line for line in kept["word"] if line["number"] != number]


def batches(kept: Kept) -> list[Line]:
    return sorted(kept["batch"], key=lambda line: line["number"])


def remove_a_batch(kept: Kept) -> None:
    kept["batch"].remove(batches(kept)[1])


def remove_with_its_rows(at: int) -> Change:
    def do(kept: Kept) -> None:
        gone = batches(kept)[at]
        kept["batch"].remove(gone)
        for kind in ("request", "gap"):
            kept[kind] = [line for line in kept[kind] if line.get("segment") != gone["segment"]]

    return do


def change_a_digest(kept: Kept) -> None:
    line = batches(kept)[1]
    line["digest"] = bytes(32)


def renumber_two_batches(kept: Kept) -> None:
    one, other, *_ = batches(kept)
    one["number"], other["number"] = other["number"], one["number"]
    one["digest"], other["digest"] = other["digest"], one["digest"]


def leave_nothing(kept: Kept) -> None:
    for lines in kept.values():
        lines.clear()


CHANGES: dict[str, Change] = {
    "status changed": change("result", 4),
    "time changed": change("time_us", 1),
    "size changed": change("bytes_sent", 1),
    "its own time changed": change("claimed_us", 7),
    "row added": add_a_row,
    "row doubled": double_a_row,
    "row removed": remove_a_row,
    "row moved to another segment": move_a_row,
    "clients exchanged": exchange("client"),
    "resources exchanged": exchange("resource"),
    "times exchanged": exchange("time_us"),
    "word changed": change_a_word,
    "words swapped": swap_two_words,
    "word removed": remove_a_word,
    "batch removed": remove_a_batch,
    "batch removed with its rows": remove_with_its_rows(1),
    "last batch cut off": remove_with_its_rows(-1),
    "digest changed": change_a_digest,
    "batches renumbered": renumber_two_batches,
    "all removed": leave_nothing,
}


@pytest.mark.parametrize("backend", SERVERS, indirect=True, scope="session")
def test_nothing_is_found_where_nobody_did_anything(evident: Site) -> None:
    assert evident.faults() == {}


@pytest.mark.parametrize("backend", SERVERS, indirect=True, scope="session")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_manipulated_period_is_named(
    evident: Site, tables: Tables, name: str, kept: Kept, change: Change
) -> None:
    change(kept)
    tables.write(evident.period(name).place.key_name, kept)
    assert list(evident.faults()) == [name]


@pytest.mark.parametrize("backend", SERVERS, indirect=True, scope="session")
def test_a_period_that_was_put_back_to_an_older_copy_is_named(site: Site) -> None:
    tables, ingester = tables_of(site.where), site.ingester()
    ingester.drain()
    place = site.period(OPEN).place.key_name
    older = tables.read(place)
    site.spool(request(MONDAY + DAY_US + 5, "/later"))
    ingester.drain()
    note_heads(site.control, SYSTEM, ingester.written)
    ingester.close()
    tables.write(place, older)
    assert list(site.faults()) == [OPEN]
    assert "older copy" in site.faults()[OPEN]


@pytest.mark.parametrize("backend", SERVERS, indirect=True, scope="session")
def test_a_period_that_was_dropped_on_the_server_is_named(site: Site) -> None:
    ingester = site.ingester()
    ingester.drain()
    note_heads(site.control, SYSTEM, ingester.written)
    ingester.close()
    rows = site.holdings.rows
    assert isinstance(rows, ServerStore)
    rows._engine.drop(site.period(OPEN).place.key_name)
    assert list(site.faults()) == [OPEN]


@pytest.mark.parametrize("backend", SERVERS, indirect=True, scope="session")
def test_a_place_that_nobody_made_is_named(site: Site) -> None:
    site.drain()
    rows = site.holdings.rows
    assert isinstance(rows, ServerStore)
    rows._engine.make("period/2026-02-20.1")
    assert len(site.faults()) == 1
