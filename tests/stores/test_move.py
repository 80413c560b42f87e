"""Moving an embedded installation to a server: whole, verified, resumable, and nothing changed before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from consentkit import audit
from consentkit.archive.evidence import LogVerification, last_verification
from consentkit.archive.holdings import Holdings
from consentkit.archive.incident.opening import Opening
from consentkit.archive.incident.reading import reading
from consentkit.archive.moving import Move, finish
from consentkit.archive.moving.control import control_rows
from consentkit.archive.sealing import seal
from consentkit.archive.search import Archive
from consentkit.archive.store.interface import Filters
from consentkit.archive.store.places import Found, Place
from consentkit.archive.store.requeststore import CopyWriter
from consentkit.audit import SYSTEM
from consentkit.control import Control, metadata
from consentkit.errors import StorageError
from tests.archive.incidents import terms
from tests.archive.installation import DAYS, WORKER, detail
from tests.stores.conftest import SERVERS, Fresh
from tests.stores.corpus import Corpus
from tests.stores.sites import Site, Where

anywhere = pytest.mark.parametrize("backend", SERVERS, indirect=True)
# Where the control data moves too.
to_another_control = pytest.mark.parametrize(
    "backend", [one for one in SERVERS if "postgresql" in str(one.values[0])], indirect=True
)

NAMES = "embedded", "server"


@pytest.fixture
def left(corpus: Corpus, tmp_path: Path) -> Iterator[Site]:
    """An embedded installation: a sealed day, two open ones, and an incident."""
    site = Site(tmp_path, corpus, Where())
    site.drain()
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    opening = Opening(site.archive(), site.holdings, WORKER, "incident", terms(filters=Filters(since_us=1)))
    for _ in opening.run():
        pass
    with closing(site):
        yield site


@pytest.fixture
def there(left: Site, fresh: Fresh) -> Iterator[Holdings]:
    """The store that it moves to, still empty."""
    with fresh() as where:
        storage = msgspec.structs.replace(left.settings.storage, url=where.url, requests_url=where.requests_url)
        control = Control(left.directory, left.keyring, where.url) if where.url else left.control
        holdings = Holdings.open(storage, left.keyring, control)
        yield holdings
        holdings.rows.close()
        if where.url:
            control.close()


def found(site: Site, holdings: Holdings) -> list[Found]:
    return list(Archive(site.settings, holdings, resolvers=site.corpus.resolvers).search(Filters(), limit=0))


def held(holdings: Holdings) -> list[Found]:
    with reading(holdings, 1) as kept:
        return list(kept.rows(Filters()))


def moving(left: Site, there: Holdings) -> Move:
    return Move(left.holdings, there, WORKER, NAMES)


@anywhere
def test_everything_is_there_and_holds(left: Site, there: Holdings) -> None:
    rows, copy = found(left, left.holdings), held(left.holdings)
    passed: list[int] = []
    work = moving(left, there)
    total = work.rows()
    moved = work.run(advance=passed.append)

    assert moved.report.bad == []
    assert (moved.periods, moved.incidents, moved.rows) == (3, 1, len(rows) + len(copy))
    assert sum(passed) == total == 2 * moved.rows
    assert found(left, there) == rows
    assert held(there) == copy
    with there.control.transaction() as connection:
        [entry] = audit.newest_first(connection, "store.moved")
        verified = last_verification(connection)
    assert detail(entry) == {"from": "embedded", "to": "server", "periods": 3, "rows": moved.rows}
    assert verified is not None
    assert verified.is_good
    assert verified.until >= entry.number


@to_another_control
def test_the_control_data_is_the_same_but_for_what_the_move_changed(left: Site, there: Holdings) -> None:
    before = _tables(left.control)
    moving(left, there).run()
    after = _tables(there.control)

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"audit", "period", "incident", "installation"}
    assert after["audit"][: len(before["audit"])] == before["audit"]


@anywhere
def test_what_was_left_is_destroyed_key_first_and_the_rest_goes_on(left: Site, there: Holdings) -> None:
    rows = found(left, left.holdings)
    places = [period.place for period in left.catalogue().list()]
    moving(left, there).run()
    finish(left.holdings.rows, there, WORKER)
    finish(left.holdings.rows, there, WORKER)

    assert [left.keyring.was_destroyed(place.key_name) for place in places] == [True] * 3
    assert left.holdings.rows.lying("period") == []
    assert left.holdings.rows.lying("incident") == []
    assert (left.directory / "control.db").exists() == (there.control is left.control)
    assert found(left, there) == rows
    assert LogVerification(there).run().bad == []


@to_another_control
def test_nobody_goes_on_with_the_old_settings(left: Site, there: Holdings) -> None:
    moving(left, there).run()
    with pytest.raises(StorageError, match=r"was moved to server: set storage\.url"):
        Control(left.directory, left.keyring)


class _Broken(Exception):
    pass


@anywhere
def test_a_move_that_breaks_off_changes_nothing_and_goes_on(
    left: Site, there: Holdings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, entries, states = found(left, left.holdings), left.actions(), left.states()
    store, copies = type(there.rows), list[Place]()
    copy = store.copy

    def breaking(self: object, place: Place) -> CopyWriter:
        copies.append(place)
        if len(copies) == 3:
            raise _Broken
        return copy(there.rows, place)

    monkeypatch.setattr(store, "copy", breaking)
    with pytest.raises(_Broken):
        moving(left, there).run()
    assert (left.actions(), left.states()) == (entries, states)
    assert found(left, left.holdings) == rows
    if there.control is not left.control:
        assert control_rows(there.control) == 0

    assert moving(left, there).run().report.bad == []
    # The two that were whole are not copied again; the third is.
    assert [place.stem for place in copies[3:]].count(copies[2].stem) == 1
    assert {place.stem for place in copies[:2]}.isdisjoint(place.stem for place in copies[3:])
    assert found(left, there) == rows


@anywhere
def test_a_copy_that_is_not_the_same_is_refused(
    left: Site, there: Holdings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = type(there.rows)
    copy = store.copy

    class Losing:
        def __init__(self, place: Place) -> None:
            self._writer = copy(there.rows, place)

        def __enter__(self) -> Losing:
            self._writer.__enter__()
            return self

        def __exit__(self, *details: object) -> None:
            self._writer.__exit__(*details)

        def add(self, page: list[Found]) -> None:
            self._writer.add(page[1:])

        def finish(self, gaps: object) -> None:
            self._writer.finish(gaps)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(store, "copy", lambda _, place: Losing(place))
        with pytest.raises(StorageError, match=r"are not the .* that were copied"):
            moving(left, there).run()
    assert moving(left, there).run().report.bad == []


@to_another_control
def test_a_database_with_an_installation_in_it_is_refused(left: Site, there: Holdings) -> None:
    audit.record(there.control, WORKER, "settings.in_force", detail={})
    with pytest.raises(StorageError, match="is not empty"):
        moving(left, there)


def _tables(control: Control) -> dict[str, list[tuple[object, ...]]]:
    with control.reading() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            if table.name != "audit"
            else [tuple(row) for row in connection.execute(select(table).order_by(table.c.number))]
            for table in metadata.sorted_tables
        }
