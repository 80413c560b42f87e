"""The name under which a visitor's decisions are kept."""

from __future__ import annotations

import secrets

import pytest

from consentkit.consent.consentid import is_consent_id, new_consent_id, read_consent_id


def test_ids_are_of_one_form_and_each_is_another() -> None:
    made = {new_consent_id() for _ in range(500)}
    assert len(made) == 500
    assert all(is_consent_id(one) and read_consent_id(one.encode()) == one for one in made)


def test_none_could_be_taken_for_an_option_on_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["-" * 22, "-h" + "A" * 20, "A-" + "A" * 20])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(drawn))
    assert new_consent_id() == "A-" + "A" * 20


@pytest.mark.parametrize(
    "value",
    [b"", b"A" * 21, b"A" * 23, b"-" + b"A" * 21, b"A" * 21 + b"\n", b"A" * 21 + b"\xe9", "Ａ".encode() * 7],
    ids=["none", "short", "long", "dash", "newline", "latin", "wide"],
)
def test_what_is_none_is_read_as_none(value: bytes) -> None:
    assert read_consent_id(value) == ""
