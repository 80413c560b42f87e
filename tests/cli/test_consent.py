from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from consentkit import control
from consentkit.audit import BrokenChain
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import decisions_of, record_decision, register_policy, verify_decisions
from consentkit.consent.registry import Registry, additions
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.settings import Settings

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
ID = "A" * 22


def decision(granted: str, denied: str = "", consent_id: str = ID) -> Decision:
    return Decision(
        consent_id=consent_id, granted=granted, denied=denied, method="banner", revision=1, locale="lv", script=1
    )


@pytest.fixture
def opened(config: Path) -> Control:
    storage = Settings.load(config).storage
    storage.directory.mkdir()
    return Control(storage.directory, Keyring.open(storage.keys, ()))


def test_every_decision_of_a_visitor_is_shown_oldest_first(consentkit: Command, opened: Control) -> None:
    record_decision(opened, decision("preferences,statistics"))
    record_decision(opened, decision("", "preferences,statistics", consent_id=""))
    record_decision(opened, decision("statistics", "preferences"))
    done = consentkit("consent", "show", ID, "--json", "--purpose", "person")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["granted"] for row in rows] == [["preferences", "statistics"], ["statistics"]]
    assert [row["number"] for row in rows] == [1, 3]
    assert rows[1]["previous_number"] == 1
    assert rows[0]["time"].endswith("Z")


def test_without_a_purpose_no_decision_is_shown(consentkit: Command, opened: Control) -> None:
    record_decision(opened, decision("statistics"))
    done = consentkit("consent", "show", ID)
    assert (done.returncode, done.stdout) == (2, "")


def test_what_is_no_consent_id_is_refused(consentkit: Command, opened: Control) -> None:
    done = consentkit("consent", "show", "nonsense", "--purpose", "person")
    assert done.returncode == 2
    assert "consent id" in done.stderr


def test_a_changed_decision_breaks_the_chain(opened: Control) -> None:
    for granted in ("statistics", "", "preferences"):
        record_decision(opened, decision(granted))
    assert verify_decisions(opened) == 3
    with opened.transaction() as connection:
        connection.execute(
            update(control.decision).where(control.decision.c.number == 2).values(granted="marketing")
        )
    with pytest.raises(BrokenChain) as caught:
        verify_decisions(opened)
    assert caught.value.number == 2
    assert [row.granted for row in decisions_of(opened, ID)] == ["statistics", "marketing", "preferences"]


def policy(**categories: list[str]) -> bytes:
    registry = {
        "consent": {
            "cookies": [
                {"name": name, "category": category, "purpose": name}
                for category, names in categories.items()
                for name in names
            ]
        }
    }
    return Registry.build(Settings.from_mapping(registry, base=Path("/srv"))).policy()


def test_a_policy_is_entered_once_and_tells_what_was_added_since(opened: Control) -> None:
    first = register_policy(opened, policy(statistics=["a"], preferences=["p"]), additions)
    again = register_policy(opened, policy(statistics=["a"], preferences=["p"]), additions)
    more = register_policy(opened, policy(statistics=["a", "b"], preferences=["p"]), additions)
    less = register_policy(opened, policy(statistics=["a"], preferences=["p"]), additions)
    assert (first.revision, again.revision, more.revision, less.revision) == (1, 1, 2, 3)
    assert more.renewed == {1: ("statistics",)}
    assert less.renewed == {1: ("statistics",), 2: ()}
