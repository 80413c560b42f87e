"""Signing keys: what a signature proves, and that it outlives the key that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from consentkit import signing
from consentkit.control import Control, after_commit
from consentkit.crypto import Keyring
from consentkit.signing import BadSignature, PublicKey

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "keys", ())


@pytest.fixture
def control(tmp_path: Path, keyring: Keyring) -> Control:
    (tmp_path / "data").mkdir()
    return Control(tmp_path / "data", keyring)


def published(control: Control) -> list[PublicKey]:
    with control.transaction() as connection:
        return signing.public_keys(connection)


def test_a_signature_holds_for_its_data_alone(control: Control, keyring: Keyring) -> None:
    signature = signing.sign(control, keyring, b"what was said")
    assert signing.verify(b"what was said", signature, published(control)).key_id == signature.key_id
    with pytest.raises(BadSignature, match="changed since"):
        signing.verify(b"what was not said", signature, published(control))


def test_one_key_signs_until_it_is_replaced(control: Control, keyring: Keyring) -> None:
    first, second = (signing.sign(control, keyring, b"x") for _ in range(2))
    assert first.key_id == second.key_id
    fresh = signing.replace_key(control, keyring)
    assert signing.sign(control, keyring, b"x").key_id == fresh.key_id != first.key_id


def test_a_replaced_key_still_proves_and_its_private_half_is_gone(control: Control, keyring: Keyring) -> None:
    signature = signing.sign(control, keyring, b"x")
    signing.replace_key(control, keyring)
    assert keyring.names("signing") == [f"signing/{published(control)[-1].key_id}"]
    assert signing.verify(b"x", signature, published(control)).until_us is not None


def test_a_key_that_is_not_given_is_named(control: Control, keyring: Keyring) -> None:
    signature = signing.sign(control, keyring, b"x")
    with pytest.raises(BadSignature, match=signature.key_id):
        signing.verify(b"x", signature, [])


def test_another_public_key_under_the_same_name_is_refused(control: Control, keyring: Keyring) -> None:
    signature = signing.sign(control, keyring, b"x")
    forged = msgspec.structs.replace(published(control)[0], public=bytes(32))
    with pytest.raises(BadSignature, match="not what it says"):
        signing.verify(b"x", signature, [forged])


def test_what_waits_for_a_commit_is_done_after_it_and_only_then(control: Control) -> None:
    done: list[str] = []

    def fail() -> None:
        with control.transaction() as connection:
            after_commit(connection, lambda: done.append("undone"))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    with control.transaction() as connection:
        after_commit(connection, lambda: done.append("durable"))
        assert not done
    assert done == ["durable"]
