from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Executable, update

from consentkit import audit, control
from consentkit.control import Control
from consentkit.crypto import Keyring
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
