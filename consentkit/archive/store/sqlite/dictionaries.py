"""The tables of a period whose rows stand once: clients, agents, resources, referrers and segments.

Owns how a repeated value finds its number again, and what is resolved of a new one. Numbers are given here and
rows inserted together, so that the frames of one transaction cost no statement each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.store.addresses import pack_address
from consentkit.archive.store.sqlite.digest import COLUMNS, Row
from consentkit.archive.store.sqlite.tables import text_hash
from consentkit.requestlog.record import ADDRESS_SOURCES

if TYPE_CHECKING:
    import sqlcipher3.dbapi2 as sqlcipher

    from consentkit.archive.resolve import Resolvers

# Remembered between transactions; past it, values are forgotten and looked up again.
_REMEMBERED_CLIENTS: Final = 8_000
_REMEMBERED_CHARACTERS: Final = 3_000_000

_LAST: Final = ", ".join(f"(SELECT coalesce(max(id), 0) FROM {table})" for table in COLUMNS)
_FIND: Final = {
    "client": "SELECT id FROM client WHERE address = ? AND peer = ? AND source = ?",
    "agent": "SELECT id FROM agent WHERE hash = ? AND user_agent = ?",
    "resource": "SELECT id FROM resource WHERE hash = ? AND method = ? AND scheme = ? AND host = ?"
    " AND path = ? AND query IS ? AND query_flags = ?",
    "referrer": "SELECT id FROM referrer WHERE host = ?",
    "segment": "SELECT id FROM segment WHERE worker = ? AND number = ?",
}

Client = tuple[str, str, str]
Resource = tuple[str, str, str, str, int]


class Dictionaries:
    """The values of one period that were met, with their numbers.

    Args:
        connection: the period's file.
        resolvers: asked once per distinct value.

    Attributes:
        clients, agents, resources, referrers: numbers that are remembered. A value that is not among them is
            given to the method of the same name, which finds its row or makes a new one.
    """

    def __init__(self, connection: sqlcipher.Connection, resolvers: Resolvers) -> None:
        self._connection = connection
        self._resolvers = resolvers
        self.clients: dict[Client, int] = {}
        self._clients_before: dict[Client, int] = {}
        self.agents: dict[str, int] = {}
        self.resources: dict[Resource, int] = {}
        self.referrers: dict[str, int] = {}
        self._fresh: dict[str, list[Row]] = {}
        self._unwritten: dict[str, list[Row]] = {}
        self._last: dict[str, int] = {}
        self._characters = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything, and take the numbers from the file: of a transaction that failed none is left."""
        self._forget()
        self._fresh = {table: [] for table in COLUMNS}
        self._unwritten = {table: [] for table in COLUMNS if table != "segment"}
        last = self._connection.execute(f"SELECT {_LAST}").fetchone()
        self._last = dict(zip(COLUMNS, last, strict=True))
        self._are_clients_whole = self._are_texts_whole = not any(last)

    def make_room(self) -> None:
        """Keep what is remembered within its bounds; called between transactions."""
        if len(self.clients) > _REMEMBERED_CLIENTS:
            # Those that came since the last time are kept once more: who comes often is never forgotten.
            self._are_clients_whole &= not self._clients_before
            self._clients_before, self.clients = self.clients, {}
        if self._characters > _REMEMBERED_CHARACTERS:
            for remembered in (self.agents, self.resources, self.referrers):
                remembered.clear()
            self._characters = 0
            self._are_texts_whole = False

    @property
    def last_numbers(self) -> tuple[int, int, int, int]:
        """The last numbers of clients, agents, resources and referrers."""
        last = self._last
        return last["client"], last["agent"], last["resource"], last["referrer"]

    def take_fresh(self, into: dict[str, list[Row]]) -> None:
        """Add the new rows of each table since the last call to those of a batch, and to what `insert` writes."""
        for table, rows in self._fresh.items():
            into[table] += rows
            if table in self._unwritten:
                self._unwritten[table] += rows
            rows.clear()

    def insert(self) -> None:
        """Insert the rows that were taken."""
        for table, rows in self._unwritten.items():
            columns = COLUMNS[table]
            marks = ", ".join("?" * (columns.count(",") + 2))
            statement = f"INSERT INTO {table} (id, {columns}) VALUES ({marks})"
            self._connection.executemany(statement, rows)
            rows.clear()

    def segment(self, worker: str, number: int) -> int:
        """Return the number of a segment, which is inserted at once: its mark is moved."""
        stored = (worker, number)
        if (found := self._find("segment", stored)) is not None:
            return found
        fresh = self._add("segment", stored)
        self._connection.execute("INSERT INTO segment (id, worker, number) VALUES (?, ?, ?)", (fresh, *stored))
        return fresh

    def client(self, client: Client) -> int:
        """Return the number of a client."""
        if (number := self._clients_before.get(client)) is not None:
            self.clients[client] = number
            return number
        address, peer, source = client
        stored = (pack_address(address), pack_address(peer), ADDRESS_SOURCES.index(source))
        number = self._known("client", stored)
        if number is None:
            place = self._resolvers.places.resolve(address)
            number = self._add("client", (*stored, place.country, place.city))
        self.clients[client] = number
        return number

    def agent(self, user_agent: str) -> int:
        """Return the number of an agent."""
        stored = (text_hash(user_agent), user_agent)
        number = self._known("agent", stored)
        if number is None:
            agent = self._resolvers.agents.resolve(user_agent)
            browser = agent.browser, agent.browser_version
            number = self._add(
                "agent", (*stored, agent.device, agent.device_type, *browser, agent.os, agent.os_version)
            )
        self._characters += len(user_agent)
        self.agents[user_agent] = number
        return number

    def resource(self, resource: Resource) -> int:
        """Return the number of a resource."""
        method, scheme, host, url, flags = resource
        path, mark, query = url.partition("?")
        stored = (text_hash(*resource), method, scheme, host, path, query if mark else None, flags)
        number = self._known("resource", stored)
        if number is None:
            number = self._add("resource", stored)
        self._characters += len(url) + len(host)
        self.resources[resource] = number
        return number

    def referrer(self, host: str) -> int:
        """Return the number of a referrer's host."""
        number = self._known("referrer", (host,))
        if number is None:
            number = self._add("referrer", (host,))
        self._characters += len(host)
        self.referrers[host] = number
        return number

    def _known(self, table: str, values: Row) -> int | None:
        is_whole = self._are_clients_whole if table == "client" else self._are_texts_whole
        return None if is_whole else self._find(table, values)

    def _find(self, table: str, values: Row) -> int | None:
        row = self._connection.execute(_FIND[table], values).fetchone()
        return int(row[0]) if row else None

    def _add(self, table: str, values: Row) -> int:
        number = self._last[table] = self._last[table] + 1
        self._fresh[table].append((number, *values))
        return number

    def _forget(self) -> None:
        self.clients = {}
        self._clients_before = {}
        self.agents, self.resources, self.referrers = {}, {}, {}
        self._characters = 0
