"""Who works here: the shape of a name, and what a site says that signs its staff in by itself.

Owns both. It loads nothing, so that a site can import `Staff` beside its own sign-in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

import msgspec

from consentkit.admin.roles import ROLES, Role

MAX_NAME_CHARACTERS: Final = 64

# Letters of any language: names stand in the audit, and are read there by people.
_NAME: Final = re.compile(r"[^\W_](?:[\w .@'’-]{0,62}[\w.])?")


class Staff(msgspec.Struct, frozen=True):
    """Who has signed in by the site's own means: what `ConsentKit(authenticate=…)` answers.

    Attributes:
        name: as the audit is to have it, one for each person: 1 to 64 letters of any language, digits, spaces and
            ``_ . @ ' -``.
        roles: one or more of ``viewer``, ``investigator``, ``officer`` and ``admin``.
    """

    name: str
    roles: Iterable[str]


def clean_name(text: str) -> str | None:
    """Return a name in the one form in which it is kept (Unicode NFC); None for what can be no name."""
    if len(text) > 4 * MAX_NAME_CHARACTERS:
        return None
    name = unicodedata.normalize("NFC", text.strip())
    return name if _NAME.fullmatch(name) and "  " not in name else None


def fold(name: str) -> str:
    """Return what two spellings of one person's name have in common."""
    return unicodedata.normalize("NFC", name.casefold())


def known_roles(roles: Iterable[str]) -> frozenset[Role] | None:
    """Return roles as such; None where there is none, or one that nobody knows."""
    wanted = frozenset(roles)
    known: frozenset[Role] = frozenset(role for role in ROLES if role in wanted)
    return known if known and known == wanted else None
