"""Who is asked about: an address and a time window, or a consent id.

Owns the check of both, and the fingerprint under which the audit speaks of a person: the audit outlives the
rows, so neither stands in it in clear.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit.consent.consentid import is_consent_id
from consentkit.errors import BadSearch
from consentkit.requestlog.truncate import truncate_address

if TYPE_CHECKING:
    from consentkit.crypto import Keyring

# A random key of its own: one derived from the root would change with it, and no older entry could be found.
KEY_NAME: Final = "subject/subject"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One person, as far as we can know her. Either the address is given, with its times, or the consent id.

    Attributes:
        address: canonical text of one IPv4 or IPv6 address.
        since_us, until_us: from, and before; microseconds since 1970 UTC.
        agent: her browser's User-Agent, where others share the address; empty = the address is hers alone.
        consent_id: as it stands in her cookie.
    """

    address: str = ""
    since_us: int = 0
    until_us: int = 0
    agent: str = ""
    consent_id: str = ""

    @classmethod
    def at(cls, address: str, since_us: int, until_us: int, *, agent: str = "") -> Person:
        """Return who had an address during a time, by one browser where that is named.

        Raises:
            BadSearch: it is no single address, or the time is empty.
        """
        try:
            parsed = ipaddress.ip_address(address.strip())
        except ValueError as exc:
            raise BadSearch("--address", "is not one address; write 192.0.2.7 or 2001:db8::7") from exc
        if isinstance(parsed, ipaddress.IPv6Address):
            if parsed.scope_id:
                raise BadSearch("--address", "names an interface; write the address alone")
            parsed = parsed.ipv4_mapped or parsed
        if not 0 <= since_us < until_us:
            raise BadSearch("--until", "is not later than --since")
        return cls(address=str(parsed), since_us=since_us, until_us=until_us, agent=agent)

    @classmethod
    def of_consent(cls, consent_id: str) -> Person:
        """Return who has a consent id.

        Raises:
            BadSearch: it can't be one.
        """
        if not is_consent_id(consent_id):
            raise BadSearch("--consent-id", "is no consent id: 22 letters, digits, - and _, the first no dash")
        return cls(consent_id=consent_id)

    @property
    def kind(self) -> str:
        """``address`` or ``consent_id``."""
        return "address" if self.address else "consent_id"

    @property
    def network(self) -> str:
        """What the address is stored as once addresses are cut."""
        return truncate_address(self.address)

    @property
    def is_network(self) -> bool:
        """Whether the address is what others of its network become, once addresses are cut."""
        return self.address == self.network


def fingerprint(keyring: Keyring, person: Person) -> str:
    """Return 64 hexadecimal digits for a person, the same each time, that only this installation can make.

    HMAC-SHA-256 under a random key. It is a pseudonym, not anonymous: who has the key can try out addresses.

    Raises:
        KeyUnavailable, StorageError: the key can't be had or made.
    """
    named = f"{person.kind}\0{person.address or person.consent_id}"
    return hmac.digest(keyring.make(KEY_NAME), named.encode(), "sha256").hex()
