from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.canonical import renewals
from consentkit.consent.choice import MAX_SERVICES, MAX_TEXT_BYTES, Choice, ChoiceSigner, Consent, agreed, fits
from consentkit.consent.declared import DeclaredCookie
from consentkit.consent.policy import Policy, PolicyState

KEY = b"k" * 32
NOW = int(time.time())
OPTIONAL = ("preferences", "statistics", "marketing")


def choice(granted: str = "", denied: str = "", revision: int = 3, at: int = NOW) -> Choice:
    return Choice(frozenset(granted.split()), frozenset(denied.split()), revision, at)


def test_the_text_has_the_published_form() -> None:
    text = ChoiceSigner(KEY).write(choice("preferences", "statistics marketing", at=1763884800))
    assert text.startswith("v1.p1s0m0.3.1763884800.")
    assert len(text) <= MAX_TEXT_BYTES


@pytest.mark.parametrize(
    "given_choice",
    [
        choice(),
        choice("preferences"),
        choice("", "preferences statistics"),
        choice("preferences marketing", "statistics"),
    ],
    ids=["nothing", "granted", "denied", "mixed"],
)
def test_what_is_written_is_read(given_choice: Choice) -> None:
    signer = ChoiceSigner(KEY)
    assert signer.read(signer.write(given_choice).encode()) == given_choice


@given(position=st.integers(0, 200), flip=st.integers(1, 255))
def test_a_changed_text_is_none(position: int, flip: int) -> None:
    signer = ChoiceSigner(KEY)
    text = bytearray(signer.write(choice("statistics", "preferences")).encode())
    signature_at = text.rindex(b".") + 1
    text[position % len(text)] ^= flip
    read = signer.read(bytes(text))
    # Base64 has several spellings of the same signature ("_" and "/", unused bits of the last character): such a
    # change goes unseen, and changes nothing.
    is_of_signature = position % len(text) >= signature_at
    assert read is None or (is_of_signature and read == choice("statistics", "preferences"))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_error(text: bytes) -> None:
    assert ChoiceSigner(KEY).read(text) is None


def test_another_key_reads_nothing() -> None:
    text = ChoiceSigner(KEY).write(choice("statistics")).encode()
    assert ChoiceSigner(b"x" * 32).read(text) is None


def test_invented_texts_do_not_grow_the_memory() -> None:
    signer = ChoiceSigner(KEY)
    for number in range(10_000):
        signer.read(b"v1.p1.1.1.%d" % number)
    assert len(signer._read) <= 4096


@pytest.mark.parametrize(
    ("choices", "granted"),
    [
        ([choice("statistics preferences"), choice("statistics")], "statistics"),
        ([choice("statistics"), choice("", "statistics")], ""),
        ([choice("statistics")], "statistics"),
    ],
    ids=["one grants more", "one denies", "a single one"],
)
def test_several_choices_grant_what_all_of_them_grant(choices: list[Choice], granted: str) -> None:
    both = agreed(choices)
    assert both is not None
    assert both.granted == frozenset(granted.split())


def test_no_choice_agrees_on_none() -> None:
    assert agreed([]) is None


@pytest.mark.parametrize(
    ("given_choice", "allowed", "decided"),
    [
        (None, "", False),
        (choice("statistics", "preferences marketing"), "statistics", True),
        (choice("statistics"), "statistics", False),
        (choice("statistics preferences", "marketing", revision=2), "preferences", False),
        (choice("", "statistics preferences marketing", revision=2), "", True),
        (choice("statistics", "preferences marketing", revision=1), "", False),
        (choice("statistics", "preferences marketing", revision=9), "statistics", True),
        (choice("statistics", "preferences marketing", at=NOW - 185 * 86_400), "", False),
        (choice("statistics", "preferences marketing", at=NOW - 183 * 86_400), "statistics", True),
        (choice("statistics", "preferences marketing", at=NOW + 86_400), "", False),
    ],
    ids=[
        "none",
        "in force",
        "partly undecided",
        "something was added to one granted category",
        "a denial covers what comes later",
        "older than the history",
        "made with a newer version",
        "expired",
        "not yet expired",
        "from the future",
    ],
)
def test_a_policy_tells_what_a_choice_allows(given_choice: Choice | None, allowed: str, *, decided: bool) -> None:
    policy = Policy(PolicyState(3, "h", {2: ("statistics",)}), OPTIONAL, 184)
    consent = policy.consent(given_choice)
    assert {name for name in OPTIONAL if consent.allows(name)} == set(allowed.split())
    assert consent.decided is decided


