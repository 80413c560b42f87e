"""The ledger: what a row proves, and that two who write at once, or write again, leave one good chain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from consentkit.consent.ledger import decisions_of, record_decision, register_policy
from consentkit.consent.ledgercheck import count_decisions, verify_decisions
from consentkit.consent.registry import Registry, additions
from consentkit.consent.shown import text_hash
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.settings import Settings
from tests.consent.proofs import ID, OTHER_ID, POLICY, Ledger, decision, shown


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger(tmp_path_factory.mktemp("ledger") / "site")


@pytest.fixture
def ledger(original: Ledger, tmp_path: Path) -> Ledger:
    return original.copy(tmp_path / "site")


def policy(**categories: list[str]) -> bytes:
    cookies = [
        {"name": name, "category": category, "purpose": name}
        for category, names in categories.items()
        for name in names
    ]
    return Registry.build(Settings.from_mapping({"consent": {"cookies": cookies}}, base=Path("/srv"))).policy()


def test_a_policy_is_entered_once_and_tells_what_was_added_since(tmp_path: Path) -> None:
    control = Control(tmp_path, Keyring.open(tmp_path / "keys", ()))
    first = register_policy(control, policy(statistics=["a"], preferences=["p"]), additions)
    again = register_policy(control, policy(statistics=["a"], preferences=["p"]), additions)
    more = register_policy(control, policy(statistics=["a", "b"], preferences=["p"]), additions)
    less = register_policy(control, policy(statistics=["a"], preferences=["p"]), additions)
    assert (first.revision, again.revision, more.revision, less.revision) == (1, 1, 2, 3)
    assert more.renewed == {1: ("statistics",)}
    assert less.renewed == {1: ("statistics",), 2: ()}


def test_a_row_names_its_policy_and_its_text_by_hash_and_is_signed(ledger: Ledger) -> None:
    row = ledger.decide("statistics")
    assert (row.policy_hash, row.text_hash) == (text_hash(POLICY), text_hash(shown()))
    assert row.key_id == ledger.keys().keys[0].key_id
    assert len(row.signature) == 64
    assert row.written == row.minute > 0
    assert decisions_of(ledger.control, ID) == [row]


def test_a_text_is_kept_once_a_wording(ledger: Ledger) -> None:
    for granted in ("statistics", "", "statistics"):
        ledger.decide(granted)
    ledger.decide("", text=shown("Piekrītat tagad?"))
    with ledger.control.transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM shown_text").scalar() == 2


def test_what_a_visitor_has_just_said_makes_no_second_row(ledger: Ledger) -> None:
    first = ledger.decide("statistics", "preferences")
    assert ledger.decide("statistics", "preferences") == first
    assert ledger.decide("statistics", "preferences", OTHER_ID).number == 2
    assert ledger.decide("", "statistics").number == 3
    assert ledger.decide("statistics", "preferences").number == 4


def test_the_same_said_again_after_its_time_makes_a_row(ledger: Ledger) -> None:
    ledger.decide("statistics")
    ledger.sql("UPDATE decision SET minute = minute - 2")
    assert ledger.decide("statistics").number == 2


def test_refusals_without_an_id_are_each_a_row(ledger: Ledger) -> None:
    assert [ledger.decide("", "statistics", "").number for _ in range(2)] == [1, 2]


def at_once(*works: Callable[[], object]) -> None:
    start = threading.Barrier(len(works))
    faults: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        except BaseException as exc:  # noqa: BLE001 - told below, in the test's own thread
            faults.append(exc)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def opened_again(ledger: Ledger) -> Control:
    """The database as another worker has it."""
    return Control(ledger.directory, Keyring.open(ledger.keyring.folder, ()))


def test_two_workers_that_take_the_same_submit_at_once_make_one_row(ledger: Ledger) -> None:
    ledger.decide("statistics")
    controls = [opened_again(ledger) for _ in range(3)]
    at_once(*(partial(record_decision, one, decision("", "statistics")) for one in controls))
    assert [row.granted for row in ledger.rows()] == ["statistics", ""]


def test_workers_that_write_while_the_key_is_replaced_leave_a_chain_that_holds(ledger: Ledger) -> None:
    def decide(control: Control, prefix: str) -> None:
        for number in range(10):
            record_decision(control, decision("statistics", consent_id=f"{prefix}{number:021}"), shown=shown())

    def rotate() -> None:
        for _ in range(5):
            ledger.rotate()

    one, other = opened_again(ledger), opened_again(ledger)
    at_once(partial(decide, one, "a"), partial(decide, other, "b"), rotate)
    report = verify_decisions(ledger.control)
    assert (report.faults, report.decisions) == ((), 20)
    assert len(ledger.keys().keys) >= 5


def test_the_progress_of_a_check_adds_up_to_all_rows(ledger: Ledger) -> None:
    for number in range(5):
        ledger.decide("statistics", consent_id=f"{number:022}")
    done: list[float] = []
    assert verify_decisions(ledger.control, advance=done.append).is_good
    assert sum(done) == count_decisions(ledger.control) == 5


def test_a_row_of_which_nothing_was_handed_along_is_told_as_unproved(ledger: Ledger) -> None:
    ledger.decide("statistics", text=b"")
    report = verify_decisions(ledger.control)
    assert (report.is_good, report.unproved) == (True, 1)
