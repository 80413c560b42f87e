"""A real PostgreSQL server, started by the tests that need one, in a folder of its own.

Ask for the fixture `postgresql` (one server a run) or `postgresql_url` (a fresh, empty database on it, which is
dropped at the end). A test that stops or kills its server makes one for itself with `serving`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import psycopg
import pytest
from psycopg import sql

from tests.servers.process import DatabaseServer, environment_of, make_folder
from tests.serving import REPOSITORY, free_port

# Of the superuser: a URL that holds a password is what must never show in an error.
OWNER = "ck_test"
PASSWORD = "an-open-secret-of-tests"
# As `make test` unpacks it: to install it would start a service.
UNPACKED = REPOSITORY / ".venv" / "postgresql" / "usr" / "lib" / "postgresql"

HBA = """
local all all trust
host  all all 127.0.0.1/32 scram-sha-256
"""
SETTINGS = {
    "shared_buffers": "32MB",
    "max_connections": "100",
    "jit": "off",
    "lc_messages": "C",
    "timezone": "UTC",
}
# Nothing here has to outlive the machine; a killed server process loses nothing by it.
HASTY = {"fsync": "off", "full_page_writes": "off"}


def folder_of_programs() -> Path:
    """Return where initdb and postgres are, the newest version first; skip where there are none."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *UNPACKED.glob("*/bin")]
    found = sorted((one for one in folders if (one / "initdb").exists()), key=lambda one: -float(one.parent.name))
    if not found:
        pytest.skip("needs PostgreSQL: make test unpacks it, or apt-get install postgresql")
    return found[0]


class PostgreSQL(DatabaseServer):
    """A server with one superuser, `OWNER`.

    Args:
        folder: for everything it writes; made, and with a path short enough for a socket.
        settings: beside `SETTINGS`.
        is_durable: writes reach the disk, as a test of a lost machine needs it.
    """

    STOP = signal.SIGINT
    CRASH = signal.SIGQUIT

    def __init__(
        self, folder: Path, *, settings: Mapping[str, str] | None = None, is_durable: bool = False
    ) -> None:
        super().__init__(folder, free_port())
        self._data = folder / "data"
        self._settings = {**SETTINGS, **({} if is_durable else HASTY), **(settings or {})}
        self._user = _user()
        self._give(folder)
        self._programs = _within_reach(folder_of_programs(), folder)
        self._environment = environment_of(_root(self._programs))
        self._initialise()

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Connect as the superuser, in autocommit."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def url(self, database: str = "postgres", *, user: str = OWNER, password: str = PASSWORD) -> str:
        """Return a URL as the settings take it."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def make_database(self) -> str:
        """Make an empty database, and return its name."""
        name = self.new_name()
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def count_connections(self) -> int:
        """Count the connections to all its databases, but for the one that asks."""
        question = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        with self.connect() as connection:
            (found,) = connection.execute(question).fetchone() or (0,)
        return int(found) - 1

    def _run(self, output: BinaryIO) -> subprocess.Popen[bytes]:
        options = {"port": str(self.port), "listen_addresses": "127.0.0.1", **self._settings}
        given = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return subprocess.Popen(
            [self._programs / "postgres", "-D", self._data, "-k", self.folder, *given],
            cwd=self.folder,
            stdout=output,
            stderr=output,
            env=self._environment,
            user=self._user,
            group=self._user and pwd.getpwnam(self._user).pw_gid,
            extra_groups=None if self._user is None else [],
        )

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD, "utf-8")
        self._give(password)
        options = [f"--username={OWNER}", f"--pwfile={password}", "--locale=C.UTF-8", "--encoding=UTF8"]
        options += ["--auth=scram-sha-256", "--no-sync"]
        done = subprocess.run(
            [self._programs / "initdb", "-D", self._data, *options],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=self._environment,
            user=self._user,
            group=self._user and pwd.getpwnam(self._user).pw_gid,
            extra_groups=None if self._user is None else [],
        )
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stderr}")
        (self._data / "pg_hba.conf").write_text(HBA, "utf-8")

    def _give(self, path: Path) -> None:
        if self._user is not None:
            shutil.chown(path, self._user)


@contextlib.contextmanager
def serving(*, settings: Mapping[str, str] | None = None, is_durable: bool = False) -> Iterator[PostgreSQL]:
    """Run a server of one's own until the block ends."""
    folder = make_folder("ckpg", is_durable=is_durable)
    try:
        server = PostgreSQL(folder, settings=settings, is_durable=is_durable)
        try:
            server.start()
            yield server
        finally:
            server.crash()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for the whole run; nobody stops it."""
    with serving() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """The URL of a fresh and empty database, of which the user is owner."""
    name = postgresql.make_database()
    yield postgresql.url(name)
    postgresql.drop_database(name)


def _user() -> str | None:
    """Return as whom it runs where we are root, which it refuses to be; None where we are not."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


def _within_reach(programs: Path, folder: Path) -> Path:
    """Return the programs where that user can run them: below root's home he can't."""
    if os.geteuid() != 0 or all(one.stat().st_mode & stat.S_IXOTH for one in programs.parents):
        return programs
    copied = folder / "unpacked"
    shutil.copytree(_root(programs), copied, symlinks=True, ignore=shutil.ignore_patterns("packages"))
    copied.chmod(0o755)
    return copied / programs.relative_to(_root(programs))


def _root(programs: Path) -> Path:
    return programs.parents[4]  # of usr/lib/postgresql/VERSION/bin
