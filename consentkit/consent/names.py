"""The names of consentkit's own cookies.

Owns the prefix rule: on https the choice is kept under ``__Host-``, which no subdomain can set
(RFC 6265bis §4.1.3.2), unless subdomains are meant to share it.
"""

from __future__ import annotations

import msgspec


class CookieNames(msgspec.Struct, frozen=True):
    """Name the cookies of one site.

    Attributes:
        base: name of the choice cookie without prefix.
        has_prefix: on https it begins with ``__Host-``.
    """

    base: str
    has_prefix: bool

    def choice(self, *, is_secure: bool) -> str:
        """Return the name under which the choice is kept."""
        return f"__Host-{self.base}" if is_secure and self.has_prefix else self.base

    @property
    def consent_id(self) -> str:
        """The name of the cookie that holds the consent id, for our own pages alone."""
        return f"{self.base}_id"

    def session(self, *, is_secure: bool) -> str:
        """Return the name under which staff of the operator are signed in, for the admin area alone.

        It has a path, which ``__Host-`` does not allow; no subdomain is trusted with it either way, since its
        value is signed.
        """
        return f"__Secure-{self.base}_admin" if is_secure else f"{self.base}_admin"
