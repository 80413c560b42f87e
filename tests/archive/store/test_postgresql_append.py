"""What PostgreSQL alone can't hold of batches."""

from __future__ import annotations

import pytest

from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.errors import StorageError
from tests.archive.store.additions import ALL, PLACE, ROWS, SINCE_US, addition, row

pytestmark = pytest.mark.server


@pytest.fixture
def engine(postgresql_engine: PostgresqlEngine) -> PostgresqlEngine:
    return postgresql_engine


def test_a_sequence_of_more_than_32_bits_is_refused_and_nothing_is_in(engine: PostgresqlEngine) -> None:
    with pytest.raises(StorageError, match="64 bits"):
        engine.append(PLACE, [addition([row(SINCE_US, 0), row(SINCE_US, 2**32)])])

    assert engine.count(PLACE, ALL) == 0
    assert engine.marks(PLACE) == {}


@pytest.mark.parametrize("lane", ["la\0ne", "la\udcffne"], ids=["NUL", "surrogate"])
def test_text_that_the_server_can_not_hold_is_refused_without_showing_it(
    engine: PostgresqlEngine, lane: str
) -> None:
    with pytest.raises(StorageError) as refused:
        engine.append(PLACE, [addition(ROWS, lane=lane)])

    assert "la" not in str(refused.value).replace("place", "")
    assert engine.count(PLACE, ALL) == 0
