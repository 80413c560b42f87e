"""The visitor's choice: its text in a cookie, its signature, and what an app sees of it.

Owns reading and writing that text. When it is asked again is `policy`'s, what it lets pass is `gate`'s.

    v1.p1s0m0.3.1763884800.<signature>
       choices  revision of the policy, unix time of the choice

A category is named by its first letter; 1 granted, 0 denied, absent undecided.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from itsdangerous import BadSignature, Signer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LETTERS: Final[Mapping[str, str]] = {"p": "preferences", "s": "statistics", "m": "marketing"}
_FORM: Final = re.compile(r"v1\.((?:[psm][01]){0,3})\.([0-9]{1,9})\.([0-9]{1,11})", re.ASCII)

# Longest text that can be valid: bounds what is verified, and what is remembered.
MAX_TEXT_BYTES: Final = 96
_REMEMBERED: Final = 4096


class Choice(msgspec.Struct, frozen=True, cache_hash=True):
    """What one visitor chose.

    Attributes:
        granted, denied: categories; one in neither is undecided.
        revision: of the policy the visitor was shown.
        time: when, in whole seconds since 1970 UTC.
    """

    granted: frozenset[str]
    denied: frozenset[str]
    revision: int
    time: int


class _Unread:
    """Stand for a text that was not yet verified; None stands for one that is not ours."""


_UNREAD: Final = _Unread()


class ChoiceSigner:
    """Write and read the cookie's text.

    Args:
        key: 32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(
            key, salt=b"consentkit.choice.v1", sep=b".", key_derivation="hmac", digest_method=sha256
        )
        self._read: dict[bytes, Choice | None] = {}

    def write(self, choice: Choice) -> str:
        """Return the signed text of a choice."""
        choices = "".join(
            f"{letter}{int(category in choice.granted)}"
            for letter, category in _LETTERS.items()
            if category in choice.granted or category in choice.denied
        )
        return self._signer.sign(f"v1.{choices}.{choice.revision}.{choice.time}").decode("ascii")

    def read(self, text: bytes) -> Choice | None:
        """Return the choice in a cookie's value, or None where the value is not one of ours.

        A verified value is remembered, so that a visitor costs one look-up a request. Invented ones are
        remembered in a table of bounded size, which is emptied when it is full.
        """
        if len(text) > MAX_TEXT_BYTES:
            return None
        known = self._read.get(text, _UNREAD)
        if not isinstance(known, _Unread):
            return known
        if len(self._read) >= _REMEMBERED:
            self._read.clear()
        choice = self._read[text] = self._verify(text)
        return choice

    def _verify(self, text: bytes) -> Choice | None:
        try:
            form = _FORM.fullmatch(self._signer.unsign(text).decode("ascii"))
        except (BadSignature, UnicodeDecodeError):
            return None
        if form is None:
            return None
        choices, revision, time = form.groups()
        answers = {_LETTERS[letter]: answer for letter, answer in zip(choices[::2], choices[1::2], strict=True)}
        return Choice(
            granted=frozenset(category for category, answer in answers.items() if answer == "1"),
            denied=frozenset(category for category, answer in answers.items() if answer == "0"),
            revision=int(revision),
            time=int(time),
        )


def agreed(several: Sequence[Choice]) -> Choice | None:
    """Return the one choice that several valid cookies leave: granted is what all of them grant.

    A sibling subdomain can set a cookie beside ours, never a grant that the visitor did not give us.
    """
    if len(several) < 2:
        return several[0] if several else None
    granted = frozenset.intersection(*(choice.granted for choice in several))
    return Choice(
        granted=granted,
        denied=frozenset().union(*(choice.granted | choice.denied for choice in several)) - granted,
        revision=min(choice.revision for choice in several),
        time=min(choice.time for choice in several),
    )


class Consent:
    """What an app and its templates see of the visitor's choice.

    Args:
        granted: categories that are granted and in force.
        denied: categories that are denied.
        optional: the optional categories that the site declares.

    Attributes:
        granted, denied: the same sets.
        allows_all: every optional category is granted.
    """

    __slots__ = ("_optional", "allows_all", "denied", "granted")

    def __init__(self, granted: frozenset[str], denied: frozenset[str], optional: tuple[str, ...]) -> None:
        self.granted = granted
        self.denied = denied
        self._optional = optional
        self.allows_all = granted.issuperset(optional)

    def allows(self, category: str) -> bool:
        """Tell whether cookies of a category may be used; necessary ones always may."""
        return category == "necessary" or category in self.granted

    @property
    def decided(self) -> bool:
        """Whether the visitor has answered for every optional category."""
        return all(category in self.granted or category in self.denied for category in self._optional)

    @property
    def categories(self) -> dict[str, bool]:
        """Each optional category, and whether it may be used now."""
        return {category: category in self.granted for category in self._optional}

    def answer(self, category: str) -> bool | None:
        """Return True for granted, False for denied, None where the visitor has not answered."""
        if category in self.granted:
            return True
        return False if category in self.denied else None

    def __repr__(self) -> str:
        return f"Consent({self.categories})"
