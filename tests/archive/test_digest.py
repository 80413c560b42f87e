"""The running digest: what is written and what is read again give one head, and every change gives another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consentkit.archive.period import new_period
from consentkit.archive.store.interface import Batch, Misfiled
from consentkit.archive.store.sqlite import recompute
from consentkit.archive.store.sqlite.digest import digest_key, stored_head
from consentkit.archive.store.sqlite.periodfile import PeriodFile
from consentkit.archive.store.sqlite.recompute import recomputed_heads, restate, unclaimed_rows
from consentkit.requestlog.record import Gap
from tests.archive.installation import MONDAY, RESOLVERS, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consentkit.requestlog.record import Entry

KEY = bytes(range(32))


@pytest.fixture
def period_file(tmp_path: Path) -> Iterator[PeriodFile]:
    file = PeriodFile.open(tmp_path / "period.db", KEY, new_period(MONDAY, "day").place, RESOLVERS)
    for segment in (1, 2, 1):
        first = 10 if file.mark("w", segment) else 0
        entries = [
            (first + n, request(MONDAY + n // 2, f"/{segment}/{n}", address=f"192.0.2.{n}")) for n in range(4)
        ]
        gap = (first + 4, Gap(MONDAY, MONDAY + 9, 3, "sampled", "192.0.2.0/24"))
        file.apply([Batch("w", segment, [*entries, gap])])
    yield file
    file.close()


def test_what_was_written_is_read_again_to_the_same_head(period_file: PeriodFile) -> None:
    heads = list(recomputed_heads(period_file.connection, digest_key(KEY)))
    assert [head.batch for head in heads] == [1, 2, 3]
    assert heads[-1] == period_file.head == stored_head(period_file.connection)
    assert unclaimed_rows(period_file.connection) == 0


@pytest.mark.parametrize("rows", [1, 4, 5, 100], ids="{} rows at once".format)
def test_the_heads_are_the_same_however_few_rows_are_read_at_once(
    period_file: PeriodFile, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    late: list[tuple[int, Entry]] = [(n, request(MONDAY + n % 7, f"/late/{n}")) for n in range(40)]
    period_file.apply([Batch("w", 9, late[:20], None), Batch("w", 8, late, Misfiled(0, MONDAY, MONDAY, MONDAY))])
    heads = list(recomputed_heads(period_file.connection, digest_key(KEY)))
    monkeypatch.setattr(recompute, "_ROWS_A_STRETCH", rows)
    monkeypatch.setattr(recompute, "_ROWS_A_ROUND", 1 + rows // 10)
    assert list(recomputed_heads(period_file.connection, digest_key(KEY))) == heads
    assert heads[-1] == period_file.head
    assert restate(period_file.connection, digest_key(KEY)) != heads[-1]
    assert unclaimed_rows(period_file.connection) == 0


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 65_535, 65_536])
def test_rows_read_one_by_one_are_hashed_as_a_list_of_them_is(period_file: PeriodFile, rows: int) -> None:
    period_file.apply([Batch("w", 7, [(n, request(MONDAY + n, "/many")) for n in range(rows)])])
    assert list(recomputed_heads(period_file.connection, digest_key(KEY)))[-1] == period_file.head


@pytest.mark.parametrize("requests", ["-1", "2", "1 << 40", "'many'"])
def test_a_batch_that_names_another_number_of_requests_gives_another_head(
    period_file: PeriodFile, requests: str
) -> None:
    period_file.connection.execute(f"UPDATE batch SET requests = {requests} WHERE id = 2")
    heads = list(recomputed_heads(period_file.connection, digest_key(KEY)))
    assert [head.batch for head in heads] == [1, 2, 3]
    assert heads[-1] != period_file.head


def test_a_request_whose_batch_is_no_number_is_missed_in_the_head(period_file: PeriodFile) -> None:
    period_file.connection.execute("UPDATE request SET batch = 'x' WHERE batch = 1 AND sequence = 0")
    assert list(recomputed_heads(period_file.connection, digest_key(KEY)))[-1] != period_file.head
    assert unclaimed_rows(period_file.connection) == 1


def test_the_digest_goes_on_after_the_file_was_closed(period_file: PeriodFile, tmp_path: Path) -> None:
    again = PeriodFile.open(tmp_path / "period.db", KEY, period_file.place, RESOLVERS)
    again.apply([Batch("w", 9, [(0, request(MONDAY + 77, "/late"))])])
    assert list(recomputed_heads(again.connection, digest_key(KEY)))[-1] == again.head
    again.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE request SET result = 1616 WHERE sequence = 2 AND batch = 1",
        "DELETE FROM request WHERE sequence = 3 AND batch = 2",
        "INSERT INTO request SELECT id + 7, batch, 99, client, agent, resource, referrer, 800, 1, 1"
        " FROM request LIMIT 1",
        "UPDATE request SET sequence = 50 - sequence WHERE batch = 1",
        "UPDATE request SET id = id + 200 WHERE batch = 1 AND sequence = 1",
        "UPDATE request SET batch = 2 WHERE batch = 1 AND sequence = 1",
        "UPDATE client SET address = x'c0000263' WHERE id = 2",
        "UPDATE resource SET path = '/other' WHERE id = 1",
        "UPDATE agent SET browser = 'Other'",
        "UPDATE referrer SET host = 'example.org'",
        "UPDATE segment SET worker = 'x' WHERE id = 1",
        "UPDATE gap SET lost = 0 WHERE batch = 3",
        "DELETE FROM gap WHERE batch = 1",
        "UPDATE batch SET next_sequence = 0 WHERE id = 2",
        "DELETE FROM batch WHERE id = 3",
        "INSERT INTO misdated SELECT id, 1 FROM request LIMIT 1",
    ],
)
def test_each_change_gives_another_head(period_file: PeriodFile, change: str) -> None:
    head = period_file.head
    period_file.connection.execute(change)
    assert list(recomputed_heads(period_file.connection, digest_key(KEY)))[-1] != head


@pytest.mark.parametrize(
    "addition",
    [
        "INSERT INTO request SELECT id + 7, 99, 1, client, agent, resource, referrer, 800, 1, 1"
        " FROM request LIMIT 1",
        "INSERT INTO client SELECT 99, x'c00002ff', peer, source, country, city FROM client LIMIT 1",
        "INSERT INTO referrer VALUES (99, 'example.org')",
        "INSERT INTO segment VALUES (99, 'x', 1, 0)",
        "INSERT INTO gap SELECT since_us, until_us, 1, reason, network, 99, 1 FROM gap LIMIT 1",
        "INSERT INTO misdated VALUES (12345, 1)",
        "DELETE FROM visit WHERE client = 1",
    ],
)
def test_what_belongs_to_no_batch_is_counted(period_file: PeriodFile, addition: str) -> None:
    period_file.connection.execute(addition)
    assert unclaimed_rows(period_file.connection) == 1


def test_a_refused_batch_leaves_the_head_as_it_was(period_file: PeriodFile) -> None:
    head = period_file.head
    period_file.connection.execute("CREATE TRIGGER no BEFORE INSERT ON gap BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(Exception, match="can't be written"):
        period_file.apply([Batch("w", 3, [(0, request(MONDAY, "/x")), (1, Gap(1, 2, 3, "full"))])])
    assert period_file.head == head == stored_head(period_file.connection)
    period_file.connection.execute("DROP TRIGGER no")
    period_file.apply([Batch("w", 3, [(0, request(MONDAY, "/x"))])])
    assert list(recomputed_heads(period_file.connection, digest_key(KEY)))[-1] == period_file.head


def test_a_file_written_anew_begins_its_digest_anew(period_file: PeriodFile) -> None:
    head = period_file.head
    period_file.connection.execute("DELETE FROM request WHERE client = 1")
    assert restate(period_file.connection, digest_key(KEY)) != head
    assert list(recomputed_heads(period_file.connection, digest_key(KEY)))[-1] == stored_head(
        period_file.connection
    )
    assert unclaimed_rows(period_file.connection) == 0
