"""What a writer remembers: the numbers of the values that it has met.

Owns how a record's values become words, what is resolved of a new one, and that memory stays bounded. Whether a
word is stored already is the writer's question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.store.addresses import pack_address
from consentkit.archive.store.server.words import Agent, Client, Referrer, Resource
from consentkit.requestlog.record import ADDRESS_SOURCES

if TYPE_CHECKING:
    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store.server.engine import Kind, Word
    from consentkit.archive.store.server.words import Content, Words
    from consentkit.requestlog.record import Record

# Remembered between commits; past it, values are forgotten, and numbered again when they come again.
_REMEMBERED_CLIENTS: Final = 8_000
_REMEMBERED_CHARACTERS: Final = 3_000_000


class Numbers:
    """Number the values of records.

    Args:
        words: of the place.
        resolvers: asked once per distinct value that is remembered.
    """

    def __init__(self, words: Words, resolvers: Resolvers) -> None:
        self._words = words
        self._resolvers = resolvers
        self._clients: dict[tuple[str, str, str], int] = {}
        self._clients_before: dict[tuple[str, str, str], int] = {}
        self._agents: dict[str, int] = {}
        self._resources: dict[tuple[str, str, str, str, int], int] = {}
        self._referrers: dict[str, int] = {}
        self._characters = 0
        self._fresh: list[Word] = []

    def forget(self) -> None:
        """Forget everything: of words that were given out, none may be there."""
        self._clients, self._clients_before = {}, {}
        self._forget_texts()
        self._fresh = []

    def make_room(self) -> None:
        """Keep what is remembered within its bounds; called between commits."""
        if len(self._clients) > _REMEMBERED_CLIENTS:
            # Those that came since the last time are kept once more: who comes often is never forgotten.
            self._clients_before, self._clients = self._clients, {}
        if self._characters > _REMEMBERED_CHARACTERS:
            self._forget_texts()

    def take_fresh(self) -> list[Word]:
        """Return the words of values that were not remembered, since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def of(self, record: Record) -> tuple[int, int, int, int]:
        """Return the numbers of a record's client, agent, resource and referrer."""
        client = record.client_address, record.peer_address, record.address_source
        agent = record.user_agent
        resource = record.method, record.scheme, record.host, record.url, record.query_flags
        referrer = record.referrer_host
        clients, agents, resources, referrers = self._clients, self._agents, self._resources, self._referrers
        return (
            number if (number := clients.get(client)) is not None else self._client(client),
            number if (number := agents.get(agent)) is not None else self._agent(agent),
            number if (number := resources.get(resource)) is not None else self._resource(resource),
            number if (number := referrers.get(referrer)) is not None else self._referrer(referrer),
        )

    def _client(self, client: tuple[str, str, str]) -> int:
        number = self._clients_before.get(client)
        if number is None:
            address, peer, source = client
            place = self._resolvers.places.resolve(address)
            packed = pack_address(address), pack_address(peer), ADDRESS_SOURCES.index(source)
            number = self._add("client", Client(*packed, place.country, place.city))
        self._clients[client] = number
        return number

    def _agent(self, user_agent: str) -> int:
        agent = self._resolvers.agents.resolve(user_agent)
        named = agent.device, agent.device_type, agent.browser, agent.browser_version, agent.os, agent.os_version
        number = self._agents[user_agent] = self._add("agent", Agent(user_agent, *named))
        self._characters += len(user_agent)
        return number

    def _resource(self, resource: tuple[str, str, str, str, int]) -> int:
        method, scheme, host, url, flags = resource
        path, mark, query = url.partition("?")
        content = Resource(method, scheme, host, path, query if mark else None, flags)
        number = self._resources[resource] = self._add("resource", content)
        self._characters += len(url) + len(host)
        return number

    def _referrer(self, host: str) -> int:
        number = self._referrers[host] = self._add("referrer", Referrer(host))
        self._characters += len(host)
        return number

    def _add(self, kind: Kind, content: Content) -> int:
        word = self._words.word(kind, content)
        self._fresh.append(word)
        return word.number

    def _forget_texts(self) -> None:
        self._agents, self._resources, self._referrers = {}, {}, {}
        self._characters = 0
