"""A form that is sent twice: one row while it says the same, and nothing kept that links a browser's answers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from consentkit.consent.doubles import KEPT_MINUTES
from consentkit.consent.ledger import record_decision
from consentkit.consent.ledgercheck import verify_decisions
from consentkit.consent.outcomes import WHOLE, Outcome
from tests.consent.proofs import ID, OTHER_ID, Ledger, decision
from tests.consent.test_ledger import at_once, opened_again

FORM = "a" * 64
OTHER_FORM = "b" * 64
COUNTED = (Outcome(WHOLE, "accepted"), Outcome("statistics", "accepted"))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger(tmp_path_factory.mktemp("ledger") / "site")


@pytest.fixture
def ledger(original: Ledger, tmp_path: Path) -> Ledger:
    return original.copy(tmp_path / "site")


def forms(ledger: Ledger) -> list[tuple[str, int]]:
    with ledger.control.transaction() as connection:
        found = connection.exec_driver_sql("SELECT digest, number FROM answered_form ORDER BY digest")
        return [(row[0], row[1]) for row in found]


@pytest.mark.parametrize(("granted", "denied"), [("statistics", ""), ("", "statistics")], ids=["grant", "refusal"])
def test_the_same_form_makes_one_row_and_keeps_its_first_id(ledger: Ledger, granted: str, denied: str) -> None:
    ids = (ID, OTHER_ID) if granted else ("", "")
    first, again = (ledger.decide(granted, denied, each, once=FORM) for each in ids)
    assert again == first
    assert ledger.rows() == [first]


@pytest.mark.parametrize(
    ("granted", "once"),
    [("statistics", OTHER_FORM), ("statistics", ""), ("", FORM), ("statistics,preferences", FORM)],
    ids=["another form", "no form", "refused", "more granted"],
)
def test_what_another_form_says_or_the_same_says_otherwise_is_a_row(
    ledger: Ledger, granted: str, once: str
) -> None:
    ledger.decide("statistics", "", ID, once=FORM)
    assert ledger.decide(granted, "", OTHER_ID, once=once).number == 2
    assert verify_decisions(ledger.control).is_good


def test_what_was_withdrawn_since_and_is_granted_again_is_a_row(ledger: Ledger) -> None:
    ledger.decide("statistics", "", ID, once=FORM)
    ledger.decide("", "statistics", ID)
    assert ledger.decide("statistics", "", OTHER_ID, once=FORM).number == 3


def test_who_has_an_id_is_never_given_that_of_another(ledger: Ledger) -> None:
    ledger.decide("", "statistics", OTHER_ID)
    ledger.decide("statistics", "", ID, once=FORM)
    assert ledger.decide("statistics", "", OTHER_ID, once=FORM).consent_id == OTHER_ID


def test_the_same_form_some_minutes_later_is_a_row(ledger: Ledger) -> None:
    ledger.decide("statistics", "", ID, once=FORM)
    ledger.sql(f"UPDATE decision SET minute = minute - {KEPT_MINUTES + 1}")
    assert ledger.decide("statistics", "", OTHER_ID, once=FORM).number == 2


@pytest.mark.parametrize("minutes", [-KEPT_MINUTES - 1, 1], ids=["past", "a clock that was set back"])
def test_forms_are_forgotten_with_the_next_decision_after_their_time(ledger: Ledger, minutes: int) -> None:
    ledger.decide("statistics", "", ID, once=FORM)
    ledger.sql(f"UPDATE answered_form SET minute = minute + {minutes}")
    ledger.decide("", "statistics", "", once=OTHER_FORM)
    assert forms(ledger) == [(OTHER_FORM, 2)]


def test_a_form_that_says_otherwise_stands_for_what_it_said_last(ledger: Ledger) -> None:
    ledger.decide("statistics", "", ID, once=FORM)
    ledger.decide("", "statistics", "", once=FORM)
    assert forms(ledger) == [(FORM, 2)]
    assert ledger.decide("statistics", "", OTHER_ID, once=FORM).number == 3


def test_workers_that_take_the_same_first_answer_at_once_make_one_row_and_one_count(ledger: Ledger) -> None:
    controls = [opened_again(ledger) for _ in range(4)]
    at_once(
        *(
            partial(record_decision, one, decision("statistics", consent_id=f"{number:022}"), COUNTED, once=FORM)
            for number, one in enumerate(controls)
        )
    )
    assert len(ledger.rows()) == 1
    with ledger.control.transaction() as connection:
        assert connection.exec_driver_sql("SELECT times FROM consent_rate").all() == [(1,), (1,)]
