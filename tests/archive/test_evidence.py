"""Every manipulation of what is kept makes the verification fail, and names the place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from consentkit import audit
from consentkit.archive.sealing import seal
from consentkit.audit import SYSTEM
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision
from consentkit.consent.ledgercheck import verify_decisions
from tests.archive.installation import (
    DAYS,
    WORKER,
    Installation,
)
from tests.archive.tampering import (
    CUT,
    GONE,
    OPEN,
    SEALED,
    change_a_row,
    control,
    cut,
    faults,
    file,
    flip,
    key_file,
    put_the_database_back,
    rechain,
    rename_actors,
    sql,
    swap,
    write,
)


@pytest.fixture
def site(evident: Installation) -> Installation:
    """An installation to be tampered with."""
    return evident


# What somebody did, and in which place the verification finds what.


def remove_a_row(site: Installation, name: str) -> None:
    sql(site, name, "DELETE FROM request WHERE batch = 2", is_restated=True)


def add_a_row(site: Installation, name: str) -> None:
    columns = "batch, 9, client, agent, resource, referrer, 800, 1, 1"
    sql(site, name, f"INSERT INTO request SELECT id + 7, {columns} FROM request WHERE batch = 2", is_restated=True)


def reorder_rows(site: Installation, name: str) -> None:
    sql(
        site,
        name,
        "UPDATE request SET batch = -batch WHERE batch IN (1, 2)",
        "UPDATE request SET batch = 3 + batch WHERE batch < 0",
        is_restated=True,
    )


def cut_the_last_batch(site: Installation, name: str) -> None:
    sql(
        site, name, "DELETE FROM request WHERE batch = 3", "DELETE FROM batch WHERE id = 3",
        "DELETE FROM resource WHERE id = 3", is_restated=True,
    )  # fmt: skip


def put_an_older_copy_back(site: Installation, _: str) -> None:
    older = file(site, OPEN).read_bytes()
    write(site, 3, "/later")
    file(site, OPEN).write_bytes(older)


def put_an_earlier_seal_back(site: Installation, name: str) -> None:
    older = file(site, name).read_bytes()
    write(site, 1, "/late")
    seal(site.holdings, site.period(name), SYSTEM)
    file(site, name).write_bytes(older)


def put_the_old_generation_back(site: Installation, name: str) -> None:
    kept_file, kept_key = file(site, name).read_bytes(), key_file(site, name).read_bytes()
    cut(site, name)
    key_file(site, name).write_bytes(kept_key)
    (site.directory / "requests" / f"{name}.1.db").write_bytes(kept_file)
    control(site, f"UPDATE period SET generation = 1, is_truncated = 0 WHERE name = '{name}'")


def remove_wholly(site: Installation, name: str) -> None:
    file(site, name).unlink()
    key_file(site, name).unlink()
    control(site, f"DELETE FROM period WHERE name = '{name}'")


def forge_a_certificate(site: Installation, name: str) -> None:
    """Destroy by hand, and write the certificate as it would stand, with a right hash."""
    period = site.period(name)
    file(site, name).unlink()
    site.keyring.destroy(period.key_name, is_remembered=True)
    control(site, f"UPDATE period SET state = 'destroyed' WHERE name = '{name}'")
    audit.record(
        site.control, SYSTEM, "period.destroyed", detail={"period": name, "generation": period.generation}
    )


def put_a_key_back(site: Installation, name: str) -> None:
    shutil.copy(key_file(site, SEALED), key_file(site, name))


def put_a_file_back(site: Installation, name: str) -> None:
    shutil.copy(file(site, SEALED), site.directory / "requests" / f"{name}.1.db")


def plant_a_file(site: Installation, _: str) -> None:
    (site.directory / "requests" / "2026-02-30.1.db").write_bytes(b"planted")


def plant_a_generation(site: Installation, name: str) -> None:
    shutil.copy(file(site, SEALED), site.directory / "requests" / f"{name}.2.db")


def plant_a_journal(site: Installation, name: str) -> None:
    file(site, name).with_name(f"{file(site, name).name}-wal").write_bytes(b"planted")


def mark(**values: str) -> Callable[[Installation, str], None]:
    def do(site: Installation, name: str) -> None:
        changes = ", ".join(f"{column} = '{value}'" for column, value in values.items())
        control(site, f"UPDATE period SET {changes} WHERE name = '{name}'")

    return do


def in_control(*statements: str) -> Callable[[Installation, str], None]:
    return lambda site, _: control(site, *statements)


def in_rows(statement: str) -> Callable[[Installation, str], None]:
    return lambda site, name: sql(site, name, statement)


PERIODS: list[tuple[str, Callable[[Installation, str], object], str, str]] = [
    ("row changed, open", change_a_row, OPEN, "rows of batch 2 are not those noted in entry"),
    ("row changed, sealed", change_a_row, SEALED, "not the one that entry 14 sealed; its rows of batch 2"),
    ("row changed, truncated", change_a_row, CUT, "sealed; its rows of batches 1 to 3"),
    ("row removed, open", remove_a_row, OPEN, "rows of batch 2"),
    ("row removed, sealed", remove_a_row, SEALED, "rows of batch 2"),
    ("row added, open", add_a_row, OPEN, "rows of batch 2"),
    ("row added, sealed", add_a_row, SEALED, "rows of batch 2"),
    ("rows reordered, open", reorder_rows, OPEN, "rows of batch 1"),
    ("rows reordered, sealed", reorder_rows, SEALED, "rows of batch 1"),
    ("row of no batch", in_rows("INSERT INTO referrer VALUES (99, 'example.org')"), OPEN, "belong to no batch"),
    ("digest changed", in_rows("UPDATE digest SET head = zeroblob(32)"), OPEN, "not those that its own digest"),
    ("last batch cut off, open", cut_the_last_batch, OPEN, "batch 3, noted in entry 12, is missing"),
    ("last batch cut off, sealed", cut_the_last_batch, SEALED, "batch 3, noted in entry 14, is missing"),
    ("page flipped, open", lambda site, name: flip(file(site, name), -2000), OPEN, "can't be read"),
    ("page flipped, sealed", lambda site, name: flip(file(site, name), -2000), SEALED, "not the one that entry"),
    ("byte at the very end", lambda site, name: flip(file(site, name), -1), SEALED, "not the one that entry"),
    ("tail of the file cut", lambda site, name: file(site, name).write_bytes(b""), SEALED, "not the one that"),
    ("older copy put back", put_an_older_copy_back, OPEN, "older copy, or cut off"),
    ("earlier seal put back", put_an_earlier_seal_back, SEALED, "not the one that entry"),
    (
        "old generation put back",
        put_the_old_generation_back,
        SEALED,
        "is listed with generation 1; the audit says",
    ),
    ("files swapped", lambda site, name: swap(file(site, name), file(site, OPEN)), SEALED, "not the one that"),
    ("keys swapped", lambda site, name: swap(key_file(site, name), key_file(site, OPEN)), SEALED, "its key"),
    ("file gone", lambda site, name: file(site, name).unlink(), OPEN, "its file is missing, and it has no cert"),
    ("key gone", lambda site, name: key_file(site, name).unlink(), SEALED, "is not in the keys folder"),
    ("key damaged", lambda site, name: flip(key_file(site, name), 30), OPEN, "is damaged"),
    ("all of it gone, sealed", remove_wholly, SEALED, "is not listed any more, and has no certificate"),
    ("all of it gone, open", remove_wholly, OPEN, "is not listed any more, and has no certificate"),
    ("certificate forged", forge_a_certificate, SEALED, "was never announced: forged"),
    ("marked destroyed", mark(state="destroyed"), SEALED, "is listed as destroyed without a certificate"),
    ("marked destroying", mark(state="destroying"), OPEN, "is listed as destroying without a certificate"),
    ("marked open again", mark(state="open"), SEALED, "is listed as open; the audit says sealed"),
    ("another hash listed", mark(file_hash="0" * 64), SEALED, "is listed with another hash than entry"),
    ("marked live again", mark(state="sealed"), GONE, "is listed as sealed; the audit says destroyed"),
    ("destroyed one not listed", in_control(f"DELETE FROM period WHERE name = '{GONE}'"), GONE, "not listed any"),
    ("key put back", put_a_key_back, GONE, "a key of generation 1 is there again, after its certificate"),
    ("file put back", put_a_file_back, GONE, "a file of generation 1 is there again, after its certificate"),
    ("file of a destroyed generation", put_a_file_back, CUT, "a file of generation 1 is there again, which was"),
    ("file that nobody lists", plant_a_file, "2026-02-30.1.db", "a file is there that no period has"),
    ("generation that nobody made", plant_a_generation, SEALED, "that no entry of the audit knows of"),
    ("log beside a sealed file", plant_a_journal, SEALED, "-wal lies beside its sealed file"),
]


@pytest.mark.parametrize(
    ("manipulate", "place", "expected"), [row[1:] for row in PERIODS], ids=[row[0] for row in PERIODS]
)
def test_a_manipulated_period_is_named(
    site: Installation, manipulate: Callable[[Installation, str], object], place: str, expected: str
) -> None:
    manipulate(site, place)
    found = faults(site)
    assert expected in found[place]
    assert not [other for other in found if other in DAYS and other not in (place, OPEN)]


def restart_the_chain(site: Installation) -> None:
    control(site, "DELETE FROM audit")
    audit.record(site.control, SYSTEM, "settings.in_force")


def cut_and_go_on(site: Installation) -> None:
    control(site, "DELETE FROM audit WHERE number > 15")
    for _ in range(7):
        audit.record(site.control, WORKER, "log.search")


def forge_the_memory(site: Installation) -> None:
    forged = {"format": "consentkit-chain-1", "number": 2, "hash": "0" * 64, "mac": "0" * 64}
    (site.keyring.folder / "chain.head").write_text(json.dumps(forged))


def in_chain(*statements: str) -> Callable[[Installation], None]:
    return lambda site: control(site, *statements)


EXCHANGED = (
    "UPDATE audit SET number = -number WHERE number IN (4, 5)",
    "UPDATE audit SET number = 9 + number WHERE number < 0",
)
CUT_OFF = "says that the database was put back to an older copy, or entries were cut off"
CHAIN: list[tuple[str, Callable[[Installation], None], str, str]] = [
    ("changed", in_chain("UPDATE audit SET rows = 9 WHERE number = 5"), "entry 5", "entry 5 was changed"),
    ("removed", in_chain("DELETE FROM audit WHERE number = 5"), "entry 5", "entry 5 is missing"),
    ("front removed", in_chain("DELETE FROM audit WHERE number < 5"), "entry 1", "entry 1 is missing"),
    ("exchanged", in_chain(*EXCHANGED), "entry 4", "entry 4 was changed"),
    ("tail cut off", in_chain("DELETE FROM audit WHERE number > 15"), "entry 19", "the audit ends at entry 15"),
    ("all removed", in_chain("DELETE FROM audit"), "entry 19", "the audit ends at entry 0"),
    ("tail cut off and gone on with", cut_and_go_on, "entry 16", CUT_OFF),
    ("chain restarted", restart_the_chain, "entry 1", CUT_OFF),
    ("rewritten", lambda site: rechain(site, rename_actors), "entry 19", "remembered entry 19 is another one"),
    ("left out", lambda site: rechain(site, lambda all_: all_[:4] + all_[5:]), "entry 19", "entry 19 is missing"),
    ("old database put back", put_the_database_back, "entry 20", "remembered entry 20 is missing"),
    ("memory gone", lambda site: (site.keyring.folder / "chain.head").unlink(), "the remembered entry", "is gone"),
    ("memory forged", forge_the_memory, "the remembered entry", "is not this database's"),
]


@pytest.mark.parametrize(
    ("manipulate", "place", "expected"), [row[1:] for row in CHAIN], ids=[row[0] for row in CHAIN]
)
def test_a_manipulated_audit_is_named(
    site: Installation, manipulate: Callable[[Installation], None], place: str, expected: str
) -> None:
    manipulate(site)
    assert expected in faults(site)[place]


def test_a_changed_decision_is_named(site: Installation) -> None:
    for _ in range(3):
        record_decision(site.control, Decision(consent_id="", granted="", denied="statistics", method="banner",
            revision=1, locale="lv", script=0))  # fmt: skip
    control(site, "UPDATE decision SET granted = 'statistics' WHERE number = 2")
    assert [fault.place for fault in verify_decisions(site.control).faults] == ["decision 2"]
