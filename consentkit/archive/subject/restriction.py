"""Restricting rows for a person's request, and lifting that.

Owns both and their entries in the audit. Which restrictions there are is `archive.restrictions`' matter. Rows hold
no consent id, so they are named by network, time and browser.
Source: GDPR art. 18(1)-(3).
"""

from __future__ import annotations

import ipaddress
import time
from datetime import date
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import update

from consentkit import audit
from consentkit.archive.restrictions import Restriction
from consentkit.archive.subject.register import MAX_TEXT, bounded, opened
from consentkit.archive.subject.requests import UnfitRequest, case_of
from consentkit.audit import Look
from consentkit.control import restriction as restriction_table
from consentkit.errors import BadSearch

if TYPE_CHECKING:
    from consentkit.audit import Actor
    from consentkit.control import Control


class Restricted(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that are restricted; fields as `Restriction` has them."""

    network: str
    since_us: int
    until_us: int
    agent: str = ""
    reason: str = ""
    last_day: str = ""

    def check(self, today: date) -> Restricted:
        """Return it with its network in canonical form.

        Raises:
            BadSearch: the network is none, or the time is empty.
            UnfitRequest: no reason is given, or the last day is over.
        """
        try:
            network = ipaddress.ip_network(self.network.strip(), strict=False)
        except ValueError as exc:
            raise BadSearch("network", "is no address and no network") from exc
        if not 0 <= self.since_us < self.until_us:
            raise BadSearch("until", "is not later than since")
        if self.last_day and date.fromisoformat(self.last_day) < today:
            raise UnfitRequest("last_day", "early")
        reason = bounded("restriction", self.reason, MAX_TEXT)
        return msgspec.structs.replace(self, network=str(network), reason=reason)


def restrict(control: Control, actor: Actor, number: int, rows: Restricted, *, today: date) -> Restriction:
    """Put rows under restriction for a request that is open.

    Raises:
        UnfitRequest: there is no such request, it is closed, or no reason is given.
        BadSearch: the network or the time is none.
    """
    rows = rows.check(today)
    values = {**msgspec.structs.asdict(rows), "request": number, "case_id": case_of(number)}
    with control.transaction() as connection:
        request = opened(connection, number)
        made = connection.execute(
            restriction_table.insert()
            .values(**values, begun_us=time.time_ns() // 1000)
            .returning(*restriction_table.c)
        ).one()
        detail = {"request": number, "restriction": made.number, "last_day": rows.last_day, "reason": rows.reason}
        audit.append(connection, actor, "subject.restricted", look=request.look, detail=detail)
    return Restriction(**made._asdict())


def lift(control: Control, actor: Actor, number: int, reason: str) -> Restriction:
    """Lift a restriction, and forget whose rows they were; the person has been told before (art. 18(3)).

    Raises:
        UnfitRequest: there is none in force of this number, or no reason is given.
    """
    reason = bounded("lifting", reason, MAX_TEXT)
    table = restriction_table
    with control.transaction() as connection:
        changed = connection.execute(
            update(table)
            .where(table.c.number == number, table.c.lifted_us.is_(None))
            .values(lifted_us=time.time_ns() // 1000, network="", agent="")
            .returning(*table.c)
        ).one_or_none()
        if changed is None:
            raise UnfitRequest("restriction", "unknown")
        found = Restriction(**changed._asdict())
        detail = {"request": found.request, "restriction": number, "reason": reason}
        look = Look("person", found.case_id, "restrict")
        audit.append(connection, actor, "subject.restriction.lifted", look=look, detail=detail)
    return found
