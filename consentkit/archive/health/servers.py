"""The database servers: whether they answer, keep what they confirm, and let our role do what it must.

Owns the judgement. How a server is was asked by `store.condition`; an embedded store has nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.health.finding import Finding, bad, good, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consentkit.archive.store.condition import Condition, Risk
    from consentkit.settings import Settings

_NAMES: Final = {"postgresql": "PostgreSQL", "clickhouse": "ClickHouse"}
_TESTED: Final = {"postgresql": "14", "clickhouse": "18.16"}

_OFF_US: Final = 2_000_000
_FAR_OFF_US: Final = 60_000_000

_RISKS: Final[dict[Risk, str]] = {
    "no_fsync": "ClickHouse before 20.10 never asks its disk to write: a server that loses its power forgets the"
    " requests of its last seconds. `consentkit log verify` says so then",
    "fsync_off": "fsync is off: a server that loses its power may lose or damage anything in it, choices too",
    "full_page_writes_off": "full_page_writes is off: a server that loses its power may keep half-written pages",
}
_IN_THE_CLEAR: Final = {
    "postgresql": "choices, the audit and names of staff can be read on the way",
    "clickhouse": "the password, times, sizes and status codes can be read on the way",
}
_TO_TLS: Final = {
    "postgresql": "Write sslmode=verify-full and sslrootcert=FILE into storage.url.",
    "clickhouse": "Write secure=true into storage.requests_url, and ca_certs=FILE where it is a CA of your own.",
}
_PAGES: Final = {"postgresql": "docs/postgresql.md", "clickhouse": "docs/clickhouse.md"}
_NO_ANSWER: Final = "The spool keeps requests meanwhile; refusals hold, and a grant is answered 503."


def examine_servers(settings: Settings, servers: Iterable[Condition]) -> Iterator[Finding]:
    """Yield what is found of each server.

    Args:
        settings: in force.
        servers: as they were when they were asked.
    """
    for server in servers:
        yield _answers(server)
        if server.fault:
            continue
        yield _version(server)
        yield _tls(server)
        yield _durable(server)
        yield _clock(server)
        yield _tables(server)
        if server.tables == "good":
            yield _rights(server, settings)


def _answers(server: Condition) -> Finding:
    check, name = f"{server.kind}.answers", _named(server)
    if server.fault:
        return bad(check, f"{name} does not answer: {server.fault}.", _NO_ANSWER)
    if not server.is_writable:
        text = f"{name} answers, but takes nothing: it is a replica, or set to read only."
        return bad(
            check, text, "Name the primary; with several hosts in the URL, target_session_attrs=read-write."
        )
    return good(check, f"{name} answers in {server.answer_seconds * 1000:,.1f} ms.")


def _version(server: Condition) -> Finding:
    check, oldest = f"{server.kind}.version", _TESTED[server.kind]
    text = f"{_NAMES[server.kind]} is of version {server.version}"
    if not server.is_supported:
        return bad(check, f"{text}; nothing older than {oldest} is tested.", "Upgrade the server.")
    return good(check, f"{text}.")


def _tls(server: Condition) -> Finding:
    check = f"{server.kind}.tls"
    if server.is_local:
        return good(check, "The server is on this machine: nothing goes over a network.")
    if not server.is_encrypted:
        text = f"The connection is not encrypted: {_IN_THE_CLEAR[server.kind]}."
        return unknown(check, text, _TO_TLS[server.kind])
    if not server.is_verified:
        text = "The connection is encrypted, but nobody checks that it is this server which answers."
        return unknown(check, text, _TO_TLS[server.kind])
    return good(check, "The connection is encrypted, and the server's certificate is checked.")


def _durable(server: Condition) -> Finding:
    check = f"{server.kind}.durable"
    if not server.risks:
        return good(check, "What the server has confirmed is on its disk.")
    text = "; ".join(_RISKS[risk] for risk in server.risks) + "."
    if "fsync_off" in server.risks:
        return bad(check, text, "Set fsync = on, and restart the server.")
    if "no_fsync" in server.risks:
        return unknown(check, text, "Upgrade the server; until then, see that its power does not fail.")
    return unknown(check, text, "Set full_page_writes = on, unless the file system writes whole pages.")


def _clock(server: Condition) -> Finding:
    check, off_us = f"{server.kind}.clock", abs(server.ahead_us)
    direction = "ahead of" if server.ahead_us > 0 else "behind"
    text = f"The server's clock is {off_us / 1e6:,.0f} s {direction} this host's."
    if off_us > _FAR_OFF_US:
        return bad(check, text, "Set both by NTP: periods begin and end by the clock.")
    if off_us > _OFF_US:
        return unknown(check, text, "Set both by NTP.")
    return good(check, "The server's clock and this host's agree.")


def _tables(server: Condition) -> Finding:
    check = f"{server.kind}.tables"
    match server.tables:
        case "good":
            return good(check, "The server has the tables of this version.")
        case "newer":
            return bad(check, "The server's tables are of a newer version.", "Upgrade consentkit on this host.")
        case "foreign":
            text = "The server has tables by our names that are not ours."
            return bad(check, text, "Give consentkit a database of its own.")
        case "older":
            text = "The server's tables are of an older version."
            return bad(check, text, "Run `consentkit db upgrade` as the owner of the schema.")
        case "missing":
            return unknown(check, "The server has no tables of ours yet.", "The first who may make them does.")


def _rights(server: Condition, settings: Settings) -> Finding:
    check, way_out = f"{server.kind}.rights", f"See {_PAGES[server.kind]}."
    if server.lacks:
        text = f"This role may not do what it must: {_listed(server.lacks)}."
        if server.kind == "postgresql":
            way_out = "`consentkit db roles --sql` prints the statements that allow it."
        return bad(check, text, way_out)
    if server.kind == "clickhouse":
        return good(check, "Nothing in the user's profile forbids what is needed.")
    is_apart = settings.requestlog.ingest == "external"
    if server.is_owner:
        apart = " Whoever takes over a site that signs in so can read the log." if is_apart else ""
        return good(check, f"This role owns the tables and may do all of it.{apart}")
    if not is_apart:
        text = "This host's ingester may come to lead, and its role may not make or drop places."
        return bad(check, text, 'Set requestlog.ingest = "external", and run `consentkit ingest` as the owner.')
    if server.may_read_requests:
        text = "This role writes requests and may read them too, which a site's servers need not."
        return unknown(check, text, "See `consentkit db roles`.")
    return good(check, "This role may do what it must; making and dropping places is the owner's.")


def _named(server: Condition) -> str:
    where = f" on {server.host}" if server.host and not server.host.startswith("/") else ""
    database = f", database {server.database}" if server.database else ""
    return f"{_NAMES[server.kind]}{where}{database}"


def _listed(rights: tuple[str, ...]) -> str:
    shown = ", ".join(rights[:5])
    return f"{shown} and {len(rights) - 5} more" if len(rights) > 5 else shown
