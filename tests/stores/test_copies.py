"""What a store promises of an incident's copy, and of drafts."""

from __future__ import annotations

import pytest

from consentkit.archive.store.interface import Filters
from consentkit.archive.store.places import Place
from consentkit.archive.store.requeststore import RequestStore
from consentkit.errors import KeyUnavailable
from consentkit.requestlog.record import Gap
from tests.archive.installation import MONDAY
from tests.stores import oracle
from tests.stores.oracle import Row
from tests.stores.places import (
    answers,
    found,
)
from tests.stores.sites import Site

_incidents = iter(range(1, 1000))


def drafts(store: RequestStore, place: Place) -> list[bool]:
    """Return of each thing that lies there of an incident's place whether it is a draft."""
    return [one.is_draft for one in store.lying("incident") if one.name == place.name]


@pytest.mark.parametrize("page_rows", [1, 17, 1000])
def test_a_copy_holds_the_rows_as_a_search_found_them(
    ground: Site, store: RequestStore, rows: list[Row], page_rows: int
) -> None:
    place = Place("incident", str(next(_incidents)), 1, 0, 2**55)
    ground.keyring.make(place.key_name)
    oldest_first = answers(rows[10:70])[::-1]
    lost = Gap(MONDAY, MONDAY + 9, 3, "sampled", "192.0.2.0/24")
    store.mark_draft(place)
    with store.copy(place) as copying:
        for first in range(0, len(oldest_first), page_rows):
            copying.add(oldest_first[first : first + page_rows])
        copying.finish([lost])
    assert True in drafts(store, place)
    contents = store.seal(place)
    store.unmark(place)
    assert set(drafts(store, place)) == {False}
    assert (contents.rows, found(ground, place)) == (60, oldest_first[::-1])
    with store.reader(place) as reader:
        assert reader is not None
        assert list(reader.gaps(Filters()).values()) == [lost]
        assert list(reader.rows(Filters(path="/a*"), limit=0)) == oracle.answer(rows[10:70], Filters(path="/a*"))
    assert store.check(place, {}, is_sealed=True, advance=lambda _: None).fault == ""


def test_a_discarded_draft_is_gone_with_its_key(ground: Site, store: RequestStore) -> None:
    place = Place("incident", str(next(_incidents)), 1, 0, 2**55)
    store.mark_draft(place)
    assert drafts(store, place) in ([], [True])
    ground.keyring.make(place.key_name)
    with store.copy(place) as copying:
        copying.add([])
        copying.finish([])
    for _ in range(2):
        store.discard(place)
    assert not store.exists(place)
    assert drafts(store, place) == []
    with pytest.raises(KeyUnavailable):
        ground.keyring.load(place.key_name)
