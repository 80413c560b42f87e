"""The visitor's choice: its text in a cookie, its signature, and what an app sees of it.

Owns reading and writing that text. When it is asked again is `policy`'s, what it lets pass is `gate`'s.

    v1.p1s0m0+vimeo.3.1763884800.<signature>
       choices      revision of the policy, unix time of the choice

A category is named by its first letter; 1 granted, 0 denied, absent undecided. A "g" behind them says that the
choice was made while the browser sent a privacy signal. Then, each after a "+", stand the services that are
allowed one by one, by their ids.
"""

from __future__ import annotations

import re
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec
from itsdangerous import BadSignature, Signer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consentkit.consent.declared import DeclaredCookie
    from consentkit.crypto import AcceptedKey

_LETTERS: Final[Mapping[str, str]] = {"p": "preferences", "s": "statistics", "m": "marketing"}
_FORM: Final = re.compile(
    r"v1\.((?:[psm][01]){0,3})(g?)((?:\+[a-z0-9][a-z0-9_-]{0,63}){0,16})\.([0-9]{1,9})\.([0-9]{1,11})", re.ASCII
)

# Services that one visitor may allow one by one, and how long their ids may be together.
MAX_SERVICES: Final = 16
MAX_SERVICES_BYTES: Final = 384

# Longest text that can be valid: bounds what is verified, and what is remembered.
MAX_TEXT_BYTES: Final = 96 + MAX_SERVICES_BYTES
_REMEMBERED: Final = 4096

# How long a replaced key may still sign: workers notice within seconds, and hosts' clocks differ.
LATE_S: Final = 300


class Choice(msgspec.Struct, frozen=True, cache_hash=True):
    """What one visitor chose.

    Attributes:
        granted, denied: categories; one in neither is undecided.
        revision: of the policy the visitor was shown.
        time: when, in whole seconds since 1970 UTC.
        services: ids of services that are allowed one by one, without their category; `fits` bounds them.
        under_signal: the browser sent a privacy signal when it was made.
    """

    granted: frozenset[str]
    denied: frozenset[str]
    revision: int
    time: int
    services: frozenset[str] = frozenset()
    under_signal: bool = False


class _Unread:
    """Stand for a text that was not yet verified; None stands for one that is not ours."""


_UNREAD: Final = _Unread()


class ChoiceSigner:
    """Write and read the cookie's text.

    Args:
        key: 32 random bytes; signs.
        accepted: other keys that read; one of them counts for choices made until its end alone, so that who got
            hold of it can't go on making choices.
    """

    def __init__(self, key: bytes, accepted: Sequence[AcceptedKey] = ()) -> None:
        self._signer = _signer(key)
        self._others = [(_signer(other.key), other.until_s) for other in accepted]
        self._read: dict[bytes, Choice | None] = {}

    def write(self, choice: Choice) -> str:
        """Return the signed text of a choice."""
        choices = "".join(
            f"{letter}{int(category in choice.granted)}"
            for letter, category in _LETTERS.items()
            if category in choice.granted or category in choice.denied
        )
        mark = "g" if choice.under_signal else ""
        services = "".join(f"+{service}" for service in sorted(choice.services))
        return self._signer.sign(f"v1.{choices}{mark}{services}.{choice.revision}.{choice.time}").decode("ascii")

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
        choice = _choice(self._signer, text)
        for signer, until_s in self._others:
            if choice is not None:
                break
            choice = _choice(signer, text)
            if choice is not None and until_s is not None and choice.time > until_s + LATE_S:
                return None
        return choice


def _signer(key: bytes) -> Signer:
    return Signer(key, salt=b"consentkit.choice.v1", sep=b".", key_derivation="hmac", digest_method=sha256)


def _choice(signer: Signer, text: bytes) -> Choice | None:
    try:
        form = _FORM.fullmatch(signer.unsign(text).decode("ascii"))
    except (BadSignature, UnicodeDecodeError):
        return None
    if form is None:
        return None
    choices, mark, services, revision, time = form.groups()
    answers = {_LETTERS[letter]: answer for letter, answer in zip(choices[::2], choices[1::2], strict=True)}
    return Choice(
        granted=frozenset(category for category, answer in answers.items() if answer == "1"),
        denied=frozenset(category for category, answer in answers.items() if answer == "0"),
        revision=int(revision),
        time=int(time),
        services=frozenset(services.split("+")[1:]),
        under_signal=mark == "g",
    )


def fits(services: Iterable[str]) -> bool:
    """Tell whether so many services, with ids so long, have room in a choice."""
    ids = list(services)
    return len(ids) <= MAX_SERVICES and sum(len(each) + 1 for each in ids) <= MAX_SERVICES_BYTES


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
        services=frozenset.intersection(*(choice.services for choice in several)),
        under_signal=all(choice.under_signal for choice in several),
    )


class Consent:
    """What an app and its templates see of the visitor's choice.

    Args:
        granted: categories that are granted and in force.
        denied: categories that are denied.
        optional: the optional categories that the site declares.
        services: services that are allowed one by one.
        declared: the category of each service that the site declares.

    Attributes:
        granted, denied, services: the same sets.
        allows_all: every optional category is granted.
    """

    __slots__ = ("_declared", "_optional", "allows_all", "denied", "granted", "services")

    def __init__(
        self,
        granted: frozenset[str],
        denied: frozenset[str],
        optional: tuple[str, ...],
        services: frozenset[str] = frozenset(),
        declared: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.granted = granted
        self.denied = denied
        self.services = services
        self._optional = optional
        self._declared = declared
        self.allows_all = granted.issuperset(optional)

    def allows(self, category: str) -> bool:
        """Tell whether cookies of a category may be used; necessary ones always may."""
        return category == "necessary" or category in self.granted

    def allows_service(self, service: str) -> bool:
        """Tell whether a service may be used: it is allowed by itself, or with its whole category.

        False for a service that the site does not declare.
        """
        return service in self.services or self.allows(self._declared.get(service, ""))

    def allows_cookie(self, declared: DeclaredCookie) -> bool:
        """Tell whether a cookie may be used: its category is granted, or the service that it belongs to."""
        return self.allows(declared.category) or declared.service in self.services

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
        return f"Consent({self.categories}, services={sorted(self.services)})"
