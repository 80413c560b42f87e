"""Passwords: what is taken as one, and how it is kept.

Owns the rules (NIST SP 800-63B §5.1.1.2: length, none of the commonest, nothing else) and the hash (RFC 9106).
Who may try how often is left to `throttle`, how many are checked at a time to `vault`.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from consentkit.admin.staff import fold
from consentkit.errors import ConsentKitError

MIN_CHARACTERS: Final = 12
MAX_CHARACTERS: Final = 256

# The second choice of RFC 9106 §4 but for one lane, so that a check takes one core and no more:
# 64 MiB and some 150 ms.
_HASHER: Final = PasswordHasher(
    time_cost=3, memory_cost=64 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)

# Those of the usual lists of stolen passwords that are long enough, and what one would try here first.
_COMMONEST: Final = frozenset(
    """
    123456789012 1234567890123 12345678901234 123456789101112 123123123123 111111111111 000000000000 121212121212
    112233445566 987654321098 098765432109 qwertyuiop12 qwertyuiop123 qwerty123456 qwerty1234567 qwertyqwerty
    qwertyuiopas qwertyuiopasdf asdfghjkl123 asdfghjklqwe 1q2w3e4r5t6y 1qaz2wsx3edc qazwsxedcrfv zaq12wsxcde3
    1qazxsw23edc abcdefghijkl abcdefghijklm abcd12345678 abc123456789 a12345678910 password1234 password12345
    password123456 passwordpassword password2024 password2025 password2026 p@ssw0rd1234 passw0rd1234 mypassword123
    iloveyou1234 iloveyouforever letmein12345 letmeinletmein welcome12345 welcome123456 changeme1234
    changemechangeme administrator administrator1 administrator123 adminadminadmin admin1234567 admin12345678
    root12345678 superuser123 secretsecret consentkit12 consentkit123 consentkit1234 consentkitadmin
    correcthorsebatterystaple trustno1trustno1 unknownunknown
    parole123456 paroleparole parole1234567 пароль123456 парольпароль йцукенгшщзхъ slaptazodis1 slaptazodis123
    parool123456 paroolparool
    """.split()  # noqa: SIM905 - words, not a column of literals
) | {"correct horse battery staple"}


class BadPassword(ConsentKitError):
    """Refuse a password; the message says what is allowed and never what was given.

    Attributes:
        fault: ``short``, ``long``, ``name`` or ``common``.
    """

    def __init__(self, fault: str) -> None:
        self.fault = fault
        says = {
            "short": f"a password has at least {MIN_CHARACTERS} characters",
            "long": f"a password has at most {MAX_CHARACTERS} characters",
            "name": "a password must not be the person's own name",
            "common": "this password is one of those that are tried first; take another",
        }
        super().__init__(says[fault])


def require_good(password: str, *, name: str) -> None:
    """Check a new password.

    Raises:
        BadPassword: it can't be taken.
    """
    text = _normal(password)
    if len(text) < MIN_CHARACTERS:
        raise BadPassword("short")
    if len(text) > MAX_CHARACTERS:
        raise BadPassword("long")
    if fold(text) == fold(name):
        raise BadPassword("name")
    if text.casefold() in _COMMONEST or len(set(text)) == 1:
        raise BadPassword("common")


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a password, with its salt and parameters in it."""
    return _HASHER.hash(_normal(password))


def is_right(password: str, hashed: str | None) -> bool:
    """Tell whether a password is the one that was hashed; it takes as long where there is nothing to compare."""
    try:
        return _HASHER.verify(hashed or _nobodys(), _normal(password[: 4 * MAX_CHARACTERS])) and bool(hashed)
    except (VerificationError, InvalidHashError):
        return False


def needs_new_hash(hashed: str) -> bool:
    """Tell whether a hash was made with other parameters than are used now."""
    return _HASHER.check_needs_rehash(hashed)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    """Return the hash that is checked for names that nobody has, so that time doesn't tell them."""
    return _HASHER.hash("of nobody at all")


def _normal(password: str) -> str:
    # One password is typed as different code points on different keyboards (RFC 8265 §4.2.2).
    return unicodedata.normalize("NFC", password)
