from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.choice import MAX_TEXT_BYTES, Choice, ChoiceSigner, Consent, agreed
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
    text[position % len(text)] ^= flip
    read = signer.read(bytes(text))
    # The last character of a base64 text has bits that stand for nothing: that change alone goes unseen.
    assert read is None or (position % len(text) == len(text) - 1 and read == choice("statistics", "preferences"))


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
