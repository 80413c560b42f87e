"""The tables on a PostgreSQL server, by numbered steps: made once among many hosts, and brought up to a version.

Owns which steps are done, and running or printing those that are not. A part is a room's own set of tables; the
control data's is here, others give theirs. The first step of a part makes its tables as they are now, so each
later one must do nothing where that was the first: ``ADD COLUMN IF NOT EXISTS``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from consentkit.control.connecting import PLACE, SCHEMA, connect, lock_number, refused
from consentkit.control.faults import is_refused_to_role
from consentkit.control.tables import metadata
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

_VERSIONS: Final = (
    "CREATE TABLE IF NOT EXISTS schema_version ("
    "part text NOT NULL, step bigint NOT NULL, title text NOT NULL,"
    " since timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (part, step))"
)
_LOCK: Final = lock_number("schema")

_OWNERS_TURN: Final = "run `consentkit db upgrade` as the owner of the schema"


class Step(NamedTuple):
    """One change of the tables.

    Attributes:
        number: within its part, from 1.
        title: what it does, in a few words.
        statements: SQL, run in one transaction; names are those of the schema ``consentkit``.
    """

    number: int
    title: str
    statements: tuple[str, ...]


class Part(NamedTuple):
    """The tables of one room.

    Attributes:
        name: ``control`` or ``requests``.
        steps: returns them, in the order of their numbers; called where one is to be run.
        newest: number of the last one.
    """

    name: str
    steps: Callable[[], Sequence[Step]]
    newest: int


def bring_up(url: str, *parts: Part) -> None:
    """Have the tables of some parts be of this version: run what is missing, once among many hosts.

    Raises:
        StorageError: the server is away or refuses; they are newer than this version; or older, and this role
            may not change them.
    """
    try:
        with connect(url) as connection:
            if any(_outstanding(connection, part) for part in parts):
                upgrade(connection, parts)
    except psycopg.Error as exc:
        if is_refused_to_role(exc):
            raise StorageError(PLACE, f"the tables are older than this version; {_OWNERS_TURN}") from None
        raise refused(exc) from None


def upgrade(connection: Connection, parts: Sequence[Part]) -> list[str]:
    """Run the steps that are missing, all or none, and return what they did.

    Raises:
        StorageError: the tables are newer than this version.
        psycopg.Error: the server refused; nothing was changed.
    """
    done: list[str] = []
    with connection.transaction():
        connection.execute(
            "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)"
        )
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        _begin(connection)
        for part in parts:
            for step in outstanding(connection, part):
                for statement in step.statements:
                    connection.execute(statement.encode())
                connection.execute(_noted(part, step).encode())
                done.append(f"{part.name} {step.number}: {step.title}")
    return done


def outstanding(connection: Connection, part: Part) -> list[Step]:
    """Return the steps of a part that the database lacks.

    Raises:
        StorageError: it has some that this version doesn't know.
        psycopg.Error: it can't be read.
    """
    since = part.newest - _outstanding(connection, part)
    return [step for step in part.steps() if step.number > since]


def script(connection: Connection, parts: Sequence[Part]) -> str:
    """Return the SQL that `upgrade` would run, for who runs it by hand; empty where nothing is to be done.

    Raises:
        StorageError, psycopg.Error: as `outstanding`.
    """
    lines: list[str] = []
    for part in parts:
        for step in outstanding(connection, part):
            lines += ["", f"-- {part.name} {step.number}: {step.title}", *(f"{one};" for one in step.statements)]
            lines.append(f"{_noted(part, step)};")
    if not lines:
        return ""
    head = ["BEGIN;", f"SELECT pg_advisory_xact_lock({_LOCK});", f"CREATE SCHEMA IF NOT EXISTS {SCHEMA};"]
    head += [f"SET LOCAL search_path = {SCHEMA}, pg_temp;", f"{_VERSIONS};"]
    return "\n".join([*head, *lines, "", "COMMIT;", ""])


def _noted(part: Part, step: Step) -> str:
    values = f"'{part.name}', {step.number}, '{step.title}'"
    return f"INSERT INTO schema_version (part, step, title) VALUES ({values})"  # noqa: S608 - words of our own


def _begin(connection: Connection) -> None:
    # "IF NOT EXISTS" would ask for the right to make a schema even where there is one.
    row = connection.execute("SELECT to_regnamespace(%s), to_regclass('schema_version')", (SCHEMA,)).fetchone()
    has_schema, has_versions = row or (None, None)
    if has_schema is None:
        connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
    if has_versions is None:
        connection.execute(_VERSIONS.encode())


def _outstanding(connection: Connection, part: Part) -> int:
    """Return how many steps are missing."""
    row = connection.execute("SELECT to_regclass('schema_version')").fetchone()
    if row is None or row[0] is None:
        return part.newest
    row = connection.execute("SELECT max(step) FROM schema_version WHERE part = %s", (part.name,)).fetchone()
    done = int(row[0] or 0) if row is not None else 0
    if done > part.newest:
        raise StorageError(PLACE, "the tables are newer than this version of consentkit; upgrade this host")
    return part.newest - done


@cache
def _control_steps() -> tuple[Step, ...]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    made: list[str] = []
    for table in metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)))
        made += [
            str(CreateIndex(index).compile(dialect=dialect))
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
    return (Step(1, "control data", tuple(" ".join(statement.split()) for statement in made)),)


CONTROL: Final = Part("control", _control_steps, 1)
