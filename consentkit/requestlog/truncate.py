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
    address = ipaddress.ip_address(text)
    network = ipaddress.ip_network((address, _KEPT_BITS[address.version]), strict=False)
    return str(network.network_address)
