"""What is taken as a password, and how it is kept."""

from __future__ import annotations

import statistics
import time
import unicodedata

import pytest

from consentkit.admin import passwords
from consentkit.admin.passwords import BadPassword


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("x" * 5 + "y" * 6, "short"),
        ("long enough" + "x" * 246, "long"),
        ("Līga Bērziņa", "name"),
        ("LĪGA BĒRZIŅA", "name"),
        ("Password1234", "common"),
        ("aaaaaaaaaaaaaaaa", "common"),
    ],
    ids=["11 characters", "257 characters", "the name", "the name in capitals", "of the lists", "one letter"],
)
def test_a_poor_password_is_refused_and_the_error_does_not_hold_it(password: str, fault: str) -> None:
    with pytest.raises(BadPassword) as caught:
        passwords.require_good(password, name="Līga Bērziņa")
    assert caught.value.fault == fault
    assert password not in str(caught.value)


@pytest.mark.parametrize("password", ["exactly 12 c", "тихая ночь в порту", "x" * 255 + "y"])
def test_length_is_all_that_is_asked_for(password: str) -> None:
    passwords.require_good(password, name="liga")


def test_a_hash_is_argon2id_and_tells_the_right_password_alone() -> None:
    hashed = passwords.hash_password("a quiet harbour")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert passwords.is_right("a quiet harbour", hashed)
    assert not passwords.is_right("a quiet harbor", hashed)
    assert not passwords.needs_new_hash(hashed)


def test_letters_typed_as_other_code_points_are_the_same_password() -> None:
    hashed = passwords.hash_password(unicodedata.normalize("NFD", "klusā ostā pie jūras"))
    assert passwords.is_right(unicodedata.normalize("NFC", "klusā ostā pie jūras"), hashed)


def test_no_password_is_right_where_there_is_no_hash() -> None:
    assert not passwords.is_right("of nobody at all", None)
    assert not passwords.is_right("", "")


def test_a_name_that_nobody_has_takes_as_long() -> None:
    hashed = passwords.hash_password("a quiet harbour")
    passwords.is_right("warm", None)

    def seconds(known: str | None) -> float:
        started = time.process_time()
        passwords.is_right("a wrong password", known)
        return time.process_time() - started

    pairs = [(seconds(hashed), seconds(None)) for _ in range(5)]
    known, unknown = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert 0.5 < known / unknown < 2
