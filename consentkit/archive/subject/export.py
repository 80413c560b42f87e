"""Handing a person what is kept of her: one signed ZIP, written in memory that does not grow with its rows.

Owns what goes into it, its entries in the audit and its place in the register of copies. Each page of rows is in
the audit before it is written. The bundle's form is `archive.bundle`'s business, the page for people `page`'s.
Source: GDPR art. 12(1), 15, 20.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit, signing
from consentkit.archive.bundle import Bundle
from consentkit.archive.export.copying import Copy
from consentkit.archive.exposure import page_detail
from consentkit.archive.incident.reading import reading
from consentkit.archive.period import Catalogue
from consentkit.archive.search import Archive, Found, pages
from consentkit.archive.store.interface import Filters
from consentkit.archive.subject.account import Account, account_of
from consentkit.archive.subject.certificate import identity
from consentkit.archive.subject.choices import Policy, Proof, policies_of
from consentkit.archive.subject.looks import CopyMade, LookedAt, Seen, copies_of, looks_at, looks_at_choices
from consentkit.archive.subject.page import Page, minute, render
from consentkit.archive.subject.rows import Cuts
from consentkit.archive.subject.traces import Traces, find_traces
from consentkit.audit import Actor, Look
from consentkit.errors import StorageError
from consentkit.web.folders import catalogue_folders, template_folders
from consentkit.web.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from consentkit.archive.bundle import Manifest, Output
    from consentkit.archive.holdings import Holdings
    from consentkit.archive.resolve import Resolvers
    from consentkit.archive.store import FoundRequest
    from consentkit.archive.subject.person import Person
    from consentkit.settings import Settings

# Rows that the page for people shows; all of them are in the files beside it.
SHOWN_ROWS: Final = 1000

_encode = msgspec.json.Encoder().encode


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """By whom, why and on what terms a person's data is handed over.

    Attributes:
        actor, look: for the audit.
        output: the file's name.
        recipient: for whom.
        destroy_by: when the operator's copy must be destroyed; None = when the first of its rows would be.
        language: that the person is answered in; empty = the site's first.
    """

    actor: Actor
    look: Look
    output: str
    recipient: str
    destroy_by: date | None
    language: str = ""


class SubjectExport:
    """One run of an export, which begins with its entry in the audit.

    Args:
        holdings: the store.
        settings: in force.
        person: whose data.
        terms: on what terms.
        proof: her choices; None = by address.
        resolvers: for rows still in the spool; None = made when the first is met.

    Raises:
        SettingsError: the language has no catalogue.
        StorageError, KeyUnavailable: the audit can't be written, or a place can't be read.
    """

    def __init__(
        self,
        holdings: Holdings,
        settings: Settings,
        person: Person,
        terms: Terms,
        *,
        proof: Proof | None = None,
        resolvers: Resolvers | None = None,
    ) -> None:
        self._holdings = holdings
        self._settings = settings
        self._person = person
        self._terms = terms
        self._proof = proof
        language = terms.language or settings.site.languages[0]
        self._say = Texts((language,), folders=catalogue_folders(settings))[language]
        self._archive = Archive(settings, holdings, resolvers=resolvers, shows_restricted=True)
        self._identity = identity(holdings.keyring, person)
        self._number = self._record("subject.export", self._identity)
        empty = Traces(periods=(), incidents=(), waiting=0)
        self._traces = find_traces(holdings, person, settings.requestlog) if person.address else empty
        self._each: Callable[[int], None] = lambda _: None
        self._shown: list[FoundRequest] = []
        self._days: Counter[str] = Counter()
        self._rows = 0
        self._oldest = ""
        self._bundle: Bundle | None = None

    @property
    def account(self) -> Account:
        """What the person is told beside her data: who, why, on which basis, how long, for whom."""
        return account_of(self._settings, self._person, self._terms.look, self._traces, self._say)

    def write(self, output: Output, *, each: Callable[[int], None] = lambda _: None) -> Manifest:
        """Write the ZIP.

        Args:
            output: takes its bytes.
            each: called with the number of rows of each page when it is written.

        Raises:
            StorageError: a page can't be put into the audit, or a place can't be read.
        """
        self._each = each
        about = msgspec.to_builtins(self.account)
        self._bundle = bundle = Bundle(output, kind="subject", operator=self._settings.site.operator, about=about)
        policies = self._add_requests(bundle) if self._proof is None else self._add_choices(bundle, self._proof)
        looks, copies = self._looks()
        bundle.add("looks.json", [_pretty({"looks": looks, "copies": copies})])
        page = self._page(looks, copies, policies)
        bundle.add("index.html", [render(page, self._say, template_folders(self._settings))])
        control, keyring = self._holdings.control, self._holdings.keyring
        signing.sign(control, keyring, b"")  # makes the first key where there is none
        with control.transaction() as connection:
            keys = signing.public_keys(connection)
        return bundle.finish(lambda data: signing.sign(control, keyring, data), keys)

    def register(self) -> Copy:
        """Enter the copy into the register, which is the audit's entries ``copy.made``.

        Raises:
            StorageError: the entry can't be made; the copy must not stay.
        """
        if self._bundle is None:
            raise StorageError(self._terms.output, "nothing was written yet")
        copy = Copy(
            number=0,
            export=self._number,
            rows=self._rows,
            bytes=self._bundle.size_bytes,
            sha256=self._bundle.sha256,
            format="subject",
            output=self._terms.output,
            recipient=self._terms.recipient,
            destroy_by=self._destroy_by(),
            is_whole=True,
        )
        detail = {name: value for name, value in msgspec.structs.asdict(copy).items() if name != "number"}
        return msgspec.structs.replace(copy, number=self._record("copy.made", detail, rows=self._rows))

    def _add_requests(self, bundle: Bundle) -> list[Policy]:
        bundle.add("requests.ndjson", self._lines("", self._requests()), counts_rows=True)
        for trace in self._traces.incidents:
            if trace.counted.rows:
                name = f"incident-{trace.incident.number}.ndjson"
                lines = self._lines(trace.incident.name, self._copied(trace.incident.number))
                bundle.add(name, lines, counts_rows=True)
        return []

    def _add_choices(self, bundle: Bundle, proof: Proof) -> list[Policy]:
        policies = policies_of(self._holdings.control, proof.decisions)
        self._record("subject.export.page", {"export": self._number}, rows=len(proof.decisions))
        self._rows = len(proof.decisions)
        bundle.add("choices.json", [_pretty(proof.decisions)])
        bundle.add("policies.json", [_pretty(policies)])
        return policies

    def _lines(self, place: str, rows: Iterator[Found]) -> Iterator[bytes]:
        """Yield rows as lines, each page in the audit before its first one."""
        for page in pages(rows):
            ends = {"first": page[0][1].request_id, "last": page[-1][1].request_id}
            where = {"place": place} if place else {}
            which = {"export": self._number, **where, **ends, **page_detail(Filters(), page)}
            self._record("subject.export.page", which, rows=len(page))
            for _, found in page:
                self._note(found, is_copy=bool(place))
                yield _encode(found) + b"\n"
            self._each(len(page))

    def _note(self, found: FoundRequest, *, is_copy: bool) -> None:
        self._rows += 1
        self._oldest = min(self._oldest or found.time, found.time)
        if not is_copy:
            self._days[found.time[:10]] += 1
            if len(self._shown) < SHOWN_ROWS:
                self._shown.append(found)

    def _requests(self) -> Iterator[Found]:
        person = self._person
        filters = Filters(since_us=person.since_us, until_us=person.until_us, networks=(person.address,))
        found = self._hers(self._archive.search(filters, limit=0))
        if not person.is_network:
            return found
        # What others of the network became when addresses were cut has the same address: it is withheld.
        periods = Catalogue(self._holdings.control, "day").known
        cuts = Cuts.known(self._holdings.control, periods, self._settings.requestlog.truncate_ip_after_days)
        if cuts.is_everywhere:
            return iter(())
        spans = [(one.since_us, one.until_us) for one in periods if cuts.are_in(one.name)]
        return (row for row in found if not any(since <= row[0].time_us < until for since, until in spans))

    def _hers(self, rows: Iterator[Found]) -> Iterator[Found]:
        """Leave out what others did behind the same address, where the person's browser is named."""
        agent = self._person.agent
        return (row for row in rows if row[1].user_agent == agent) if agent else rows

    def _copied(self, number: int) -> Iterator[Found]:
        """Yield a person's rows of an incident's copy."""
        person = self._person
        filters = Filters(since_us=person.since_us, until_us=person.until_us, networks=(person.address,))
        with reading(self._holdings, number) as kept:
            yield from self._hers(kept.rows(filters))

    def _looks(self) -> tuple[list[LookedAt], list[CopyMade]]:
        control = self._holdings.control
        if self._proof is not None:
            return looks_at_choices(control, self._person, before=self._number), []
        if not self._oldest:
            return [], []
        seen = Seen(
            oldest_us=int(datetime.fromisoformat(self._oldest).timestamp() * 1_000_000),
            subject=str(self._identity["subject"]),
            incidents=frozenset(trace.incident.number for trace in self._traces.incidents),
        )
        return looks_at(control, self._person, seen, before=self._number), copies_of(control, self._person)

    def _page(self, looks: list[LookedAt], copies: list[CopyMade], policies: Iterable[Policy]) -> Page:
        return Page(
            made=minute(time.time_ns() // 1000),
            account=self.account,
            rows=len(self._proof.decisions) if self._proof else sum(self._days.values()),
            days=tuple(sorted(self._days.items(), reverse=True)),
            shown=tuple(self._shown),
            proof=self._proof,
            policies=tuple(policies),
            looks=tuple(sorted(Counter((look.date[:10], look.purpose, look.how) for look in looks).items())),
            copies=tuple(copies),
        )

    def _destroy_by(self) -> str:
        if self._terms.destroy_by is not None:
            return self._terms.destroy_by.isoformat()
        if not self._oldest:
            return ""
        kept = timedelta(days=self._settings.requestlog.retention_days)
        return (datetime.fromisoformat(self._oldest) + kept).date().isoformat()

    def _record(self, action: str, detail: dict[str, object], *, rows: int = 0) -> int:
        control, terms = self._holdings.control, self._terms
        return audit.record(control, terms.actor, action, look=terms.look, detail=detail, rows=rows).number


def _pretty(value: object) -> bytes:
    return msgspec.json.format(_encode(value), indent=2) + b"\n"
