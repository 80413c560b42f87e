"""What an answer means, before anything is recorded or set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consentkit.consent.choice import Consent
from consentkit.consent.registry import Registry
from consentkit.settings import Settings
from consentkit.visitor.answers import Submission
from consentkit.visitor.change import Change, change_by


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    cookies = [
        {"name": "theme", "category": "preferences", "purpose": "Light or dark"},
        {"name": "visits", "category": "statistics", "purpose": "Counts"},
    ]
    service = {"id": "map", "name": "Map", "provider": "Map", "category": "statistics", "purpose": "Shows the way"}
    table = {"consent": {"cookies": cookies, "services": [{**service, "hosts": ["map.example.com"]}]}}
    return Registry.build(Settings.from_mapping(table, base=Path(tmp_path_factory.mktemp("site"))))


def given(answer: Any, *ticked: str, **changes: Any) -> Submission:
    return Submission(
        answer=answer,
        ticked=frozenset(ticked),
        method="settings",
        locale="en",
        is_scripted=False,
        host="www.example.com",
        address="192.0.2.7",
        id_path="/consentkit",
        **changes,
    )


def consent(registry: Registry, granted: str = "", denied: str = "", services: str = "") -> Consent:
    sets = (frozenset(each.split()) for each in (granted, denied, services))
    now_granted, now_denied, now_services = sets
    return Consent(now_granted, now_denied, registry.categories, now_services, registry.service_categories)


@pytest.mark.parametrize(
    ("before", "answer", "granted", "denied", "services"),
    [
        pytest.param({}, given("accept"), "preferences statistics", "", "", id="all"),
        pytest.param({}, given("reject"), "", "preferences statistics", "", id="none"),
        pytest.param({}, given("save", "statistics"), "statistics", "preferences", "", id="some"),
        pytest.param(
            {}, given("save", "necessary", "x"), "", "preferences statistics", "", id="nothing that is asked"
        ),
        pytest.param(
            {"granted": "preferences"},
            given("save", "statistics", keeps=True),
            "preferences statistics",
            "",
            "",
            id="one more",
        ),
        pytest.param(
            {"granted": "preferences"},
            given("save", keeps=True, unticked=frozenset({"preferences"})),
            "",
            "preferences",
            "",
            id="one less, the other undecided",
        ),
        pytest.param({}, given("save", keeps=True, service="map"), "", "", "map", id="a service"),
        pytest.param(
            {}, given("save", "statistics", service="map"), "statistics", "preferences", "", id="needs none"
        ),
        pytest.param({}, given("save", keeps=True, service="other"), "", "", "", id="a service that is not there"),
        pytest.param({"services": "map"}, given("save"), "", "preferences statistics", "map", id="it stays"),
        pytest.param({"services": "map"}, given("save", keeps=True, removed="map"), "", "", "", id="taken away"),
        pytest.param({"services": "map"}, given("reject"), "", "preferences statistics", "", id="with all"),
    ],
)
def test_an_answer_leaves_in_force_what_it_says(
    registry: Registry, before: dict[str, str], answer: Submission, granted: str, denied: str, services: str
) -> None:
    after = change_by(answer, consent(registry, **before), registry).after
    assert (after.granted, after.denied) == (frozenset(granted.split()), frozenset(denied.split()))
    assert after.services == frozenset(services.split())


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param({}, {}, {"is_none"}, id="nothing"),
        pytest.param({}, {"denied": "statistics"}, set(), id="a refusal"),
        pytest.param({}, {"granted": "statistics"}, {"has_grant", "is_more"}, id="a grant"),
        pytest.param({"granted": "statistics"}, {"denied": "statistics"}, {"is_withdrawal"}, id="a withdrawal"),
        pytest.param(
            {"granted": "statistics"},
            {"granted": "preferences"},
            {"has_grant", "is_more", "is_withdrawal"},
            id="both",
        ),
        pytest.param({}, {"services": "map"}, {"has_grant", "is_more"}, id="a service"),
        pytest.param({"services": "map"}, {}, {"is_withdrawal"}, id="one less"),
        pytest.param({"services": "map"}, {"granted": "statistics"}, {"has_grant", "is_more"}, id="its category"),
        pytest.param(
            {"granted": "statistics"},
            {"services": "map"},
            {"has_grant", "is_withdrawal"},
            id="it alone of its category",
        ),
    ],
)
def test_a_change_tells_what_is_more_and_what_is_less(
    registry: Registry, before: dict[str, str], after: dict[str, str], said: set[str]
) -> None:
    change = Change(consent(registry, **before), consent(registry, **after))
    names = ("is_none", "has_grant", "is_more", "is_withdrawal")
    assert {name for name in names if getattr(change, name)} == said
