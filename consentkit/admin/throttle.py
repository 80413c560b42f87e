"""How often a sign-in may be tried: counts of failures in the control database, for all workers together.

Owns the counts and how long to wait. Names and networks are kept as keyed digests; who signs in is not its matter.

Three counts, so that no single one can be turned against the people it protects:
- of a name from one network: the usual forgotten password;
- of a network: one that tries many names;
- of a name from everywhere: one person under attack from many networks. It does not hold for networks from which
  this person has signed in during the last weeks, so that who attacks a name does not lock its owner out.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import delete, func, insert, select, update

from consentkit.admin.staff import fold
from consentkit.control import throttle as table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consentkit.control import Control

_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _SECOND_US
_HOUR_US: Final = 60 * _MINUTE_US
_DAY_US: Final = 24 * _HOUR_US

_KNOWN: Final = "known"
_KNOWN_US: Final = 30 * _DAY_US
# A count is forgotten when nothing failed for so long.
_FORGOTTEN_US: Final = _DAY_US
_MAX_ROWS: Final = 10_000

# What one client has to itself: an IPv4 address, an IPv6 network of one customer.
_BITS: Final = {4: 32, 6: 56}


class _Rule(msgspec.Struct, frozen=True):
    """Wait after so many failures, twice as long after each further one."""

    kind: str
    free: int
    longest_us: int


_PAIR: Final = _Rule("pair", 5, 15 * _MINUTE_US)
_NETWORK: Final = _Rule("network", 20, _HOUR_US)
_NAME: Final = _Rule("name", 30, 15 * _MINUTE_US)


class Throttle:
    """Count failures.

    Args:
        control: the control database.
        key: 32 bytes; without it the digests can't be guessed back.
    """

    def __init__(self, control: Control, key: bytes) -> None:
        self._control = control
        self._key = key

    def admit(self, name: str, address: str) -> int:
        """Return for how many seconds nothing may be tried; 0 = now, and then it is counted as a failure already.

        It is counted first, so that many at once don't pass together; `succeed` or `give_back` takes it away.

        Raises:
            StorageError: it can't be made durable.
        """
        now_us = _now_us()
        with self._control.transaction() as connection:
            rules = self._rules(connection, name, address)
            counts = [(rule, digest, *self._row(connection, digest)) for rule, digest in rules]
            # No wait is longer than the longest: a clock that was set back must not lock anybody out.
            left_us = min(max(0, *(until_us - now_us for *_, until_us in counts)), _HOUR_US)
            if left_us:
                return -(-left_us // _SECOND_US)
            _clean(connection, now_us)
            for rule, digest, failures, _ in counts:
                until_us = now_us + _pause_us(rule, failures + 1)
                self._put(connection, rule.kind, digest, failures + 1, now_us, until_us=until_us)
        return 0

    def give_back(self, name: str, address: str) -> None:
        """Take back what `admit` counted, of an attempt that was not made."""
        now_us = _now_us()
        with self._control.transaction() as connection:
            self._take_back(connection, self._rules(connection, name, address), now_us)

    def succeed(self, name: str, address: str) -> None:
        """Forget the failures of a name from this network, and know the network for the person's.

        Of the network's own count one is taken away: who has an account must not try others' between his own
        sign-ins.
        """
        now_us = _now_us()
        with self._control.transaction() as connection:
            self._take_back(connection, self._rules(connection, name, address), now_us)
            connection.execute(delete(table).where(table.c.digest == self._digest(_PAIR.kind, name, address)))
            self._put(connection, _KNOWN, self._digest(_KNOWN, name, address), 0, now_us, until_us=0)

    def forget(self, name: str) -> None:
        """Forget what was counted of a name everywhere, as when its password was given anew."""
        with self._control.transaction() as connection:
            connection.execute(delete(table).where(table.c.digest == self._digest(_NAME.kind, name)))

    def _rules(self, connection: Connection, name: str, address: str) -> list[tuple[_Rule, str]]:
        rules = [
            (_PAIR, self._digest(_PAIR.kind, name, address)),
            (_NETWORK, self._digest(_NETWORK.kind, "", address)),
        ]
        known = select(table.c.last_us).where(table.c.digest == self._digest(_KNOWN, name, address))
        if (connection.execute(known).scalar() or 0) < _now_us() - _KNOWN_US:
            rules.append((_NAME, self._digest(_NAME.kind, name)))
        return rules

    def _take_back(self, connection: Connection, rules: list[tuple[_Rule, str]], now_us: int) -> None:
        for rule, digest in rules:
            failures = max(self._row(connection, digest)[0] - 1, 0)
            self._put(connection, rule.kind, digest, failures, now_us, until_us=0)

    def _row(self, connection: Connection, digest: str) -> tuple[int, int]:
        query = select(table.c.failures, table.c.until_us).where(table.c.digest == digest)
        row = connection.execute(query).first()
        return (row.failures, row.until_us) if row is not None else (0, 0)

    def _put(
        self, connection: Connection, kind: str, digest: str, failures: int, now_us: int, *, until_us: int
    ) -> None:
        values = {"failures": failures, "last_us": now_us, "until_us": until_us}
        done = connection.execute(update(table).where(table.c.digest == digest).values(values))
        if not done.rowcount:
            connection.execute(insert(table).values({**values, "digest": digest, "kind": kind}))

    def _digest(self, kind: str, name: str, address: str | None = None) -> str:
        network = "" if address is None else _network(address)
        text = f"{kind}\0{fold(name)}\0{network}"
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _pause_us(rule: _Rule, failures: int) -> int:
    if failures < rule.free:
        return 0
    return min(_SECOND_US << min(failures - rule.free, 20), rule.longest_us)


def _clean(connection: Connection, now_us: int) -> None:
    """Forget what is old, and where there is too much of it the oldest counts of pairs and networks."""
    counts = table.c.kind != _KNOWN
    connection.execute(delete(table).where(counts, table.c.last_us < now_us - _FORGOTTEN_US))
    connection.execute(delete(table).where(~counts, table.c.last_us < now_us - _KNOWN_US))
    total = connection.execute(select(func.count()).select_from(table)).scalar_one()
    if total > _MAX_ROWS:
        oldest = (
            select(table.c.digest)
            .where(counts)
            .order_by(table.c.last_us)
            .limit(total - _MAX_ROWS + _MAX_ROWS // 10)
        )
        connection.execute(delete(table).where(table.c.digest.in_(oldest)))


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""  # not known, as behind a Unix socket: all of those are one
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, _BITS[parsed.version]), strict=False))


def _now_us() -> int:
    return time.time_ns() // 1000
