from __future__ import annotations

from collections.abc import Iterator

import pytest

from consentkit.archive.store.postgresql import PostgresqlEngine
from tests.archive.store.additions import PLACE, ROWS, addition
from tests.servers.postgresql import PostgreSQL


@pytest.fixture(scope="module")
def database_url(postgresql: PostgreSQL) -> Iterator[str]:
    name = postgresql.make_database()
    yield postgresql.url(name)
    postgresql.drop_database(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[PostgresqlEngine]:
    made = PostgresqlEngine(database_url)
    made.prepare()
    made.make(PLACE)
    yield made
    for place in made.places():
        made.drop(place)
    made.close()


@pytest.fixture
def filled(engine: PostgresqlEngine) -> PostgresqlEngine:
    engine.append(PLACE, [addition(ROWS)])
    return engine
