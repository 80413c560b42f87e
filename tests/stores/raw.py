"""The hands of somebody who has a server's tables, and no key: he reads, changes and puts back what he likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec
import psycopg
from clickhouse_driver import Client
from psycopg import sql
from psycopg.rows import dict_row

from consentkit.archive.store.server.engine import BatchRow
from tests.stores.sites import Where

Line: TypeAlias = dict[str, Any]

KINDS = ("request", "word", "gap", "batch")


class Tables(Protocol):
    """The tables of the request log on a server."""

    def everything(self) -> Iterator[tuple[object, ...]]:
        """Yield all rows of all tables that there are."""

    def read(self, place: str) -> dict[str, list[Line]]:
        """Return what a place has, by kind; a batch has at least the fields of `BatchRow`."""

    def write(self, place: str, kept: dict[str, list[Line]]) -> None:
        """Put that in place of all that a place has."""


class PostgresqlTables:
    """The same in PostgreSQL, as its superuser."""

    def __init__(self, url: str) -> None:
        self._url = url

    def everything(self) -> Iterator[tuple[object, ...]]:
        with psycopg.connect(self._url) as connection:
            tables = connection.execute(
                "SELECT schemaname, tablename FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            for name in tables:
                yield from connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*name)))

    def read(self, place: str) -> dict[str, list[Line]]:
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            number = self._number(connection, place)
            return {
                kind: connection.execute(
                    sql.SQL("SELECT * FROM consentkit.{} WHERE place = %s").format(sql.Identifier(kind)), (number,)
                ).fetchall()
                for kind in KINDS
            }

    def write(self, place: str, kept: dict[str, list[Line]]) -> None:
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            number = self._number(connection, place)
            for kind, lines in kept.items():
                table = sql.Identifier("consentkit", kind)
                connection.execute(sql.SQL("DELETE FROM {} WHERE place = %s").format(table), (number,))
                for line in lines:
                    values = {**line, "place": number}
                    names = sql.SQL(", ").join(map(sql.Identifier, values))
                    marks = sql.SQL(", ").join(sql.SQL("%s") * len(values))
                    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(table, names, marks)
                    connection.execute(insert, list(values.values()))

    def _number(self, connection: psycopg.Connection[Line], place: str) -> object:
        row = connection.execute("SELECT number FROM consentkit.place WHERE name = %s", (place,)).fetchone()
        if row is None:
            raise LookupError(place)
        return row["number"]


class ClickHouseTables:
    """The same in ClickHouse, on every shard; requests, gaps and batches lie in one table."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._cluster = parse_qs(parts.query).get("cluster", [""])[0]
        self._suffix = "_local" if self._cluster else ""
        self._database = parts.path[1:]
        self._user, self._password = parts.username or "", parts.password or ""
        self._first = (parts.hostname or "", parts.port or 0)

    def everything(self) -> Iterator[tuple[object, ...]]:
        for ask in self._shards():
            for table in ("request", "word", "place"):
                yield from ask(f"SELECT * FROM {self._database}.{table}{self._suffix}", None)

    def read(self, place: str) -> dict[str, list[Line]]:
        kept: dict[str, list[Line]] = {kind: [] for kind in KINDS}
        for number, ask in enumerate(self._shards()):
            for table in ("request", "word"):
                for line in self._lines(ask, table, place):
                    kind = {-1: "batch", -2: "gap"}.get(line.get("stretch", 0), table)
                    batch: Line = {}
                    if kind == "batch":
                        note = line["note"]
                        batch = msgspec.msgpack.decode(note, type=BatchRow)._asdict()
                    kept[kind].append({**batch, "#line": line, "#shard": number, **_shared(kind, line)})
        return kept

    def write(self, place: str, kept: dict[str, list[Line]]) -> None:
        for number, ask in enumerate(self._shards()):
            for table in ("request", "word"):
                own = f"{self._database}.{table}{self._suffix}"
                if self._lines(ask, table, place):
                    ask(f"ALTER TABLE {own} DROP PARTITION '{place}'", None)
                kinds = ("word",) if table == "word" else ("request", "gap", "batch")
                lines = [_written(kind, line) for kind in kinds for line in kept[kind] if line["#shard"] == number]
                if lines:
                    ask(f"INSERT INTO {own} ({', '.join(lines[0])}) VALUES", [list(one.values()) for one in lines])

    def _lines(self, ask: _Ask, table: str, place: str) -> list[Line]:
        own = f"{self._database}.{table}{self._suffix}"
        columns = [str(_text(row[0])) for row in ask(f"DESCRIBE TABLE {own}", None)]
        found = ask(f"SELECT {', '.join(columns)} FROM {own} WHERE place = '{place}'", None)
        return [dict(zip(columns, row, strict=True)) for row in found]

    def _shards(self) -> Iterator[_Ask]:
        places = [self._first]
        if self._cluster:
            with self._asking(self._first) as ask:
                listed = ask(
                    f"SELECT host_name, port FROM system.clusters WHERE cluster = '{self._cluster}'", None
                )
                places = [(_text(host), int(str(port))) for host, port in listed]
        for place in places:
            with self._asking(place) as ask:
                yield ask

    @contextmanager
    def _asking(self, place: tuple[str, int]) -> Iterator[_Ask]:
        host, port = place
        settings = {"strings_as_bytes": True}
        client = Client(
            host, port=port, user=self._user, password=self._password, database=self._database, settings=settings
        )
        try:
            yield client.execute
        finally:
            client.disconnect()


_Ask: TypeAlias = Callable[[str, list[list[object]] | None], list[tuple[object, ...]]]


def _shared(kind: str, line: Line) -> Line:
    """Return the columns by which both servers know a request or a word."""
    if kind == "word":
        return {name: line[name] for name in ("kind", "number", "sealed")}
    if kind == "request":
        return {name: value for name, value in line.items() if name not in ("place", "stretch", "note")}
    return {}


def _written(kind: str, line: Line) -> Line:
    whole: Line = line["#line"]
    changed = {name: line[name] for name in _shared(kind, whole)}
    if kind == "batch":
        batch = BatchRow(*(line[name] for name in BatchRow._fields))
        changed["note"] = msgspec.msgpack.encode(batch)
    return {**whole, **changed}


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def tables_of(where: Where) -> Tables:
    """Return the tables in which an installation's requests lie."""
    return ClickHouseTables(where.requests_url) if where.requests_url else PostgresqlTables(where.url)
