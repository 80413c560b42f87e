"""The cookie that carries a session's id.

Owns its attributes and its signature, which keeps what nobody gave out away from the database.

It is ``SameSite=Lax``: with ``Strict`` a link in a mail or in a case file would meet a signed-out page, and people
would come to sign in wherever a link asks them to. Lax sends it with no one else's form or script; those that
change something are checked for their origin besides, and no GET changes anything (RFC 6265bis §8.8.2).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from itsdangerous import BadSignature, Signer

from consentkit.consent.cookieheader import values_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consentkit.consent.names import CookieNames
    from consentkit.crypto import Keyring

_MAX_VALUE_BYTES: Final = 128
# A browser sends the most specific path first; more of that name are someone else's.
_MAX_VALUES: Final = 4


class SessionCookie:
    """Read and write the cookie.

    Args:
        keyring: has the key; a new root key ends all sessions.
        names: of our cookies.
    """

    def __init__(self, keyring: Keyring, names: CookieNames) -> None:
        self._keyring = keyring
        self._names = names

    def read(self, headers: Iterable[tuple[bytes, bytes]], *, is_secure: bool) -> str:
        """Return the session's id that a request carries, signed by us; empty where there is none."""
        name = self._names.session(is_secure=is_secure).encode()
        values = [value for kind, field in headers if kind == b"cookie" for value in values_of(field, name)]
        signer = self._signer()
        for value in values[:_MAX_VALUES]:
            try:
                return signer.unsign(value[:_MAX_VALUE_BYTES]).decode("ascii")
            except (BadSignature, UnicodeDecodeError):
                continue
        return ""

    def write(self, session_id: str, *, path: str, is_secure: bool) -> str:
        """Return a Set-Cookie field that lasts until the browser closes; an empty id deletes it."""
        value = self._signer().sign(session_id).decode("ascii") if session_id else ""
        field = f"{self._names.session(is_secure=is_secure)}={value}; Path={path}; HttpOnly; SameSite=Lax"
        if not session_id:
            field += "; Max-Age=0"
        return f"{field}; Secure" if is_secure else field

    def _signer(self) -> Signer:
        # Read anew: the root key may have been replaced meanwhile.
        return Signer(
            self._keyring.derive("admin-session/v1"), salt=b"consentkit.admin", digest_method=hashlib.sha256
        )
