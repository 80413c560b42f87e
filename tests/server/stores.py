"""A site on database servers as its operator runs it: hosts, the environment of their processes, and visitors.

Owns databases and roles, and what a host is told. What the commands and pages then say is the tests' business.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from psycopg import sql

from tests.servers.postgresql import PASSWORD, PostgreSQL
from tests.serving import REPOSITORY, Server, serving

EXAMPLE = REPOSITORY / "example_app" / "consentkit.toml"
SECRET = "a secret of the tests that is long enough"
WAIT_SECONDS = 30.0
COMMAND_SECONDS = 60

_UNWANTED = re.compile(r"Traceback|ERROR|\w+Error|WARNING:consentkit")

Done = subprocess.CompletedProcess[str]


class Where(NamedTuple):
    """Where a site keeps what it keeps, by who signs in; an empty URL is none.

    Attributes:
        owner: PostgreSQL, as who may make and drop tables.
        app: the same, as the site's servers.
        admin: the same, as who looks things up.
        requests: ClickHouse, for requests alone.
    """

    owner: str = ""
    app: str = ""
    admin: str = ""
    requests: str = ""


EMBEDDED = Where()


class Host:
    """One machine: a data directory of its own, keys that may be another's, and one place for the data.

    Args:
        folder: for what it keeps itself.
        where: the servers.
        config: the settings file.
        keys: the folder of the keys; None = beside the data.
        secret: that wraps them.
    """

    def __init__(
        self,
        folder: Path,
        where: Where = EMBEDDED,
        *,
        config: Path = EXAMPLE,
        keys: Path | None = None,
        secret: str = SECRET,
    ) -> None:
        self.folder = folder
        self.where = where
        self.config = config
        self.data = folder / "data"
        self.keys = keys or folder / "data-keys"
        self.secret = secret

    def environment(self, *, is_app: bool = False) -> dict[str, str]:
        """Return what its processes are told; `is_app`: those that serve the site."""
        url = self.where.app if is_app else self.where.owner
        told = {
            "CONSENTKIT_CONFIG": str(self.config),
            "CONSENTKIT_SECRET": self.secret,
            "CONSENTKIT_STORAGE_DIRECTORY": str(self.data),
            "CONSENTKIT_STORAGE_KEYS": str(self.keys),
            "LUMO_SESSION_KEY": "a key for tests alone",
        }
        if url:
            told["CONSENTKIT_STORAGE_URL"] = url
        if self.where.requests:
            told["CONSENTKIT_STORAGE_REQUESTS_URL"] = self.where.requests
        if self.has_external_ingester:
            told["CONSENTKIT_REQUESTLOG_INGEST"] = "external"
        return told

    @property
    def has_external_ingester(self) -> bool:
        """Whether the log is stored by another role than the site's."""
        return self.where.app != self.where.owner

    def run(self, *arguments: str, given: str = "", **more: str) -> Done:
        """Run ``consentkit`` as the owner; `given` is its standard input, `more` its environment."""
        return subprocess.run(
            command(*arguments),
            env={**os.environ, **self.environment(), **more},
            cwd=self.folder,
            input=given,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def good(self, *arguments: str, **more: str) -> str:
        """Run a command that must end well, and return what it prints."""
        done = self.run(*arguments, **more)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def rows(self, *arguments: str, **more: str) -> list[dict[str, Any]]:
        """Run a command that must end well, and return its lines of JSON."""
        return [json.loads(line) for line in self.good(*arguments, "--json", **more).splitlines()]

    @contextmanager
    def serve(self, app: str = "example_app.main:app", *, workers: int = 2) -> Iterator[Server]:
        """Run the site, and its ingester where that is a process of its own."""
        environment = self.environment(is_app=True)
        with serving(app, self.folder, workers=workers, environment=environment) as server:
            if not self.has_external_ingester:
                yield server
                return
            with self.ingest():
                yield server

    @contextmanager
    def ingest(self) -> Iterator[None]:
        """Run ``consentkit ingest`` as the owner; end it as a supervisor does."""
        environment = {**os.environ, **self.environment()}
        with (
            (self.folder / "ingest.log").open("ab") as log,
            subprocess.Popen(command("ingest"), stdout=log, stderr=log, env=environment) as process,
        ):
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                code = process.wait(COMMAND_SECONDS)
        assert code == 0, (self.folder / "ingest.log").read_text("utf-8")

    def wait_until_stored(self) -> None:
        """Wait until nothing in its spool waits."""
        wait_for(
            lambda: not any(row.get("frames_waiting") for row in self.rows("log", "segments")), "a stored spool"
        )


class Visitor(httpx.Client):
    """A browser behind the proxy of the site, which keeps its cookies."""

    def __init__(self, server: Server, address: str) -> None:
        headers = {"x-forwarded-for": address, "accept-language": "en", "sec-fetch-site": "same-origin"}
        super().__init__(base_url=server.url, headers=headers, timeout=30)

    def open(self, *paths: str, status: int = 200) -> None:
        """Go to pages."""
        for path in paths:
            assert self.get(path, headers={"accept": "text/html"}).status_code == status

    def choose(self, decision: str, *categories: str, is_scripted: bool = True) -> None:
        """Answer the banner, or the settings."""
        form = {"decision": decision, **dict.fromkeys(categories, "on")}
        accept = "application/json" if is_scripted else "text/html"
        answer = self.post("/consentkit/choice", data=form, headers={"accept": accept})
        assert answer.status_code == (200 if is_scripted else 303), answer.text

    @property
    def consent_id(self) -> str:
        """The value of the cookie; empty where there is none."""
        return next((one.value or "" for one in self.cookies.jar if one.name == "consentkit_id"), "")


def command(*arguments: str) -> list[str]:
    """Return the command line of ``consentkit``."""
    return [str(Path(sys.executable).with_name("consentkit")), *arguments]


def wait_for(is_so: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.1)


@contextmanager
def database(postgresql: PostgreSQL) -> Iterator[Where]:
    """Make a database that one role, its superuser, uses for all."""
    name = postgresql.make_database()
    try:
        yield Where(*[postgresql.url(name)] * 3)
    finally:
        postgresql.drop_database(name)


@contextmanager
def database_with_roles(postgresql: PostgreSQL, folder: Path) -> Iterator[Where]:
    """Make a database, its tables and its roles as docs/postgresql.md says."""
    name = postgresql.make_database()
    owner, app, admin = (f"{name}_{role}" for role in ("owner", "app", "admin"))
    where = Where(*(postgresql.url(name, user=one) for one in (owner, app, admin)))
    host = Host(folder, where)
    with postgresql.connect() as connection:
        connection.execute(_login("CREATE ROLE {} LOGIN PASSWORD {}", owner))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(*map(sql.Identifier, (name, owner))))
    host.good("db", "upgrade")
    statements = host.good("db", "roles", "--sql", "--app", app, "--admin", admin)
    with postgresql.connect(name) as connection:
        connection.execute(statements.encode())
        for role in (app, admin):
            connection.execute(_login("ALTER ROLE {} PASSWORD {}", role))
    try:
        yield where
    finally:
        postgresql.drop_database(name)
        with postgresql.connect() as connection:
            for role in (owner, app, admin):
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def said(*processes: Server | Path) -> str:
    """Return what servers and logs say that nobody wants to read there."""
    texts = [one.output() if isinstance(one, Server) else one.read_text("utf-8") for one in processes]
    return "\n".join(line for text in texts for line in text.splitlines() if _UNWANTED.match(line))


def _login(statement: str, role: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(role), sql.Literal(PASSWORD))
