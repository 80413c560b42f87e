"""The value by which a form that is sent twice is known as one: made for each page, read from each answer.

Owns its form and its digest. It stands only in markup that is made for one visitor. What two answers with one
value come to is `consent.ledger`'s.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

FIELD: Final = "once"

_BYTES: Final = 12
# Ours have 16 characters; a site's own script may bring another, as a UUID.
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_CONTEXT: Final = "consentkit/once/v1"


def new_once() -> str:
    """Return a value for one page: 96 random bits, 16 characters of base64url."""
    return secrets.token_urlsafe(_BYTES)


def once_digest(text: str, address: str) -> str:
    """Return the digest under which a form's value is remembered, 64 hexadecimal digits.

    The client's address goes in, so that two visitors stay two where a cache gives one's page to the other in
    spite of its headers. It can't be found out again from the digest: nobody keeps the value.

    Args:
        text: the field as it came; hostile.
        address: of the client.

    Returns:
        Empty where the field is none of ours: the answer counts all the same, by itself.
    """
    if not _FORM.fullmatch(text):
        return ""
    return hashlib.sha256("\0".join((_CONTEXT, text, address)).encode()).hexdigest()
