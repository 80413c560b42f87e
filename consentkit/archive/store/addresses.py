"""Addresses as stores keep them: 4 or 16 bytes, which sort and compare as networks do.

Owns that form alone; cutting an address to its network is `requestlog.truncate`'s.
"""

from __future__ import annotations

import ipaddress
import socket


def pack_address(text: str) -> bytes:
    """Return 4 or 16 bytes for an address, none for the empty text."""
    if not text:
        return b""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        return ipaddress.ip_address(text).packed  # says what is wrong with it


def unpack_address(packed: bytes) -> str:
    """Return the canonical text of a packed address."""
    return str(ipaddress.ip_address(packed)) if packed else ""
