"""The two cookies of an answer, as Set-Cookie fields.

Owns their attributes (RFC 6265bis §4.1). What stands in them, and whether they are set, is `desk`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentkit.consent.gate import Visit
    from consentkit.consent.names import CookieNames


class ChoiceCookies:
    """Write the fields.

    Args:
        names: of consentkit's own cookies.
        domain: for subdomains that share a choice; empty = this host alone.
    """

    def __init__(self, names: CookieNames, domain: str) -> None:
        self._names = names
        self._domain = domain

    def choice(self, text: str, max_age_s: int, visit: Visit) -> bytes:
        """Return the field of a choice, as its signer wrote it."""
        # Readable by script: pages from a shared cache show or hide the banner by it.
        name = self._names.choice(is_secure=visit.is_secure)
        field = f"{name}={text}; Path=/; Max-Age={max_age_s}; SameSite=Lax"
        if self._domain:
            field += f"; Domain={self._domain}"
        return _finished(field, visit)

    def consent_id(self, consent_id: str, max_age_s: int, visit: Visit, path: str) -> list[bytes]:
        """Return the field of an id, or of its removal; nothing where there is none and none was sent.

        Args:
            consent_id: empty = it is removed.
            max_age_s: as of the choice.
            visit: the request.
            path: of our pages: no other page of the site gets it.
        """
        if not consent_id and not visit.consent_id:
            return []
        lifetime = f"Max-Age={max_age_s}" if consent_id else "Max-Age=0"
        field = f"{self._names.consent_id}={consent_id}; Path={path}; {lifetime}; HttpOnly; SameSite=Lax"
        return [_finished(field, visit)]


def _finished(field: str, visit: Visit) -> bytes:
    return (field + ("; Secure" if visit.is_secure else "")).encode()
