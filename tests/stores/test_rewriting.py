"""What a store promises of a place that is written anew: the same, but for what was to change."""

from __future__ import annotations

from consentkit.archive.store.interface import Filters
from consentkit.archive.store.places import Place
from consentkit.archive.store.requeststore import RequestStore
from consentkit.requestlog.truncate import network_of
from tests.stores.oracle import Row
from tests.stores.places import (
    HERS,
    WITH_AGENT,
    answers,
    batches,
    found,
    is_of,
    new_place,
    write,
)
from tests.stores.sites import Site


def rewritten(ground: Site, old: Place, **how: object) -> tuple[Place, int]:
    fresh = new_place(ground, has_key=False)
    with ground.holdings.rows.lock(old, exclusive=True, wait_seconds=1):
        done = ground.holdings.rows.write_anew(old, fresh, **how)  # type: ignore[arg-type]
    assert done.contents.file_hash == ground.holdings.rows.file_hash(fresh)
    return fresh, done.left_out


def test_a_place_that_is_written_anew_holds_the_same_under_another_key(
    ground: Site, store: RequestStore, monday: Place, rows: list[Row]
) -> None:
    fresh, left_out = rewritten(ground, monday)
    assert (found(ground, fresh), left_out) == (answers(rows), 0)
    assert ground.keyring.load(fresh.key_name) != ground.keyring.load(monday.key_name)
    with store.reader(monday) as old, store.reader(fresh) as new:
        assert old is not None
        assert new is not None
        assert new.marks() == old.marks()
        assert new.gaps(Filters()) == old.gaps(Filters())
    checked = store.check(fresh, {}, is_sealed=True, advance=lambda _: None)
    assert (checked.rows, checked.fault) == (len(rows), "")
    assert found(ground, monday) == answers(rows)


def to_network(packed: bytes) -> bytes:
    return packed[:3] + bytes(1) if len(packed) == 4 else packed[:6] + bytes(10) if packed else b""


def test_addresses_are_cut_and_all_else_stays(ground: Site, monday: Place, rows: list[Row]) -> None:
    fresh, _ = rewritten(ground, monday, address=to_network)
    changed = found(ground, fresh)
    assert [cursor for cursor, _ in changed] == [row.cursor for row in rows]
    for (_, now), before in zip(changed, rows, strict=True):
        assert now.client_address == network_of(before.found.client_address).partition("/")[0]
        assert now.peer_address == network_of(before.found.peer_address).partition("/")[0]
        for name in set(now.__struct_fields__) - {"client_address", "peer_address"}:
            assert getattr(now, name) == getattr(before.found, name)


def test_somebodys_rows_are_left_out(ground: Site, store: RequestStore, monday: Place, rows: list[Row]) -> None:
    for one in (HERS, WITH_AGENT):
        fresh, left_out = rewritten(ground, monday, left_out=one)
        stay = [row for row in rows if not is_of(row, one)]
        assert (found(ground, fresh), left_out) == (answers(stay), len(rows) - len(stay))
        assert left_out > 0
        assert store.check(fresh, {}, is_sealed=True, advance=lambda _: None).fault == ""
        write(ground, fresh, batches(ground.corpus, monday))  # a segment that is read again
        assert found(ground, fresh) == answers(stay)


def test_a_draft_that_a_rewrite_left_is_thrown_away(ground: Site, store: RequestStore, monday: Place) -> None:
    fresh = new_place(ground, has_key=False)
    store.write_anew(monday, fresh)
    again = store.write_anew(monday, fresh)
    assert again.contents.file_hash == store.file_hash(fresh)
    assert found(ground, fresh) == found(ground, monday)
