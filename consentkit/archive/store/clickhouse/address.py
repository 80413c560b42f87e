"""Where a ClickHouse server is, and as whom to ask it, from the URL of the settings.

Owns what may stand in that URL. It holds a password, so nothing here shows it, nor any part of it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from consentkit.errors import SettingsError

KEY: Final = "storage.requests_url"
PORT: Final = 9000
SECURE_PORT: Final = 9440

_EXPECTED: Final = "clickhouse://user:password@host:9000/database?cluster=NAME&secure=true"
# Put into statements as they are, so no other letters.
_DATABASE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CLUSTER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_TRUTHS: Final = {"1": True, "true": True, "0": False, "false": False}

# What the driver is given of the rest, by its own names.
_SWITCHES: Final = ("verify",)
_SECONDS: Final = ("connect_timeout", "send_receive_timeout")
_FILES: Final = ("ca_certs", "certfile", "keyfile")
_MAX_SECONDS: Final = 3600


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One server, and how to get in.

    Attributes:
        host, port: of the native protocol.
        user, password: who we are.
        database: in which the tables are; it exists.
        cluster: over whose shards they are spread; empty = there is one server.
        secure: by TLS.
        options: further ones, by the driver's names.
    """

    host: str
    port: int
    user: str = "default"
    password: str = ""
    database: str = "default"
    cluster: str = ""
    secure: bool = False
    options: dict[str, str | int | bool] = {}

    def __repr__(self) -> str:
        """Show the class alone: the rest is nobody's business in a log."""
        return "Address(…)"

    def at(self, host: str, port: int) -> Address:
        """Return another server of the cluster, to be asked in the same way."""
        return msgspec.structs.replace(self, host=host, port=port)


def parse_address(url: str) -> Address:
    """Return the address that a URL names.

    Args:
        url: ``clickhouse://user:password@host:9000/database``, user and password percent-encoded; with
            ``cluster``, ``secure``, ``verify``, ``ca_certs``, ``certfile``, ``keyfile``, ``connect_timeout`` and
            ``send_receive_timeout`` (seconds) as its query.

    Raises:
        SettingsError: it names none, or an option that is not known.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise SettingsError(KEY, "can't be read as a URL", _EXPECTED) from None
    if parts.scheme != "clickhouse" or not host or parts.fragment:
        raise SettingsError(KEY, "names no server", _EXPECTED)
    database = _name("database", unquote(parts.path[1:]) or "default", _DATABASE)
    cluster = _name("cluster", query.pop("cluster"), _CLUSTER) if "cluster" in query else ""
    secure = _truth("secure", query.pop("secure", "false"))
    return Address(
        host=host,
        port=port or (SECURE_PORT if secure else PORT),
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=database,
        cluster=cluster,
        secure=secure,
        options={name: _option(name, text) for name, text in query.items()},
    )


def _name(what: str, text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text):
        raise SettingsError(KEY, f"the {what}'s name is none", "letters, digits and underscores")
    return text


def _option(name: str, text: str) -> str | int | bool:
    if name in _SWITCHES:
        return _truth(name, text)
    if name in _SECONDS:
        if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 0 < int(text) <= _MAX_SECONDS):
            raise SettingsError(KEY, f"{name} is no number of seconds", f"1 to {_MAX_SECONDS}")
        return int(text)
    if name in _FILES:
        return text
    raise SettingsError(KEY, "holds an option that is not known", f"cluster, secure, {', '.join(_KNOWN)}")


def _truth(name: str, text: str) -> bool:
    if text.lower() not in _TRUTHS:
        raise SettingsError(KEY, f"{name} is neither true nor false", "true or false")
    return _TRUTHS[text.lower()]


_KNOWN: Final = (*_SWITCHES, *_SECONDS, *_FILES)
