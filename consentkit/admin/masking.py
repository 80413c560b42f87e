"""Addresses that are shown without being told.

Owns the mask, the mark by which two rows of one address are seen to be that, and the token that stands for an
address in a link, so that it comes into no history and no server's log. When the whole address is shown, and that
this is written down, is the page's matter.

A token is sealed for one session and opens in no other, and not after twelve hours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
import time
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentkit.admin.sessions import WHOLE_US
from consentkit.crypto import NONCE_BYTES, hkdf

if TYPE_CHECKING:
    from consentkit.admin.visit import Entrant
    from consentkit.crypto import Keyring

# What a token begins with, and no address and no network.
TILDE: Final = "~"

_HIDDEN: Final = "\N{BULLET}"
_MAX_TOKEN_CHARACTERS: Final = 160
_TIME_BYTES: Final = 8
# Twenty bits: that two addresses of one page have the same mark is seldom, and an address does not follow from it.
_MARK_CHARACTERS: Final = 4


class BadToken(Exception):
    """Refuse a token that was sealed for another session, long ago, or not by us."""


class Mask:
    """Mask the addresses of one visit.

    Args:
        keyring: has the key.
        entrant: for whose session tokens are sealed.
    """

    def __init__(self, keyring: Keyring, entrant: Entrant) -> None:
        key = keyring.derive("admin-mask/v1")
        # Where the site signs people in there is no session of ours; then it holds for the person.
        self._holder = f"{entrant.session}/{'' if entrant.session else entrant.name}".encode()
        self._sealing = AESGCM(hkdf(key, "admin-mask/token"))
        self._marking = hkdf(key, "admin-mask/mark")

    def mark(self, address: str) -> str:
        """Return a few letters that are the same for the same address in this session; empty for none."""
        if not address:
            return ""
        digest = hmac.digest(self._marking, self._holder + b"\x00" + address.encode(), hashlib.sha256)
        return base64.b32encode(digest[:5]).decode("ascii").lower()[:_MARK_CHARACTERS]

    def seal(self, network: str) -> str:
        """Return a token for an address or a network."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        content = time.time_ns().to_bytes(_TIME_BYTES) + network.encode("ascii")
        sealed = nonce + self._sealing.encrypt(nonce, content, self._holder)
        return TILDE + base64.urlsafe_b64encode(sealed).decode("ascii").rstrip("=")

    def open(self, token: str) -> str:
        """Return the address or network that a token stands for.

        Raises:
            BadToken: it is of another session, too old, or not ours.
        """
        if not token.startswith(TILDE) or len(token) > _MAX_TOKEN_CHARACTERS or not token.isascii():
            raise BadToken
        text = token[len(TILDE) :]
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            content = self._sealing.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._holder)
        except (InvalidTag, ValueError, binascii.Error):
            raise BadToken from None
        age_us = (time.time_ns() - int.from_bytes(content[:_TIME_BYTES])) // 1000
        if not 0 <= age_us <= WHOLE_US:
            raise BadToken
        return content[_TIME_BYTES:].decode("ascii")


def masked(network: str) -> str:
    """Return an address or a network as it is shown: 203.0.•.• or 2001:db8:•; empty for none.

    Of an IPv4 address the first two of four numbers stay, of an IPv6 address the first 32 of 128 bits, which are
    a provider's.
    """
    if not network:
        return ""
    try:
        found = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return _HIDDEN  # whatever it is, it is no address that could be cut
    first = found.network_address
    if isinstance(first, ipaddress.IPv4Address):
        return ".".join([*str(first).split(".")[:2], _HIDDEN, _HIDDEN])
    groups = [f"{int(group, 16):x}" for group in first.exploded.split(":")[:2]]
    return ":".join([*groups, _HIDDEN])
