"""Tests of the admin area: those on a whole installation are a group of their own, and passwords cost little."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from consentkit.admin import passwords
from tests.admin import area


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what works on whole installations, so that it runs as a group of its own."""
    for item in items:
        if isinstance(item, pytest.Function) and {"Installation", "Area"} & set(vars(item.module)):
            item.add_marker(pytest.mark.custody)


@pytest.fixture(autouse=True)
def cheap_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hash with the least that Argon2 takes, but where hashes themselves are tested."""
    if request.module.__name__.endswith(("test_passwords", "test_sign_in_timing")):
        yield
        return
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for cached in (passwords._nobodys, area.hashed):
        cached.cache_clear()
    yield
    for cached in (passwords._nobodys, area.hashed):
        cached.cache_clear()
