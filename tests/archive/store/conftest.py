from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from consentkit.archive.store.clickhouse import ClickHouseEngine
from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.server.engine import Engine
from tests.archive.store.additions import PLACE, ROWS, SHARED, addition
from tests.archive.store.engines import EVERY, opened
from tests.servers.postgresql import PostgreSQL


@pytest.fixture(scope="module", params=EVERY)
def tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Each of the engines, with its tables made."""
    with opened(request, tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
def stored(tables: Engine) -> Iterator[Engine]:
    """The same with `ROWS` in the place `SHARED`: for what changes nothing."""
    tables.make(SHARED)
    tables.append(SHARED, [addition(ROWS)])
    yield tables
    tables.drop(SHARED)


@pytest.fixture
def engine(tables: Engine) -> Iterator[Engine]:
    """The same with the empty place `PLACE`; whatever places a test makes are dropped."""
    before = set(tables.places())
    tables.make(PLACE)
    yield tables
    for place in tables.places().keys() - before:
        tables.drop(place)


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """The same with `ROWS` in `PLACE`."""
    engine.append(PLACE, [addition(ROWS)])
    return engine


@pytest.fixture(scope="module")
def database_url(postgresql: PostgreSQL) -> Iterator[str]:
    name = postgresql.make_database()
    yield postgresql.url(name)
    postgresql.drop_database(name)


@pytest.fixture
def postgresql_engine(database_url: str) -> Iterator[PostgresqlEngine]:
    """An engine of its own for each test, with connections of its own; modules of PostgreSQL alone take it."""
    with closing(PostgresqlEngine(database_url)) as made:
        made.prepare()
        made.make(PLACE)
        yield made
        for place in made.places():
            made.drop(place)


@pytest.fixture
def clickhouse_engine(clickhouse_url: str) -> Iterator[ClickHouseEngine]:
    """The same on one server of ClickHouse."""
    with closing(ClickHouseEngine(clickhouse_url)) as made:
        made.prepare()
        made.make(PLACE)
        yield made
