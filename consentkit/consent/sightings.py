"""Which cookies are really in use: what the app sets, and what browsers bring, by name alone.

Owns the notes that a worker keeps of names that passed its gate, in bounded memory and safe from invented
names. What was dropped or blocked is counted by `seen`; what becomes of the notes is `inventory`'s job.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from consentkit.consent.seen import MAX_NAME_BYTES, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from consentkit.consent.inventory import Met
    from consentkit.consent.registry import Registry
    from consentkit.consent.seen import Seen

logger = logging.getLogger("consentkit.gate")

# Anyone can send any name; one that so many networks send is a cookie.
NETWORKS: Final = 3

# On a busy site a sample tells the same, and costs less than a thousandth of a core.
_LOOKS_A_SECOND: Final = 50.0
_BURST: Final = 500.0
_NAMES_A_LOOK: Final = 100

_GENERATION: Final = 512  # names on probation a generation; two of them stay under 300 KB
_LOCAL: Final = b""  # this machine: who tests the site, and has no networks to come from


class Sightings:
    """Note cookies by name.

    Declared cookies are as many as the settings have. A name that nobody declared is on probation until it
    has come from several networks (IPv4 /24, IPv6 /48), or from this machine; only then is it counted. Networks
    are kept as keyed hashes, and the key with the process.

    Args:
        registry: what is declared.
        clock: monotonic seconds.
    """

    __slots__ = ("_brought", "_clock", "_filled_at", "_find", "_probation", "_room", "_sent", "_set")

    def __init__(self, registry: Registry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._find = registry.find
        self._set: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._brought = Tally()
        self._probation = _Probation()
        self._clock = clock
        self._room = _BURST
        self._filled_at = clock()

    def pass_on(self, declaration: str) -> None:
        """Count a declared cookie that the app set and that went out."""
        self._set[declaration] = self._set.get(declaration, 0) + 1

    def has_room(self) -> bool:
        """Tell whether one more request may be looked at now, and count it."""
        now = self._clock()
        self._room = min(_BURST, self._room + (now - self._filled_at) * _LOOKS_A_SECOND)
        self._filled_at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True

    def look(self, names: Sequence[bytes], client: str) -> None:
        """Note what a browser sent.

        Args:
            names: of its cookies; hostile.
            client: its address, as the server or a trusted proxy tells it; empty = not known.
        """
        network: bytes | None = None
        for name in names[:_NAMES_A_LOOK]:
            declared = self._find(name)
            if declared is not None:
                self._sent[declared.name] = self._sent.get(declared.name, 0) + 1
            elif 0 < len(name) <= MAX_NAME_BYTES:
                if network is None:
                    network = _network_of(client)
                if self._probation.is_over(name, network):
                    self._bring(name)

    def _bring(self, name: bytes) -> None:
        if self._brought.add(name.decode("utf-8", "backslashreplace")):
            logger.warning("cookie %r comes from browsers and is declared nowhere: a script may set it", name)

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """How often each name came, by kind: ``set`` and ``sent`` (declarations), ``brought`` (names)."""
        return {"set": dict(self._set), "sent": dict(self._sent), "brought": self._brought.counts}


def met(seen: Seen, sightings: Sightings) -> Met:
    """Return all that a worker met, as the inventory takes it."""
    counts = seen.counts
    return {
        **sightings.counts,
        "dropped": counts.dropped,
        "undeclared": counts.undeclared,
        "undeletable": counts.undeletable,
        "blocked_hosts": counts.blocked_hosts,
        "signals": counts.signals,
    }


class _Probation:
    """Tell of a name whether enough networks have sent it; of the names in two generations.

    A full generation becomes the older one and the older is forgotten. A name that comes again moves to the
    younger, so names in real use outlive a flood of invented ones.
    """

    __slots__ = ("_key", "_older", "_younger")

    def __init__(self) -> None:
        self._key = os.urandom(16)
        self._younger: dict[bytes, tuple[bytes, ...]] = {}
        self._older: dict[bytes, tuple[bytes, ...]] = {}

    def is_over(self, name: bytes, network: bytes) -> bool:
        """Note that a name came from a network; ``_LOCAL`` is enough by itself."""
        networks = self._younger.get(name)
        if networks is None:
            networks = self._older.get(name, ())
            if len(self._younger) >= _GENERATION:
                self._older, self._younger = self._younger, {}
            self._younger[name] = networks
        if len(networks) >= NETWORKS or network == _LOCAL:
            return True
        mark = blake2b(network, digest_size=8, key=self._key).digest()
        if mark not in networks:
            self._younger[name] = networks = (*networks, mark)
        return len(networks) >= NETWORKS


def _network_of(client: str) -> bytes:
    """Return the network of an address as bytes; what is no address is one network of its own."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return b"?"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return _LOCAL
    return address.packed[: 3 if address.version == 4 else 6]
