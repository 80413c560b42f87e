from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import Executable, update

from consentkit import audit, control
from consentkit.audit import ChainReport, Listing, Verification
from consentkit.audit.entry import BEFORE_FIRST, Link
from consentkit.audit.memory import ChainMemory
from consentkit.control import Control
from consentkit.crypto import Keyring, Rotation
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

ACTOR = audit.Actor("liga", "cli")


@pytest.fixture
def opened(tmp_path: Path) -> Control:
    (tmp_path / "data").mkdir()
    return Control(tmp_path / "data", Keyring.open(tmp_path / "keys", ()))


def test_entries_are_numbered_and_follow_from_each_other(opened: Control) -> None:
    look = audit.Look("security", "17", "many failed sign-ins")
    first = audit.record(opened, ACTOR, "log.search", look=look, detail={"status": "401"}, rows=3)
    second = audit.record(opened, ACTOR, "log.search", look=look)
    with opened.transaction() as connection:
        assert list(audit.entries(connection)) == [first, second]
    assert (first.number, second.number, second.previous_hash) == (1, 2, first.hash)


@pytest.mark.parametrize(
    "statement",
    [
        update(control.audit).where(control.audit.c.number == 2).values(rows=0),
        update(control.audit).where(control.audit.c.number == 2).values(actor="nobody"),
        control.audit.delete().where(control.audit.c.number == 2),
        control.audit.delete().where(control.audit.c.number == 1),
    ],
    ids=["rows", "actor", "removed", "first removed"],
)
def test_a_changed_chain_names_the_first_place(opened: Control, statement: Executable) -> None:
    for _ in range(3):
        audit.record(opened, ACTOR, "log.search", look=audit.Look("security"), rows=7)
    with opened.transaction() as connection:
        connection.execute(statement)
    with opened.transaction() as connection, pytest.raises(audit.BrokenChain) as caught:
        list(audit.entries(connection))
    assert caught.value.number in (1, 2)


