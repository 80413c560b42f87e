"""Rows of numbers, shown as requests.

Owns putting a row and its words together. Which rows are shown is `paging`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from consentkit.archive.store.addresses import unpack_address
from consentkit.archive.store.interface import Cursor, FoundRequest, iso_time
from consentkit.archive.store.server.words import Agent, Client, Referrer, Resource
from consentkit.errors import StorageError
from consentkit.requestlog.record import ADDRESS_SOURCES, OUTCOMES
from consentkit.requestlog.redact import flag_names
from consentkit.requestlog.segment import FrameId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.archive.store.places import Found
    from consentkit.archive.store.server.engine import Kind, Origin, Row
    from consentkit.archive.store.server.segments import Segments
    from consentkit.archive.store.server.vocabulary import Vocabulary

OfKind = TypeVar("OfKind", Client, Agent, Resource, Referrer)


class _Values(NamedTuple):
    """What the numbers of some rows stand for."""

    clients: dict[int, Client]
    agents: dict[int, Agent]
    resources: dict[int, Resource]
    referrers: dict[int, Referrer]


def found_requests(vocabulary: Vocabulary, segments: Segments, rows: Sequence[Row]) -> list[Found]:
    """Return those rows that are in, as requests; in no order.

    Raises:
        StorageError: a word is missing, or a number is none of a record.
    """
    known = segments.known(rows)
    own = [row for row, _ in known]
    values = _Values(
        words_of(vocabulary, "client", Client, {row.client for row in own}),
        words_of(vocabulary, "agent", Agent, {row.agent for row in own}),
        words_of(vocabulary, "resource", Resource, {row.resource for row in own}),
        words_of(vocabulary, "referrer", Referrer, {row.referrer for row in own}),
    )
    try:
        return [_found(row, origin, values) for row, origin in known]
    except (LookupError, ValueError):
        raise StorageError(vocabulary.place, "a row holds what no record has") from None


def words_of(vocabulary: Vocabulary, kind: Kind, shape: type[OfKind], numbers: set[int]) -> dict[int, OfKind]:
    """Return the values of words by number, all of one kind."""
    contents = vocabulary.contents(kind, sorted(numbers))
    return {number: content for number, content in contents.items() if isinstance(content, shape)}


def _found(row: Row, origin: Origin, values: _Values) -> Found:
    client, agent = values.clients[row.client], values.agents[row.agent]
    resource, referrer = values.resources[row.resource], values.referrers[row.referrer]
    frame = FrameId(origin.worker, origin.number, row.sequence)
    return Cursor.at(row.time_us, frame), FoundRequest(
        time=iso_time(row.time_us),
        request_id=str(frame),
        client_address=unpack_address(client.address),
        peer_address=unpack_address(client.peer),
        address_source=ADDRESS_SOURCES[client.source],
        method=resource.method,
        scheme=resource.scheme,
        host=resource.host,
        url=resource.path if resource.query is None else f"{resource.path}?{resource.query}",
        query_flags=flag_names(resource.query_flags),
        status=row.result // 4,
        outcome=OUTCOMES[row.result % 4],
        bytes_sent=row.bytes_sent,
        duration_us=row.duration_us,
        user_agent=agent.user_agent,
        referrer_host=referrer.host,
        device=agent.device,
        device_type=agent.device_type,
        browser=agent.browser,
        browser_version=agent.browser_version,
        os=agent.os,
        os_version=agent.os_version,
        country=client.country,
        city=client.city,
        claimed_time="" if row.claimed_us < 0 else iso_time(row.claimed_us),
    )
