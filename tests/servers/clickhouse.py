"""Real ClickHouse servers, started by the tests that need them, in folders of their own.

Ask for the fixture `clickhouse_url` (a fresh, empty database on one server a run) or `clickhouse_cluster_url` (the
same over two shards). A test that stops or kills its server makes one for itself with `serving`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import Error

from tests.servers.process import DatabaseServer, environment_of, make_folder
from tests.serving import REPOSITORY, free_port

# A URL that holds a password is what must never show in an error.
USER = "ck_test"
PASSWORD = "an-open-secret-of-tests"
CLUSTER = "two"
# As `make test` unpacks it: to install it would start a service.
UNPACKED = REPOSITORY / ".venv" / "clickhouse-server"

# What merges leave is deleted within a second, so that a dropped place is soon gone.
CONFIG = """<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><log>{folder}/server.log</log><errorlog>{folder}/error.log</errorlog></logger>
  <tcp_port>{port}</tcp_port>
  <listen_host>127.0.0.1</listen_host>
  <path>{folder}/data/</path>
  <tmp_path>{folder}/tmp/</tmp_path>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>UTC</timezone>
  <mark_cache_size>67108864</mark_cache_size>
  <merge_tree><old_parts_lifetime>1</old_parts_lifetime></merge_tree>
  <remote_servers><{cluster}>{shards}</{cluster}></remote_servers>
</yandex>
"""
SHARD = """<shard><replica><host>127.0.0.1</host><port>{port}</port>
<user>{user}</user><password>{password}</password></replica></shard>"""
USERS = """<?xml version="1.0"?>
<yandex>
  <profiles><default></default></profiles>
  <users><{user}><password>{password}</password><networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota></{user}></users>
  <quotas><default></default></quotas>
</yandex>
"""


def program() -> tuple[Path, dict[str, str]]:
    """Return the server's program and the environment it needs; skip where there is none."""
    installed = shutil.which("clickhouse-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if installed is not None:
        return Path(installed), dict(os.environ)
    unpacked = UNPACKED / "usr" / "sbin" / "clickhouse-server"
    if not unpacked.exists():
        pytest.skip("needs ClickHouse: make test unpacks it, or apt-get install clickhouse-server")
    return unpacked, environment_of(UNPACKED)


class ClickHouse(DatabaseServer):
    """A server with one user, `USER`.

    Args:
        folder: for everything it writes; made.
        port: on 127.0.0.1; the same through all its starts.
        shards: ports of the servers of its cluster, `CLUSTER`.
    """

    STOP = signal.SIGTERM
    CRASH = signal.SIGKILL

    def __init__(self, folder: Path, port: int, shards: Sequence[int]) -> None:
        super().__init__(folder, port)
        for name in ("data", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        among = "".join(SHARD.format(port=one, user=USER, password=PASSWORD) for one in shards)
        config = CONFIG.format(folder=folder, port=port, cluster=CLUSTER, shards=among)
        (folder / "config.xml").write_text(config, "utf-8")
        (folder / "users.xml").write_text(USERS.format(user=USER, password=PASSWORD), "utf-8")

    def connect(self, database: str = "default") -> Client:
        """Return a client of the driver itself."""
        return Client("127.0.0.1", port=self.port, user=USER, password=PASSWORD, database=database)

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Return what a statement selects."""
        with self.connect() as client:
            found: list[tuple[object, ...]] = client.execute(statement)
            return found

    def url(self, database: str = "default", *, rest: str = "") -> str:
        """Return a URL as the settings take it."""
        return f"clickhouse://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}{rest}"

    def count_connections(self) -> int:
        """Count the connections to all its databases, but for the one that asks."""
        ((found,),) = self.ask("SELECT toInt64(value) - 1 FROM system.metrics WHERE metric = 'TCPConnection'")
        return int(str(found))

    def _run(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        path, environment = program()
        return subprocess.Popen(
            [path, f"--config-file={self.folder / 'config.xml'}"],
            cwd=self.folder,
            env=environment,
            stdout=output,
            stderr=output,
        )

    def _answers(self) -> bool:
        # The driver complains to its log where nobody listens yet.
        with (
            contextlib.suppress(Error, OSError, EOFError),
            socket.create_connection(("127.0.0.1", self.port), 1),
        ):
            self.ask("SELECT 1")
            return True
        return False


@contextlib.contextmanager
def serving(servers: int = 1, *, is_durable: bool = False) -> Iterator[list[ClickHouse]]:
    """Run servers of one's own until the block ends; together they are the shards of `CLUSTER`.

    Args:
        servers: how many.
        is_durable: they write to the disk.
    """
    program()
    folder = make_folder("ckch", is_durable=is_durable)
    ports = [free_port() for _ in range(servers)]
    made = [ClickHouse(folder / str(port), port, ports) for port in ports]
    try:
        for server in made:
            server.start()
        yield made
    finally:
        for server in made:
            server.crash()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def clickhouse_servers() -> Iterator[list[ClickHouse]]:
    """Two servers for the whole run, each other's shards; nobody stops them."""
    with serving(2) as servers:
        yield servers


@pytest.fixture
def clickhouse_url(clickhouse_servers: list[ClickHouse]) -> Iterator[str]:
    """The URL of a fresh and empty database on one server."""
    server = clickhouse_servers[0]
    with database_on([server]) as name:
        yield server.url(name)


@pytest.fixture
def clickhouse_cluster_url(clickhouse_servers: list[ClickHouse]) -> Iterator[str]:
    """The URL of a fresh and empty database on two shards."""
    with database_on(clickhouse_servers) as name:
        yield clickhouse_servers[0].url(name, rest=f"?cluster={CLUSTER}")


@contextlib.contextmanager
def database_on(servers: Sequence[ClickHouse]) -> Iterator[str]:
    """Make a database on servers, and drop it when the block ends."""
    name = servers[0].new_name()
    for server in servers:
        server.ask(f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        for server in servers:
            server.ask(f"DROP DATABASE {name}")


def database_of(url: str) -> str:
    """Return the database that a URL names."""
    return url.rpartition("/")[2].partition("?")[0]
