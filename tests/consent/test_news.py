from __future__ import annotations

import time
from pathlib import Path

import pytest

from consentkit.consent.choice import Choice
from consentkit.consent.news import MAX_ADDITIONS, Addition, added_since
from consentkit.consent.policy import Policy, PolicyState, read_copy, write_copy
from consentkit.consent.registry import Registry
from consentkit.settings import Settings

VIDEO: dict[str, object] = {
    "id": "video",
    "name": "Example Video",
    "provider": "Example Video Limited",
    "category": "marketing",
    "purpose": "Plays videos",
    "hosts": ["video.example.net"],
    "country": "US",
}


def policy(*cookies: tuple[str, str, int], services: tuple[dict[str, object], ...] = ()) -> bytes:
    declared = [
        {"name": name, "category": category, "purpose": "p", "lifetime_days": days}
        for name, category, days in cookies
    ]
    table = {"site": {"operator": "SIA P"}, "consent": {"cookies": declared, "services": list(services)}}
    return Registry.build(Settings.from_mapping(table, base=Path("/srv"))).policy()


VISITS = ("visits", "statistics", 30)
FILM = {"name": "film", "lifetime_days": 9}


@pytest.mark.parametrize(
    ("old", "new", "added"),
    [
        (policy(VISITS), policy(VISITS), ()),
        (policy(VISITS), policy(VISITS, ("pages", "statistics", 1)), (Addition("statistics", "cookie", "pages"),)),
        (policy(VISITS), policy(("visits", "statistics", 90)), (Addition("statistics", "longer", "visits", 90),)),
        (policy(VISITS), policy(("visits", "statistics", 9)), ()),
        (policy(VISITS, ("pages", "statistics", 1)), policy(VISITS), ()),
        (policy(VISITS), policy(VISITS, ("theme", "preferences", 1)), (Addition("preferences", "category"),)),
        (
            policy(("ad", "marketing", 1)),
            policy(("ad", "marketing", 1), services=(VIDEO,)),
            (
                Addition("marketing", "service", "video"),
                Addition("marketing", "provider", "Example Video Limited"),
                Addition("marketing", "country", "US"),
            ),
        ),
        (
            policy(services=(VIDEO,)),
            policy(services=({**VIDEO, "cookies": [FILM], "storage_keys": ["seen"]},)),
            (
                Addition("marketing", "cookie", "film"),
                Addition("marketing", "storage", "seen"),
                Addition("+video", "cookie", "film"),
                Addition("+video", "storage", "seen"),
            ),
        ),
        (b"{", policy(VISITS), ()),
    ],
    ids=["nothing", "cookie", "longer", "shorter", "less", "category", "service", "to-a-service", "unreadable"],
)
def test_what_was_added_is_named(old: bytes, new: bytes, added: tuple[Addition, ...]) -> None:
    assert added_since(old, new) == added


def test_no_more_is_named_than_a_worker_should_hold() -> None:
    many = [(f"n{number}", "statistics", 1) for number in range(500)]
    assert len(added_since(policy(VISITS), policy(VISITS, *many))) == MAX_ADDITIONS


def test_a_newer_policy_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="can't be read"):
        added_since(policy(VISITS), b"{")


def test_the_sealed_copy_brings_back_what_is_new(tmp_path: Path) -> None:
    state = PolicyState(2, "h", {1: ("statistics",)}, {1: (Addition("statistics", "longer", "visits", 90),)})
    write_copy(tmp_path, b"k" * 32, state)
    assert read_copy(tmp_path, b"k" * 32, "h") == state


NEWS = (
    Addition("statistics", "cookie", "pages"),
    Addition("marketing", "category"),
    Addition("+video", "cookie", "f"),
)


def chosen(granted: str, denied: str, *services: str, revision: int = 1, age_s: int = 0) -> Choice:
    return Choice(
        frozenset(granted.split()),
        frozenset(denied.split()),
        revision,
        int(time.time()) - age_s,
        frozenset(services),
    )


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (None, []),
        (chosen("statistics", "preferences"), ["statistics", "marketing"]),
        (chosen("", "statistics preferences"), ["marketing"]),
        (chosen("", "statistics preferences marketing"), []),
        (chosen("", "statistics preferences marketing", "video"), ["+video"]),
        (chosen("", "preferences", age_s=200 * 86_400), ["statistics", "marketing"]),
        (chosen("statistics", "preferences", revision=3), []),
        (chosen("statistics", "preferences", revision=2), []),
    ],
    ids=["none", "granted", "denied", "all-denied", "service-by-itself", "expired", "present-policy", "untold"],
)
def test_a_visitor_is_told_of_what_is_asked_again_alone(choice: Choice | None, told: list[str]) -> None:
    state = PolicyState(3, "h", {1: ("marketing", "statistics", "+video"), 2: ()}, {1: NEWS})
    optional = ("preferences", "statistics", "marketing")
    policy = Policy(state, optional, 184, {"video": "marketing"})
    assert [each.where for each in policy.news(choice)] == told
