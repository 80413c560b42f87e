"""Cutting an address down to the network it lies in.

Owns how much is cut. When it is cut, at once or after some days, is a setting.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

# The prefixes of BayLDA's and CNIL's guidance on shortened addresses: a last IPv4 byte, an IPv6 site.
_KEPT_BITS: Final = {4: 24, 6: 48}


@lru_cache(maxsize=4096)
def truncate_address(text: str) -> str:
    """Return the first address of the /24 (IPv4) or /48 (IPv6) that an address lies in; empty stays empty."""
    if not text:
        return ""
    return str(_network(text).network_address)


@lru_cache(maxsize=4096)
def network_of(text: str) -> str:
    """Return that network in CIDR form, as 192.0.2.0/24 or 2001:db8::/48; empty for the empty text."""
    return str(_network(text)) if text else ""


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    address = ipaddress.ip_address(text)
    return ipaddress.ip_network((address, _KEPT_BITS[address.version]), strict=False)
