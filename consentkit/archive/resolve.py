"""What a user agent and an address mean: device, browser and system; country and city.

Owns the agent tables and the geo database; it runs off the request's path, in the ingester, once per
distinct value. Where results are kept is the store's matter.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import socket
import tempfile
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import maxminddb
import msgspec
from ua_parser import Domain, load_lazy_builtins
from ua_parser.regex import Resolver
from user_agents import parsers

from consentkit.errors import StorageError
from consentkit.requestlog.headertext import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ua_parser import DefaultedResult

DeviceType: TypeAlias = Literal["pc", "mobile", "tablet", "bot", "other"]

MAX_AGENT_CHARACTERS: Final = 512
_MAX_WORD_CHARACTERS: Final = 64  # families may hold the client's own text
_AGENTS_KEPT: Final = 2048
_PLACES_KEPT: Final = 2048
_MAX_CITY_BYTES: Final = 128
_CHECK_EVERY_S: Final = 1.0
_RETRY_AFTER_S: Final = 60.0  # no room or no permission: copying a city database each second would not help
_UNSEEN: Final = re.compile(r"[^ -~]")
# What maxminddb raises on files that are none, or damaged: its own error is a RuntimeError, its decoder in
# Python lets the others through.
_DAMAGED: Final = (RuntimeError, ValueError, LookupError, TypeError)


class Resolvers:
    """What turns an agent and an address into words; shared by all periods of a process."""

    def __init__(self, agents: AgentResolver, places: PlaceResolver) -> None:
        self.agents = agents
        self.places = places


class Agent(msgspec.Struct, frozen=True, gc=False):
    """Say what a user agent names; families are those of ua-parser, ``Other`` where none is known."""

    device: str
    device_type: DeviceType
    browser: str
    browser_version: str
    os: str
    os_version: str


class Place(msgspec.Struct, frozen=True, gc=False):
    """Say where an address is: ISO 3166-1 code of the country and English name of the city, or empty."""

    country: str = ""
    city: str = ""


_NOWHERE: Final = Place()


class AgentResolver:
    """Resolve user agents with the package user-agents, fed by ua-parser's compiled matcher.

    The tables take 25 MB and 0.2 s; they are loaded at the first call.
    """

    def __init__(self) -> None:
        self._matcher: Resolver | None = None
        self._known = lru_cache(maxsize=_AGENTS_KEPT)(self._resolve)

    def resolve(self, user_agent: str) -> Agent:
        """Return what the text names; any text, of which the first 512 characters are read."""
        # Outside ASCII there is nothing that the tables know, and digits that int() refuses.
        return self._known(_UNSEEN.sub("?", user_agent[:MAX_AGENT_CHARACTERS]))

    def _resolve(self, user_agent: str) -> Agent:
        if self._matcher is None:
            self._matcher = Resolver(load_lazy_builtins())
        named = _NamedAgent(self._matcher(user_agent, Domain.ALL).complete().with_defaults())
        return Agent(
            device=named.get_device()[:_MAX_WORD_CHARACTERS],
            device_type=_device_type(named),
            browser=named.browser.family[:_MAX_WORD_CHARACTERS],
            browser_version=named.browser.version_string[:_MAX_WORD_CHARACTERS],
            os=named.os.family[:_MAX_WORD_CHARACTERS],
            os_version=named.os.version_string[:_MAX_WORD_CHARACTERS],
        )


class _NamedAgent(parsers.UserAgent):  # type: ignore[misc]  # user-agents has no types
    """A `user_agents` agent made of parts: its own constructor asks ua-parser's old way, 20 times slower."""

    def __init__(self, result: DefaultedResult) -> None:
        agent, system, device = result.user_agent, result.os, result.device
        self.ua_string = result.string
        self.browser = parsers.parse_browser(agent.family, agent.major, agent.minor, agent.patch)
        self.os = parsers.parse_operating_system(
            system.family, system.major, system.minor, system.patch, system.patch_minor
        )
        self.device = parsers.parse_device(device.family, device.brand, device.model)


def _device_type(agent: _NamedAgent) -> DeviceType:
    if agent.is_bot:  # first: bots dress as phones
        return "bot"
    if agent.is_tablet:
        return "tablet"
    if agent.is_mobile:
        return "mobile"
    return "pc" if agent.is_pc else "other"


