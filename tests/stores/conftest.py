"""The stores, each behind one fixture, so that one suite runs over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from consentkit.archive.sealing import seal
from consentkit.archive.store.places import Place
from consentkit.archive.store.requeststore import RequestStore
from consentkit.audit import SYSTEM
from tests.archive.installation import DAYS
from tests.servers import clickhouse
from tests.servers.clickhouse import CLUSTER, ClickHouse
from tests.servers.postgresql import PostgreSQL
from tests.stores import corpus as corpora
from tests.stores.corpus import Corpus
from tests.stores.oracle import Row
from tests.stores.places import filled, rows_in
from tests.stores.sites import Site, Where

MakeSite = Callable[[], Site]
Fresh = Callable[[], AbstractContextManager[Where]]

EMBEDDED = pytest.param("sqlite", marks=pytest.mark.custody)
SERVERS = [
    pytest.param(name, marks=pytest.mark.server)
    for name in ("postgresql", "clickhouse", "clickhouse-2-shards+postgresql")
]

# Those with control data that many hosts share.
SHARED = [one for one in SERVERS if "postgresql" in str(one.values[0])]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """What the workers spooled; each installation has a copy."""
    return corpora.make(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session", params=[EMBEDDED, *SERVERS])
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a store."""
    return str(request.param)


@contextmanager
def database_in(postgresql: PostgreSQL) -> Iterator[str]:
    """Make a database, and drop it when the block ends."""
    name = postgresql.make_database()
    try:
        yield postgresql.url(name)
    finally:
        postgresql.drop_database(name)


@contextmanager
def database_on(servers: list[ClickHouse]) -> Iterator[str]:
    """Make a database on all shards, and drop it when the block ends."""
    with clickhouse.database_on(servers) as name:
        yield servers[0].url(name, rest=f"?cluster={CLUSTER}" if len(servers) > 1 else "")


@pytest.fixture(scope="session")
def fresh(backend: str, request: pytest.FixtureRequest) -> Fresh:
    """A place in the store that nobody uses, for as long as the block lasts."""
    kinds = backend.split("+")
    postgresql: PostgreSQL | None = request.getfixturevalue("postgresql") if "postgresql" in kinds else None
    servers: list[ClickHouse] = []
    if kinds[0].startswith("clickhouse"):
        servers = request.getfixturevalue("clickhouse_servers")[: 2 if kinds[0].endswith("2-shards") else 1]

    @contextmanager
    def make() -> Iterator[Where]:
        with ExitStack() as made:
            url = made.enter_context(database_in(postgresql)) if postgresql else ""
            requests_url = made.enter_context(database_on(servers)) if servers else ""
            yield Where(url, requests_url)

    return make


@contextmanager
def site_in(folder: Path, corpus: Corpus, where: AbstractContextManager[Where]) -> Iterator[Site]:
    """Make an installation, and close it when the block ends."""
    with where as there:
        site = Site(folder, corpus, there)
        try:
            yield site
        finally:
            site.close()


@pytest.fixture(scope="session")
def make_shared(fresh: Fresh, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSite]:
    """Make installations that last as long as all tests."""
    with ExitStack() as kept:
        yield lambda: kept.enter_context(site_in(tmp_path_factory.mktemp("site"), corpus, fresh()))


@pytest.fixture
def site(fresh: Fresh, corpus: Corpus, tmp_path: Path) -> Iterator[Site]:
    """A fresh installation whose spool nobody has stored yet."""
    with site_in(tmp_path, corpus, fresh()) as made:
        yield made


@pytest.fixture
def stored(site: Site) -> Site:
    """The corpus, stored; its first day sealed."""
    site.drain()
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    return site


@pytest.fixture(scope="session")
def ground(make_shared: MakeSite) -> Site:
    """An installation in which each test has places of its own."""
    return make_shared()


@pytest.fixture(scope="session")
def store(ground: Site) -> RequestStore:
    """Its store."""
    return ground.holdings.rows


@pytest.fixture(scope="session")
def monday(ground: Site) -> Place:
    """A place with all of one day, which nobody changes."""
    return filled(ground)


@pytest.fixture(scope="session")
def rows(ground: Site, monday: Place) -> list[Row]:
    """What is in that place, newest first."""
    return rows_in(ground.corpus, monday)
