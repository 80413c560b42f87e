"""Tests of the admin area: those on a whole installation are a group of their own, and passwords cost little."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.admin.area import cheap_hashes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what works on whole installations, so that it runs as a group of its own."""
    for item in items:
        if isinstance(item, pytest.Function) and {"Installation", "Area"} & set(vars(item.module)):
            item.add_marker(pytest.mark.custody)


@pytest.fixture(autouse=True)
def cheap_passwords(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hash cheaply, but where hashes themselves are tested."""
    if request.module.__name__.endswith(("test_passwords", "test_sign_in_timing")):
        yield
        return
    with cheap_hashes():
        yield
