"""The shape of a record, as it travels through the spool.

Owns which facts of a request are kept, and their units. Device, browser and place are not here:
the archive resolves them once per distinct value, off the request's path.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

Outcome: TypeAlias = Literal["complete", "client_gone", "app_error"]
AddressSource: TypeAlias = Literal["peer", "x-forwarded-for", "forwarded"]
GapReason: TypeAlias = Literal["full", "write", "sampled", "damaged"]

OUTCOMES: Final[tuple[Outcome, ...]] = ("complete", "client_gone", "app_error")
ADDRESS_SOURCES: Final[tuple[AddressSource, ...]] = ("peer", "x-forwarded-for", "forwarded")


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="r"):
    """One request, as the worker saw it.

    All text is already safe to show: redacted, capped, without control or direction characters.

    Attributes:
        time_us: when the request came in; microseconds since 1970 UTC.
        client_address: canonical text of the client's address; empty when it is not known.
        peer_address: the address at the other end of the connection; empty on a unix socket.
        address_source: where `client_address` was taken from.
        method: as sent; empty for a websocket.
        scheme: http, https, ws or wss.
        host: the Host header, lower case.
        url: path and redacted query.
        query_flags: bits of `redact.QUERY_FLAGS`.
        status: HTTP status; 101 for an accepted websocket, 0 if none was sent.
        outcome: how the response ended.
        bytes_sent: bytes of the body, as handed to the server.
        duration_us: from the call of the app to the last message; microseconds.
        user_agent: at most 512 bytes.
        referrer_host: host of the Referer alone.
    """

    time_us: int
    client_address: str
    peer_address: str
    address_source: AddressSource
    method: str
    scheme: str
    host: str
    url: str
    query_flags: int
    status: int
    outcome: Outcome
    bytes_sent: int
    duration_us: int
    user_agent: str
    referrer_host: str


class Gap(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="g"):
    """Records that could not be kept, so that a silence in the log is not read as peace.

    Attributes:
        since_us, until_us: first and last loss; microseconds since 1970 UTC.
        lost: how many records.
        reason: ``full`` (the spool's limit), ``write`` (the disk refused), ``sampled`` (left out of a busy
            network's requests in a flood) or ``damaged`` (spooled, and unreadable since).
        network: whose records, as ``192.0.2.0/24``; empty for everybody's, and for clients without address.
    """

    since_us: int
    until_us: int
    lost: int
    reason: GapReason
    network: str = ""  # last and with a default: frames from before it was there still open


Entry: TypeAlias = Record | Gap
