"""An installation in which every text that comes from outside tries to be more than a text.

Owns the payload, where it is put, and how it is seen whether a page took it for markup. Which pages are asked is
the tests' business.
"""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import insert

from consentkit import audit
from consentkit.admin.roles import ROLES
from consentkit.archive.aggregate.hours import Aggregator
from consentkit.consent.decision import Decision
from consentkit.consent.inventory import InventoryWriter
from consentkit.consent.ledger import record_decision
from consentkit.consent.seen import Seen
from consentkit.control import consent_rate
from tests.admin.area import STAFF, hashed
from tests.admin.incidents import hold
from tests.archive.installation import DAY_US, HOUR_US, MINUTE_US, request

if TYPE_CHECKING:
    from consentkit.admin.people import People
    from consentkit.requestlog.record import Record
    from tests.archive.installation import Installation

# It ends a quoted attribute and a tag, brings an element, a handler and a formula; each can be found again.
PAYLOAD: Final = (
    """=1+1"' canary=1 onfocus=canary() ><canary-x onclick=canary()></canary-x><img src=x onerror=canary()>"""
)
# What a grammar lets through of it.
SHORT: Final = """=1+1"' canary=1 ><canary-x>"""
EVERYTHING: Final = "all"

CONSENT_ID: Final = "A" * 43
_CLIENTS: Final = tuple(f"192.0.2.{number}" for number in range(1, 20))


def fill(installation: Installation, people: People) -> None:
    """Put the payload into everything that is recorded of visitors and of staff, on three days."""
    people.add(STAFF, EVERYTHING, ROLES, hashed())
    now_us = time.time_ns() // 1000
    for days in range(3):
        installation.store(*_requests(now_us - days * DAY_US))
    Aggregator(installation.holdings).run(now_us, budget_seconds=60)
    _meet(installation)
    hold(installation, case=SHORT, reason=PAYLOAD, owner=PAYLOAD[:90])
    look = audit.Look("security", PAYLOAD, PAYLOAD)
    for name in (PAYLOAD, "anna"):
        actor = audit.Actor(name, "cli")
        detail = {"filters": {PAYLOAD: PAYLOAD}, "output": PAYLOAD, "recipient": PAYLOAD}
        audit.record(installation.control, actor, "log.search", look=look, detail=detail, rows=1)
    choice = Decision(
        consent_id=CONSENT_ID,
        granted="statistics",
        denied=PAYLOAD,
        method="banner",
        revision=1,
        locale="lv",
        script=1,
    )
    record_decision(installation.control, choice, shown=PAYLOAD.encode())
    day = time.strftime("%Y-%m-%d", time.gmtime())
    rate = {"day": day, "language": PAYLOAD[:35], "category": "", "kind": "accepted", "script": 1, "times": 3}
    with installation.control.transaction() as connection:
        connection.execute(insert(consent_rate).values(rate))


def _requests(now_us: int) -> list[Record]:
    """An hour in which all clients send the payload, so that the statistics tell it, and a minute ago one more."""
    hour_us = now_us // HOUR_US * HOUR_US - HOUR_US
    whole = [
        msgspec.structs.replace(
            request(hour_us + number * MINUTE_US, f"/{PAYLOAD}?{PAYLOAD}=REDACTED", address=address),
            method=PAYLOAD[:30],
            host=PAYLOAD,
            user_agent=PAYLOAD,
            referrer_host=PAYLOAD,
            status=(200, 404, 500)[number % 3],
        )
        for number, address in enumerate(_CLIENTS)
    ]
    plain = msgspec.structs.replace(whole[0], time_us=now_us - MINUTE_US, url="/plain", user_agent=f"@{PAYLOAD}")
    return [*whole, plain]


def _meet(installation: Installation) -> None:
    """Note cookies that nobody declared, and hosts of which browsers reported."""
    seen = Seen()
    for _ in range(3):
        seen.meet(PAYLOAD.encode())
        seen.drop(PAYLOAD)
        seen.keep(PAYLOAD)
        seen.block(PAYLOAD, is_declared=False)
    counts = seen.counts
    kinds = {
        "set": {PAYLOAD: 3},
        "sent": {PAYLOAD: 3},
        "brought": {PAYLOAD: 3},
        "dropped": counts.dropped,
        "undeclared": counts.undeclared,
        "undeletable": counts.undeletable,
        "blocked_hosts": counts.blocked_hosts,
        "signals": {},
    }
    InventoryWriter(installation.directory, lambda: kinds).close()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag.startswith("canary") or any(name == "canary" or name.startswith("on") for name in names):
            self.faults.append(f"<{tag} {' '.join(sorted(names))}>")
        for name, value in attrs:
            is_address = name in ("href", "src", "action", "formaction")
            if is_address and not (value or "").startswith(("/", "#", "?", "mailto:")):
                self.faults.append(f"{name}={value!r}")
        if tag == "script" and "src" not in names:
            self.faults.append("<script>")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def markup_taken(page: str) -> list[str]:
    """Return what of the payload became markup; nothing in a page that holds it as text."""
    reader = _Reader()
    reader.feed(page)
    return reader.faults


def shows_payload(page: str) -> bool:
    """Tell whether a reader of the page sees the payload, as text or in a field."""
    return "canary-x" in page
