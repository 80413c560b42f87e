"""Every engine, each behind one name, so that one test runs over all of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

import pytest

from consentkit.archive.store.clickhouse import ClickHouseEngine
from consentkit.archive.store.postgresql import PostgresqlEngine
from consentkit.archive.store.server.engine import Engine
from tests.archive.store.sqlengine import SqlEngine
from tests.servers import clickhouse
from tests.servers.chdb import ChdbServer, Session
from tests.servers.clickhouse import CLUSTER, ClickHouse
from tests.servers.postgresql import PostgreSQL

_names = itertools.count(1)

SERVERS = [
    pytest.param(name, marks=pytest.mark.server) for name in ("postgresql", "clickhouse", "two shards", "modern")
]
EVERY = ["sqlite", *SERVERS]
# chdb, within this process, has no connections, ends no question at its limit, and is told numbers as digits.
EVERY_BUT_CHDB = EVERY[:-1]
CONNECTED = SERVERS[:-1]
# These store one batch after the other, so that the same call again completes what broke off.
COMPLETING = SERVERS[1:]


@contextmanager
def opened(request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[Engine]:
    """Open the engine that a fixture's parameter names, its tables made, for as long as the block lasts."""
    with ExitStack() as made:
        makers: dict[str, Callable[[], Engine]] = {
            "sqlite": lambda: SqlEngine(folders.mktemp("engine") / "engine.db"),
            "postgresql": lambda: _postgresql(request, made),
            "clickhouse": lambda: _clickhouse(request, made, 1),
            "two shards": lambda: _clickhouse(request, made, 2),
            "modern": lambda: _modern(request),
        }
        engine = makers[request.param]()
        made.enter_context(closing(engine))
        engine.prepare()
        yield engine


def _postgresql(request: pytest.FixtureRequest, made: ExitStack) -> Engine:
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.make_database()
    made.callback(server.drop_database, name)
    return PostgresqlEngine(server.url(name))


def _clickhouse(request: pytest.FixtureRequest, made: ExitStack, shards: int) -> Engine:
    servers: list[ClickHouse] = request.getfixturevalue("clickhouse_servers")[:shards]
    name = made.enter_context(clickhouse.database_on(servers))
    return ClickHouseEngine(servers[0].url(name, rest=f"?cluster={CLUSTER}" if shards > 1 else ""))


def _modern(request: pytest.FixtureRequest) -> Engine:
    session: Session = request.getfixturevalue("chdb_session")
    url = f"clickhouse://127.0.0.1/engine_{next(_names)}"
    return ClickHouseEngine(url, connect=partial(ChdbServer, session))
