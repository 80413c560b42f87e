"""Rows as documents of the Elastic Common Schema, one JSON object a line.

Owns which of our facts has which name there. What the schema has no name for stands under ``consentkit``, as
it asks of fields of one's own. Empty fields are left out: Elasticsearch takes no empty text for an address.

Source: Elastic Common Schema 8.11, field sets base, client, ecs, event, geo, http, related, source, url,
user_agent; categorisation values of event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consentkit.archive.store import FoundRequest

ECS_VERSION: Final = "8.11.0"

_MAX_PORT: Final = 65535
_encode: Final = msgspec.json.Encoder().encode


def line(found: FoundRequest) -> bytes:
    """Return a row as one line of JSON with its end."""
    return _encode(document(found)) + b"\n"


def document(found: FoundRequest) -> dict[str, object]:
    """Return a row as a nested document: ``source.ip`` is ``{"source": {"ip": …}}``."""
    address = {"ip": found.client_address, "address": found.client_address}
    place = _present({"country_iso_code": found.country, "city_name": found.city})
    return _present(
        {
            "@timestamp": found.time,
            "ecs": {"version": ECS_VERSION},
            "event": _event(found),
            "source": _present({**address, "geo": place}),
            "client": _present(address),
            "related": _present({"ip": _addresses(found)}),
            "url": _url(found),
            "http": _http(found),
            "user_agent": _user_agent(found),
            "consentkit": _ours(found),
        }
    )


def _event(found: FoundRequest) -> dict[str, object]:
    return {
        "id": found.request_id,
        "kind": "event",
        "category": ["web"],
        "type": ["access", "error"] if found.outcome == "app_error" else ["access"],
        "outcome": _outcome(found),
        "duration": found.duration_us * 1000,
        "module": "consentkit",
        "dataset": "consentkit.request",
    }


def _outcome(found: FoundRequest) -> str:
    """Return success or failure as the server saw it; unknown where the client did not wait for the answer."""
    if found.outcome == "app_error" or found.status >= 400:
        return "failure"
    return "success" if found.outcome == "complete" else "unknown"


def _addresses(found: FoundRequest) -> list[str]:
    return [one for one in dict.fromkeys((found.client_address, found.peer_address)) if one]


def _url(found: FoundRequest) -> dict[str, object]:
    path, _, query = found.url.partition("?")
    domain, port = _domain_and_port(found.host)
    return _present(
        {
            "original": found.url,
            "path": path,
            "query": query,
            "scheme": found.scheme,
            "domain": domain,
            "port": port,
        }
    )


def _domain_and_port(host: str) -> tuple[str, int | None]:
    """Return a host's name and port; an IPv6 literal keeps its brackets, as the schema asks."""
    name, colon, port = host.rpartition(":")
    is_name = bool(colon) and (":" not in name or name.endswith("]"))
    if is_name and len(port) <= 5 and port.isascii() and port.isdigit() and int(port) <= _MAX_PORT:
        return name, int(port)
    return host, None


def _http(found: FoundRequest) -> dict[str, object]:
    referrer = f"https://{found.referrer_host}/" if found.referrer_host else ""
    return {
        "request": _present({"method": found.method, "referrer": referrer}),
        "response": _present({"status_code": found.status or None, "body": {"bytes": found.bytes_sent}}),
    }


def _user_agent(found: FoundRequest) -> dict[str, object]:
    full_os = " ".join(filter(None, (found.os, found.os_version)))
    return _present(
        {
            "original": found.user_agent,
            "name": found.browser,
            "version": found.browser_version,
            "device": _present({"name": found.device}),
            "os": _present({"name": found.os, "version": found.os_version, "full": full_os}),
        }
    )


def _ours(found: FoundRequest) -> dict[str, object]:
    return _present(
        {
            "outcome": found.outcome,
            "peer_address": found.peer_address,
            "address_source": found.address_source,
            "device_type": found.device_type,
            "query_flags": list(found.query_flags),
        }
    )


def _present(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