def test_necessary_is_always_allowed_and_an_unknown_category_never() -> None:
    consent = Consent(frozenset(), frozenset(), OPTIONAL)
    assert consent.allows("necessary")
    assert not consent.allows("anything")
    assert consent.categories == {"preferences": False, "statistics": False, "marketing": False}


def with_services(*services: str, granted: str = "", revision: int = 3) -> Choice:
    return Choice(frozenset(granted.split()), frozenset(), revision, NOW, frozenset(services))


def test_services_allowed_one_by_one_stand_behind_the_categories() -> None:
    text = ChoiceSigner(KEY).write(with_services("vimeo", "google-maps", granted="preferences"))
    assert text.startswith(f"v1.p1+google-maps+vimeo.3.{NOW}.")
    assert ChoiceSigner(KEY).read(text.encode()) == with_services("vimeo", "google-maps", granted="preferences")


@pytest.mark.parametrize(
    "services",
    [[f"s{number:02}" for number in range(MAX_SERVICES)], ["a" * 64, "b" * 64, "c" * 64, "d" * 64, "e" * 64]],
    ids=["as many as may be", "as long as may be"],
)
def test_all_services_that_fit_are_read_again(services: list[str]) -> None:
    assert fits(services)
    text = ChoiceSigner(KEY).write(with_services(*services, granted="preferences statistics marketing"))
    assert len(text) <= MAX_TEXT_BYTES
    assert ChoiceSigner(KEY).read(text.encode()) is not None


@pytest.mark.parametrize(
    "services",
    [[f"s{number}" for number in range(MAX_SERVICES + 1)], [letter * 64 for letter in "abcdef"]],
    ids=["too many", "too long"],
)
def test_more_services_do_not_fit(services: list[str]) -> None:
    assert not fits(services)


def test_of_several_choices_a_service_is_allowed_where_all_allow_it() -> None:
    both = agreed([with_services("video", "map"), with_services("map")])
    assert both is not None
    assert both.services == {"map"}


DECLARED = {"video": "marketing", "map": "statistics", "basket": "necessary"}


@pytest.mark.parametrize(
    ("given_choice", "allowed"),
    [
        (None, {"basket"}),
        (with_services("video"), {"basket", "video"}),
        (with_services(granted="statistics"), {"basket", "map"}),
        (with_services("gone"), {"basket"}),
        (with_services("video", "map", revision=2), {"basket", "map"}),
        (with_services("video", "map", revision=1), {"basket"}),
        (with_services("video", revision=9), {"basket", "video"}),
    ],
    ids=["nothing", "one", "its category", "undeclared", "something was added to one", "too old", "newer"],
)
def test_a_policy_tells_which_services_a_choice_allows(given_choice: Choice | None, allowed: set[str]) -> None:
    policy = Policy(PolicyState(3, "h", {2: ("marketing", "+video")}), OPTIONAL, 184, DECLARED)
    consent = policy.consent(given_choice)
    assert {service for service in (*DECLARED, "gone") if consent.allows_service(service)} == allowed


def cookie(service: str) -> DeclaredCookie:
    return DeclaredCookie(name="c", category="marketing", purpose={"en": "Plays"}, provider="", service=service)


@pytest.mark.parametrize(("service", "passes"), [("video", True), ("map", False), ("", False)])
def test_an_allowed_services_cookies_may_be_used_and_no_others(service: str, *, passes: bool) -> None:
    consent = Consent(frozenset(), frozenset(), OPTIONAL, frozenset({"video"}), DECLARED)
    assert consent.allows_cookie(cookie(service)) is passes


def holding(*cookies: str, services: str = "video") -> bytes:
    category = (
        b'{"cookies":{%b},"third_party_cookies":{},"storage_keys":[],"services":[],"providers":[],"countries":[]}'
        % b",".join(b'"%b":1' % each.encode() for each in cookies)
    )
    each = b",".join(b'"%b":%b' % (name.encode(), category) for name in services.split())
    return b'{"format":1,"categories":{},"services":{%b}}' % each


@pytest.mark.parametrize(
    ("old", "new", "renewed"),
    [
        (holding("a"), holding("a", "b"), {"+video"}),
        (holding("a", "b"), holding("a"), set()),
        (holding("a"), holding("a", services="video map"), {"+map"}),
        (holding("a"), holding("a"), set()),
        (b'{"format":1,"categories":{}}', holding("a"), {"+video"}),
    ],
    ids=["cookie added", "cookie removed", "service added", "the same", "from before services were told apart"],
)
def test_a_service_is_asked_for_again_when_something_is_added_to_it(
    old: bytes, new: bytes, renewed: set[str]
) -> None:
    assert renewals(old, new) == renewed
