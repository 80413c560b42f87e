"""What a transaction promises, whichever database holds the control data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text

from consentkit import audit
from consentkit.audit import SYSTEM, Listing, Look
from consentkit.control import Control, JsonNumber, after_commit, misdated, total
from consentkit.control import audit as entries
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from tests.control.conftest import OpenControl

LARGEST = 2**63 - 1


def enter(control: Control, worker: str, number: int) -> None:
    row = {"first_sequence": number, "time_us": number, "since_us": -number, "until_us": number}
    with control.transaction() as connection:
        connection.execute(misdated.insert().values(worker=worker, segment=1, **row))


def test_what_has_ended_is_seen_by_all_and_what_failed_by_nobody(open_control: OpenControl) -> None:
    first, second = open_control(), open_control()
    enter(first, "a", 1)
    with pytest.raises(StorageError), first.transaction() as connection:  # noqa: PT012 - all of it is undone
        connection.execute(misdated.delete())
        connection.execute(text("SELECT 1 FROM nothing_such"))
    with second.reading() as connection:
        assert connection.execute(select(func.count()).select_from(misdated)).scalar_one() == 1


def test_a_reader_sees_the_moment_of_its_first_question(control: Control) -> None:
    enter(control, "a", 1)
    count = select(func.count()).select_from(misdated)
    with control.reading() as connection:
        assert connection.execute(count).scalar_one() == 1
        enter(control, "b", 1)
        assert connection.execute(count).scalar_one() == 1


def test_a_reader_waits_for_no_writer_and_can_not_write(control: Control) -> None:
    enter(control, "a", 1)
    with control.transaction() as writing:
        writing.execute(misdated.delete())
        with control.reading() as connection:
            assert connection.execute(select(misdated.c.worker)).scalar_one() == "a"
    with pytest.raises(StorageError, match="refused"), control.reading() as connection:
        connection.execute(misdated.delete())


def test_what_waits_for_the_end_is_done_once_and_not_after_a_failure(control: Control) -> None:
    done: list[str] = []
    with control.transaction() as connection:
        after_commit(connection, lambda: done.append("kept"))
        assert not done
    with pytest.raises(StorageError), control.transaction() as connection:  # noqa: PT012 - all of it is undone
        after_commit(connection, lambda: done.append("failed"))
        connection.execute(text("SELECT 1 FROM nothing_such"))
    enter(control, "a", 1)
    assert done == ["kept"]


def test_numbers_have_64_bits_and_sums_are_whole(control: Control) -> None:
    enter(control, "a", LARGEST)
    with control.reading() as connection:
        row = connection.execute(select(misdated)).one()
        assert (row.time_us, row.since_us) == (LARGEST, -LARGEST)
        assert connection.execute(select(total(misdated.c.first_sequence))).scalar_one() == LARGEST
        nobody = select(total(misdated.c.first_sequence)).where(misdated.c.worker == "b")
        none = connection.execute(nobody).scalar_one()
    assert (none, type(none)) == (0, int)


@pytest.mark.parametrize(
    "word",
    ["a\0b", "\ud800 half", "ā\0ы", "😀", "", "x" * 5000],
    ids=["null", "surrogate", "both", "astral", "empty", "long"],
)
def test_text_of_any_kind_is_taken_and_found_again(control: Control, word: str) -> None:
    enter(control, word, 1)
    with control.reading() as connection:
        assert connection.execute(select(misdated.c.worker).where(misdated.c.worker == word)).scalar() is not None


def test_text_is_ordered_by_code_points(control: Control) -> None:
    words = ["b", "B", "a-b", "ab", "ā", "a b", "Ž", "_"]
    for word in words:
        enter(control, word, 1)
    with control.reading() as connection:
        found = list(connection.execute(select(misdated.c.worker).order_by(misdated.c.worker)).scalars())
    assert found == sorted(words)


def test_an_entry_with_what_no_database_takes_still_follows_in_the_chain(control: Control) -> None:
    detail = {"opening": 7, "text": "a\0b", "backslash": "\\u0000", "word": "12"}
    audit.record(control, SYSTEM, "some.thing", look=Look("audit", "c\0", "r\0\ud800"), detail=detail)
    audit.record(control, SYSTEM, "other.thing")
    with control.transaction() as connection:
        first, _ = audit.entries(connection)
        asked = select(JsonNumber(entries.c.detail, "opening"), JsonNumber(entries.c.detail, "word"))
        found = connection.execute(asked.order_by(entries.c.number)).all()
    assert [row[0] for row in found] == [7, None]
    assert [row[1] for row in found] == [None, None]
    assert (first.case_id, first.reason) == ("c\ufffd", "r\ufffd?")
    assert first.detail == '{"backslash":"\\\\u0000","opening":7,"text":"a\ufffdb","word":"12"}'


@pytest.mark.parametrize("action", ["LOG.*", "log.*", "log.searc?", "log_*"])
def test_actions_are_found_by_a_glob_in_capitals_or_not(control: Control, action: str) -> None:
    audit.record(control, SYSTEM, "log.search")
    audit.record(control, SYSTEM, "login")
    found = [entry.action for entry in audit.listed(control, Listing(action=action))]
    assert found == ([] if action == "log_*" else ["log.search"])


def test_the_name_of_a_json_member_can_not_be_sql() -> None:
    with pytest.raises(ValueError, match="letters"):
        JsonNumber(entries.c.detail, "a' || '")
