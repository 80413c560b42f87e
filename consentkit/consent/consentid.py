"""The consent id: the random name under which a visitor's decisions are kept, in the cookie of her browser.

Owns how one is made and which form it has. Who has one, and what stands under it, is others'.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

_RANDOM_BYTES: Final = 16
# The first character is no dash: on a command line the id would be taken for an option.
_FORM: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{21}", re.ASCII)


def new_consent_id() -> str:
    """Return a new id: 22 characters of base64url that hold 128 bits, but those that begin with a dash."""
    while not is_consent_id(made := secrets.token_urlsafe(_RANDOM_BYTES)):
        pass
    return made


def is_consent_id(text: str) -> bool:
    """Tell whether a text, which may be hostile, has the form of an id; nothing is looked up."""
    return _FORM.fullmatch(text) is not None


def read_consent_id(value: bytes) -> str:
    """Return the id that a cookie's value is; empty where it is none."""
    text = value.decode("latin-1")
    return text if is_consent_id(text) else ""
