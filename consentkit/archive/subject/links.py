"""One-time links by which a person shows who asks: opened in the browser, and from the address, asked about.

Owns making, checking and using them. The token is 160 random bits and stands in the link alone; a row has its
SHA-256, so neither a reader of the database nor the time that a look-up takes tells anything of one that works.
In hexadecimal digits, it is a piece of a path that the request log redacts. Opening a link changes nothing, for
programs that look into mail open it too; the page's form uses it up.
Source: GDPR art. 11(2), 12(6).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import delete, select

from consentkit import audit
from consentkit.archive.subject.person import Person
from consentkit.archive.subject.register import Identified, identify_in, opened
from consentkit.archive.subject.requests import read
from consentkit.audit import SYSTEM
from consentkit.control import subject_link

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consentkit.audit import Actor
    from consentkit.control import Control
    from consentkit.crypto import Keyring

VALID_DAYS: Final = 7

_TOKEN_BYTES: Final = 20
_TOKEN: Final = re.compile(r"[0-9a-f]{40}", re.ASCII)
_DAY_US: Final = 86_400_000_000


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser shows of a person who uses a link.

    Attributes:
        address: of the client, as the request log would have it; empty = the person leaves it out.
        since_us, until_us: from when, and until when, the person says that it was theirs.
        agent: the browser's User-Agent.
        consent_id: of its cookie; empty = there is none, or the person leaves it out.
    """

    address: str = ""
    since_us: int = 0
    until_us: int = 0
    agent: str = ""
    consent_id: str = ""


def make_link(control: Control, actor: Actor, number: int, *, now_us: int) -> str:
    """Return a new token for a request; one that was made before no longer works.

    Raises:
        UnfitRequest: there is no such request, or it is closed.
    """
    token = secrets.token_hex(_TOKEN_BYTES)
    expires_us = now_us + VALID_DAYS * _DAY_US
    with control.transaction() as connection:
        request = opened(connection, number)
        connection.execute(delete(subject_link).where(subject_link.c.request == number))
        row = {"digest": _digest(token), "request": number, "expires_us": expires_us}
        connection.execute(subject_link.insert().values(row))
        audit.append(
            connection,
            actor,
            "subject.link.made",
            look=request.look,
            detail={"request": number, "valid_days": VALID_DAYS},
        )
    return token


def kind_of_link(control: Control, token: str, *, now_us: int) -> str | None:
    """Return what is asked for by the request of a link; None where the link does not work, or no more."""
    if not _TOKEN.fullmatch(token):
        return None
    with control.transaction() as connection:
        number = _number(connection, token, now_us)
        return None if number is None else read(connection, number).kind


def use_link(control: Control, keyring: Keyring, token: str, shown: Shown, *, now_us: int) -> bool:
    """Use a link up, and note who asks; False where it does not work, or no more.

    Raises:
        BadSearch: what the browser shows is no address with a time, and no consent id; the link stays good.
        UnfitRequest: it shows nothing; likewise.
    """
    if not _TOKEN.fullmatch(token):
        return False
    visitor = None
    if shown.address:
        visitor = Person.at(shown.address, shown.since_us, shown.until_us, agent=shown.agent)
    chooser = Person.of_consent(shown.consent_id) if shown.consent_id else None
    with control.transaction() as connection:
        number = _number(connection, token, now_us)
        if number is None:
            return False
        connection.execute(delete(subject_link).where(subject_link.c.digest == _digest(token)))
        identify_in(connection, keyring, SYSTEM, number, Identified(visitor=visitor, chooser=chooser, by="link"))
    return True


def link_expires_us(control: Control, number: int) -> int:
    """Return until when a request's link works, microseconds since 1970 UTC; 0 = there is none."""
    wanted = select(subject_link.c.expires_us).where(subject_link.c.request == number)
    with control.transaction() as connection:
        return connection.execute(wanted).scalar() or 0


def _number(connection: Connection, token: str, now_us: int) -> int | None:
    found = connection.execute(
        select(subject_link.c.request).where(
            subject_link.c.digest == _digest(token), subject_link.c.expires_us > now_us
        )
    ).scalar()
    return None if found is None else int(found)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()
