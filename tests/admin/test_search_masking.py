"""Masked addresses, and the tokens that stand for them in links."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.admin.masking import BadToken, Mask, masked
from consentkit.admin.visit import Entrant
from consentkit.crypto import Keyring

ROLES = frozenset({"investigator"})


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring.open(tmp_path_factory.mktemp("keys"), ("a secret of at least 32 characters",))


def mask(keyring: Keyring, session: int = 7, name: str = "liga") -> Mask:
    return Mask(keyring, Entrant(name=name, roles=ROLES, address="192.0.2.7", session=session))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("203.0.113.7", "203.0.•.•"),
        ("203.0.113.0/24", "203.0.•.•"),
        ("2001:db8:1:2::7", "2001:db8:•"),
        ("2001:db8::/32", "2001:db8:•"),
        ("::1", "0:0:•"),
        ("", ""),
        ("unknown", "•"),
    ],
)
def test_of_an_address_the_part_that_names_a_person_is_hidden(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_a_token_opens_in_its_own_session_alone(keyring: Keyring) -> None:
    token = mask(keyring).seal("203.0.113.7")
    assert mask(keyring).open(token) == "203.0.113.7"
    assert token != mask(keyring).seal("203.0.113.7"), "no two are alike"
    for other in (mask(keyring, session=8), mask(keyring, session=0), mask(keyring, 0, "janis")):
        with pytest.raises(BadToken):
            other.open(token)


def test_without_a_session_of_ours_a_token_is_its_persons(keyring: Keyring) -> None:
    token = mask(keyring, 0, "liga").seal("203.0.113.7")
    assert mask(keyring, 0, "liga").open(token) == "203.0.113.7"
    with pytest.raises(BadToken):
        mask(keyring, 0, "janis").open(token)


def test_a_token_of_which_any_bit_was_changed_is_refused(keyring: Keyring) -> None:
    sealing = mask(keyring)
    raw = base64.urlsafe_b64decode(sealing.seal("203.0.113.7")[1:] + "=")
    for place in range(len(raw)):
        forged = bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])
        with pytest.raises(BadToken):
            sealing.open("~" + base64.urlsafe_b64encode(forged).decode().rstrip("="))


def test_a_token_ends_with_the_longest_session(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    token, now = mask(keyring).seal("203.0.113.7"), time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 11 * 3600 * 10**9)
    assert mask(keyring).open(token) == "203.0.113.7"
    monkeypatch.setattr(time, "time_ns", lambda: now + 13 * 3600 * 10**9)
    with pytest.raises(BadToken):
        mask(keyring).open(token)


@given(text=st.text(max_size=200))
def test_no_text_that_was_not_sealed_is_opened(keyring: Keyring, text: str) -> None:
    for token in (text, f"~{text}"):
        with pytest.raises(BadToken):
            mask(keyring).open(token)


def test_one_address_has_one_mark_in_a_session_and_another_in_the_next(keyring: Keyring) -> None:
    addresses = [f"203.0.113.{number}" for number in range(50)]
    marks = [mask(keyring).mark(address) for address in addresses]
    assert marks == [mask(keyring).mark(address) for address in addresses]
    assert len(set(marks)) >= 49
    assert sum(a == b for a, b in zip(marks, map(mask(keyring, session=8).mark, addresses), strict=True)) <= 1
    assert mask(keyring).mark("") == ""