def test_the_database_is_not_readable_without_its_key(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    audit.record(Control(tmp_path / "data", Keyring.open(tmp_path / "keys", ())), ACTOR, "log.search")
    assert b"log.search" not in b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    (tmp_path / "keys" / "control" / "control.key").unlink()
    other = Keyring.open(tmp_path / "keys", ())
    other.make(control.KEY_NAME)
    with pytest.raises(StorageError, match=r"control\.db"):
        Control(tmp_path / "data", other)


def report(control: Control) -> ChainReport:
    verification = Verification(control)
    for _ in verification.walk():
        pass
    return verification.report()


def actions(control: Control) -> list[str]:
    with control.transaction() as connection:
        return [entry.action for entry in audit.entries(connection)]


def test_the_newest_entry_is_remembered_outside_the_database(opened: Control) -> None:
    assert ChainMemory(opened).read().link is None
    entry = audit.record(opened, ACTOR, "log.search")
    assert ChainMemory(opened).read().link == Link(entry.number, entry.hash)
    with opened.transaction() as connection:
        audit.append(connection, ACTOR, "one")
        last = audit.append(connection, ACTOR, "two")
    assert ChainMemory(opened).read().link == Link(last.number, last.hash)
    assert report(opened).is_good


def test_an_entry_that_was_rolled_back_is_not_remembered(opened: Control) -> None:
    first = audit.record(opened, ACTOR, "log.search")
    with contextlib.suppress(KeyError), opened.transaction() as connection:
        audit.append(connection, ACTOR, "log.search")
        raise KeyError
    assert ChainMemory(opened).read().link == Link(1, first.hash)


def test_what_is_remembered_never_moves_backwards(opened: Control) -> None:
    memory = ChainMemory(opened)
    for number in (0, 7, 3, 5):
        memory.keep(Link(number, f"{number:064}"), replacing=BEFORE_FIRST)
    assert memory.read().link == Link(7, f"{7:064}")


def test_a_process_that_was_killed_before_it_remembered_is_no_fault(opened: Control, tmp_path: Path) -> None:
    audit.record(opened, ACTOR, "log.search")
    shutil.copy(tmp_path / "keys/chain.head", tmp_path / "older")
    audit.record(opened, ACTOR, "log.search")
    shutil.copy(tmp_path / "older", tmp_path / "keys/chain.head")
    assert report(opened).is_good
    audit.record(opened, ACTOR, "log.search")
    assert actions(opened) == ["log.search"] * 3


def test_many_writers_remember_the_newest(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    keyring = Keyring.open(tmp_path / "keys", ())
    controls = [Control(tmp_path / "data", keyring) for _ in range(4)]

    def write(control: Control) -> None:
        for _ in range(10):
            audit.record(control, ACTOR, "log.search")

    threads = [threading.Thread(target=write, args=(control,)) for control in controls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    remembered = ChainMemory(controls[0]).read().link
    assert (remembered and remembered.number, set(actions(controls[0]))) == (40, {"log.search"})
    assert report(controls[0]).is_good


def test_a_lost_memory_is_told_once_and_until_it_is_accepted(opened: Control, tmp_path: Path) -> None:
    audit.record(opened, ACTOR, "log.search")
    for _ in range(2):
        (tmp_path / "keys/chain.head").unlink()
        audit.record(opened, ACTOR, "log.search")
    assert actions(opened).count("audit.put_back") == 1
    assert not report(opened).is_good
    assert audit.accept_put_back(opened, ACTOR, "the keys were restored") is not None
    assert report(opened).is_good
    (tmp_path / "keys/chain.head").unlink()
    audit.record(opened, ACTOR, "log.search")
    assert actions(opened).count("audit.put_back") == 2


def test_a_keys_folder_that_takes_nothing_stops_no_entry_and_is_told_once(
    opened: Control, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "keys/chain.lock").mkdir()  # also for root, who may write everywhere
    with caplog.at_level(logging.ERROR, "consentkit"):
        for _ in range(3):
            audit.record(opened, ACTOR, "log.search")
    assert actions(opened) == ["log.search"] * 3
    (told,) = [one.message for one in caplog.records if "can't be remembered" in one.message]
    assert str(tmp_path / "keys") in told
    assert not report(opened).is_good


def test_what_is_remembered_holds_after_the_root_key_was_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    keyring = Keyring.open(tmp_path / "keys", ())
    audit.record(Control(tmp_path / "data", keyring), ACTOR, "log.search")
    for _ in Rotation(keyring, new_root=True).steps():
        pass
    again = Control(tmp_path / "data", Keyring.open(tmp_path / "keys", ()))
    audit.record(again, ACTOR, "log.search")
    assert report(again).faults == ()


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        (Listing(), [6, 5, 4, 3, 2, 1]),
        (Listing(action="log.*"), [5, 3, 1]),
        (Listing(action="log.tai?"), [3]),
        (Listing(action="log%"), []),
        (Listing(action="a_b"), [6]),
        (Listing(actor="liga"), [4, 3, 2, 1]),
        (Listing(purpose="security"), [3, 1]),
        (Listing(case="17"), [1]),
        (Listing(until_us=1), []),
    ],
    ids=["all", "glob", "one letter", "no SQL", "underscore is itself", "actor", "purpose", "case", "time"],
)
def test_entries_are_listed_newest_first(opened: Control, listing: Listing, expected: list[int]) -> None:
    other = audit.Actor("maris", "admin")
    audit.record(opened, ACTOR, "log.search", look=audit.Look("security", "17"))
    audit.record(opened, ACTOR, "axb")
    audit.record(opened, ACTOR, "log.tail", look=audit.Look("security"))
    audit.record(opened, ACTOR, "period.sealed")
    audit.record(opened, other, "log.search", look=audit.Look("fraud"))
    audit.record(opened, other, "a_b")
    assert [entry.number for entry in audit.listed(opened, listing)] == expected


def test_a_listing_goes_on_where_the_last_page_ended(opened: Control) -> None:
    with opened.transaction() as connection:
        for _ in range(2500):
            audit.append(connection, ACTOR, "log.search")
    first = [entry.number for entry in audit.listed(opened, Listing(), limit=1200)]
    assert (first[0], first[-1], len(first)) == (2500, 1301, 1200)
    rest = [entry.number for entry in audit.listed(opened, Listing(), before=first[-1])]
    assert rest == list(range(1300, 0, -1))


def test_anchors_are_read_back_as_they_were_printed(opened: Control) -> None:
    anchors = []
    for _ in range(2):
        audit.record(opened, ACTOR, "log.search")
        with opened.transaction() as connection:
            anchors.append(audit.present_anchor(connection, "SIA Piemērs"))
    printed = b"\n\n".join(msgspec.json.encode(anchor) for anchor in reversed(anchors))
    assert audit.read_anchors(io.BytesIO(printed)) == anchors


GOOD_ANCHOR = {"format": "consentkit-anchor-1", "number": 1, "hash": "0" * 64, "time": "2026-03-02T00:00:00Z"}


@pytest.mark.parametrize(
    "line",
    [
        "", "\n", "no json", "[]", "\ufeff{}", "\x00",
        json.dumps({**GOOD_ANCHOR, "format": "other"}),
        json.dumps({**GOOD_ANCHOR, "number": -1}),
        json.dumps({**GOOD_ANCHOR, "number": "1"}),
        json.dumps({**GOOD_ANCHOR, "hash": "0" * 63}),
        json.dumps({**GOOD_ANCHOR, "hash": "G" * 64}),
        json.dumps(GOOD_ANCHOR) + "\n" + "half a li",
    ],
)  # fmt: skip
def test_what_is_no_anchor_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(audit.BadAnchor) as caught:
        audit.read_anchors(io.BytesIO(line.encode()))
    assert str(caught.value.line) in str(caught.value)