class PlaceResolver:
    """Look addresses up in a MaxMind DB file, and follow it when it is replaced.

    The file is copied to one without a name, and the copy is mapped: whatever is done to the original, cut
    short in place too, can't take a page away under a reader (SIGBUS). Mapped pages are the kernel's to
    take back; read into memory, a city database alone would exceed what the ingester may use, and read
    through a file handle each look-up takes more than 50 times longer.

    Args:
        path: the .mmdb; None = no places.
        precision: ``country`` leaves the city out.
        scratch: folder for the copy, on a disk with as much room; None = the system's.
        clock: seconds that never go back.

    Attributes:
        fault: why the file as it stands is not in use; empty when it is. An older one may still be.
    """

    def __init__(
        self,
        path: Path | None,
        precision: Literal["country", "city"] = "country",
        *,
        scratch: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fault = ""
        self._path = path
        self._with_city = precision == "city"
        self._scratch = scratch
        self._clock = clock
        self._check_at = float("-inf")
        self._seen: tuple[int, ...] | None = None
        self._reader: maxminddb.Reader | None = None
        self._holds_ipv6 = False
        self._known = lru_cache(maxsize=_PLACES_KEPT)(self._resolve)

    def refresh(self) -> bool:
        """Open the file anew if it was replaced; tell whether another one is in use now.

        The file is looked at once a second at most. One that is broken is refused, and the one before it
        stays in use.
        """
        if self._path is None or self._clock() < self._check_at:
            return False
        self._check_at = self._clock() + _CHECK_EVERY_S
        try:
            seen = _identity(self._path.stat())
        except OSError:
            self._seen, self.fault = None, "is missing, or its folder can't be read"
            return False
        return seen != self._seen and self._replace(self._path, seen)

    def _replace(self, path: Path, seen: tuple[int, ...]) -> bool:
        try:
            reader = _open_copy(path, self._scratch)
        except StorageError as fault:
            self.fault = fault.reason
            return False
        except OSError as fault:
            self._check_at = self._clock() + _RETRY_AFTER_S
            self.fault = f"can't be copied: {fault.strerror}"
            return False
        except _DAMAGED:
            self._seen, self.fault = seen, "is no MaxMind DB, or is damaged"
            return False
        self.close()
        self._seen, self._reader, self.fault = seen, reader, ""
        self._holds_ipv6 = reader.metadata().ip_version == 6
        return True

    def resolve(self, address: str) -> Place:
        """Return the place of an address; empty for text that is none, and for what is not in the file."""
        if self._reader is None and not self.refresh():
            return _NOWHERE
        return self._known(address)

    @property
    def built_us(self) -> int | None:
        """When the file in use was built, in microseconds since 1970 UTC; None where none is in use."""
        return None if self._reader is None else self._reader.metadata().build_epoch * 1_000_000

    def close(self) -> None:
        """Let the file go, and forget what was found in it."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._seen = None
        self._known.cache_clear()

    def _resolve(self, text: str) -> Place:
        is_ipv6 = ":" in text
        try:
            socket.inet_pton(socket.AF_INET6 if is_ipv6 else socket.AF_INET, text)
        except (OSError, ValueError):
            return _NOWHERE
        if self._reader is None or (is_ipv6 and not self._holds_ipv6):
            return _NOWHERE
        try:
            record = self._reader.get(text)
        except _DAMAGED:
            self.fault = "is damaged"
            return _NOWHERE
        # MaxMind's and DB-IP's form, then the flat one of IPinfo.
        country = _text(record, "country", "iso_code") or _text(record, "country_code") or _text(record, "country")
        if not (len(country) == 2 and country.isascii() and country.isalpha()):
            country = ""
        city = (_text(record, "city", "names", "en") or _text(record, "city")) if self._with_city else ""
        return Place(country.upper(), clean_text(city.encode("utf-8", "replace"), _MAX_CITY_BYTES))


def _open_copy(path: Path, scratch: Path | None) -> maxminddb.Reader:
    """Open a copy that nobody else can reach.

    Raises:
        StorageError: the file was written while it was read.
        OSError: it can't be read, or there is no room for the copy.
        RuntimeError, ValueError, LookupError, TypeError: it is no MaxMind DB, or a damaged one.
    """
    with path.open("rb") as source, tempfile.NamedTemporaryFile(prefix="consentkit-", dir=scratch) as copy:
        before = _identity(os.fstat(source.fileno()))
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        if _identity(os.fstat(source.fileno())) != before:
            raise StorageError("geo_database", "is being written")
        reader = maxminddb.open_database(copy.name)
    try:
        for first_byte in range(1, 224):  # a tree that leads nowhere shows within a few branches
            reader.get(ipaddress.IPv4Address(first_byte << 24 | 1))
    except _DAMAGED:
        reader.close()
        raise
    return reader


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _text(record: object, *keys: str) -> str:
    """Return the text at the end of a path through nested tables; empty where there is none."""
    for key in keys:
        if not isinstance(record, dict):
            return ""
        record = record.get(key)
    return record if isinstance(record, str) else ""
