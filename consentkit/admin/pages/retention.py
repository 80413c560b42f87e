"""Destroying what is due by hand, and the certificates of what has gone.

Owns showing first what would go, and that what is confirmed is what was shown. How a period goes is the archive's;
its certificates are the audit's entries ``period.destroyed``.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Final

import msgspec

from consentkit import audit
from consentkit.admin.answer import NOT_FOUND, Answer, Download, Entry, Page, Refused, Written
from consentkit.admin.pages.overview import policy
from consentkit.admin.visit import Route, Visit
from consentkit.archive.destruction import iso_second
from consentkit.archive.period import kept
from consentkit.archive.retention import Failure, Retention
from consentkit.archive.sealing import is_ripe
from consentkit.archive.truncation import is_due
from consentkit.audit import AuditEntry, Listing
from consentkit.signing import Signature, sign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consentkit.admin.office import Office
    from consentkit.archive.schedule import Going

_PAGE_ROWS: Final = 50
_ACTION: Final = "period.destroyed"
_MAX_ENTRY: Final = 2**53


class GoingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One period that would be destroyed.

    Attributes:
        period: name.
        rows, bytes: as it was sealed; None where that is not known.
        due_us: when it goes by the settings, microseconds since 1970 UTC.
        early: why it goes before what was in force so far; empty where it does not.
        is_begun: its destruction was begun, and is finished in any case.
    """

    period: str
    rows: int | None
    bytes: int | None
    due_us: int
    early: str
    is_begun: bool


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What would be done.

    Attributes:
        going: what would be destroyed, oldest first.
        truncated, sealed: names of what the ingester cuts and seals by itself.
        digest: of `going`; what is confirmed must have the same.
    """

    going: tuple[GoingRow, ...]
    truncated: tuple[str, ...]
    sealed: tuple[str, ...]
    digest: str

    @property
    def early(self) -> int:
        """How many would go early."""
        return sum(bool(one.early) and not one.is_begun for one in self.going)


class RetentionView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``retention.html`` is given.

    Attributes:
        policy: in force, in sentences.
        plan: what would be done.
        has_changed: the plan is not the one that was confirmed.
    """

    policy: tuple[str, ...]
    plan: Plan
    has_changed: bool = False


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate of one period, as a page lists it.

    Attributes:
        number: of the audit's entry.
        time_us: when it was written, microseconds since 1970 UTC.
        period, rows, bytes, early_reason: as it says.
        actor: who destroyed it.
    """

    number: int
    time_us: int
    actor: str
    period: str
    rows: int | None = None
    bytes: int | None = None
    early_reason: str = ""


class CertificatesView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``certificates.html`` is given: one page, newest first, and the entry to go on before; 0 = no more."""

    certificates: tuple[Certificate, ...]
    before: int


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """What ``retention_done.html`` is given: what was destroyed, what waits, what failed."""

    certificates: tuple[Certificate, ...]
    waiting: tuple[tuple[str, str], ...]
    failures: tuple[Failure, ...]


class SignedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate as a file: the audit's entry, its detail unpacked, and a signature of it.

    Attributes:
        certificate: what is signed: its JSON without white space, keys in order.
        signature: by the installation's key.
    """

    certificate: dict[str, object]
    signature: Signature


async def get_retention(visit: Visit) -> Answer:
    """Show what would go."""
    plan = await visit.work(_plan, visit.office)
    return _plan_page(visit, plan)


async def post_retention(visit: Visit) -> Answer:
    """Destroy what was shown, if it is still what would go."""
    plan = await visit.work(_plan, visit.office)
    if visit.form.get("plan") != plan.digest:
        return _plan_page(visit, plan, has_changed=True)
    if not plan.going:
        return _plan_page(visit, plan)
    return await visit.work(_run, visit)


async def get_certificates(visit: Visit) -> Answer:
    """List the certificates, newest first."""
    before = visit.query.get("before", "")
    if before and not (before.isascii() and before.isdecimal() and 0 < int(before[:17]) < _MAX_ENTRY):
        raise Refused(400, visit.say.gettext("The address of this page is not complete. Begin with the newest."))
    view = await visit.work(_certificates, visit.office, int(before) if before else None)
    return Page(template="certificates.html", view=view, entry=Entry(action="admin.certificates"))


async def get_certificate(visit: Visit) -> Answer:
    """Hand out one certificate, signed."""
    number = visit.request.path_params["number"]
    found = await visit.work(_signed, visit.office, number)
    if found is None:
        raise Refused(NOT_FOUND, visit.say.gettext("There is no certificate of this number."))
    return Download(
        file_name=f"certificate-{number}.json",
        content_type="application/json",
        content=found,
        entry=Entry(action="admin.certificate", detail={"entry": number}),
    )


def _plan_page(visit: Visit, plan: Plan, *, has_changed: bool = False) -> Page:
    view = RetentionView(
        policy=policy(visit.say, visit.office.settings.requestlog), plan=plan, has_changed=has_changed
    )
    entry = Entry(action="retention.plan", detail={"periods": len(plan.going)})
    return Page(template="retention.html", view=view, entry=entry, status=409 if has_changed else 200)


def _retention(office: Office, visit: Visit | None = None) -> Retention:
    actor = visit.entrant.actor if visit else audit.SYSTEM
    return Retention(office.holdings, office.settings.requestlog.retention_days, actor)


def _plan(office: Office) -> Plan:
    now_us, log = time.time_ns() // 1000, office.settings.requestlog
    going = _retention(office).plan(now_us)
    names = {one.period.name for one in going}
    others = [one for one in kept(office.control) if one.name not in names]
    cut_after = log.truncate_ip_after_days
    return Plan(
        going=tuple(
            GoingRow(
                period=one.period.name,
                rows=one.period.rows,
                bytes=one.period.bytes,
                due_us=one.due_us,
                early=one.early,
                is_begun=one.is_begun,
            )
            for one in going
        ),
        truncated=tuple(one.name for one in others if cut_after and is_due(one, cut_after, now_us)),
        sealed=tuple(one.name for one in others if is_ripe(one, now_us)),
        digest=_digest(going),
    )


def _digest(going: Sequence[Going]) -> str:
    names = [[one.period.name, one.period.generation, bool(one.early), one.is_begun] for one in going]
    return hashlib.sha256(msgspec.json.encode(names)).hexdigest()


def _run(visit: Visit) -> Answer:
    office, actor = visit.office, visit.entrant.actor
    lets_early = visit.form.get("early") == "1"
    # The certificates tell what went and by whom; this one tells that a person asked, also where nothing went.
    asked = audit.record(office.control, actor, "retention.run", detail={"early": lets_early})
    outcome = _retention(office, visit).run(time.time_ns() // 1000, confirmed_by=actor.name if lets_early else "")
    view = OutcomeView(
        certificates=tuple(_certificate(entry) for entry in outcome.certificates),
        waiting=tuple((going.period.name, going.early) for going in outcome.waiting),
        failures=outcome.failures,
    )
    return Page(template="retention_done.html", view=view, entry=Written(asked.number))


def _certificates(office: Office, before: int | None) -> CertificatesView:
    found = list(audit.listed(office.control, Listing(action=_ACTION), limit=_PAGE_ROWS + 1, before=before))
    return CertificatesView(
        certificates=tuple(_certificate(entry) for entry in found[:_PAGE_ROWS]),
        before=found[_PAGE_ROWS - 1].number if len(found) > _PAGE_ROWS else 0,
    )


def _certificate(entry: AuditEntry) -> Certificate:
    told = msgspec.json.decode(entry.detail, type=dict[str, object])
    own = {"number": entry.number, "time_us": entry.time_us, "actor": entry.actor}
    return msgspec.convert({**told, **own}, Certificate)


def _signed(office: Office, number: int) -> bytes | None:
    if not 0 < number < _MAX_ENTRY:
        return None
    entry = next(audit.listed(office.control, Listing(action=_ACTION), limit=1, before=number + 1), None)
    if entry is None or entry.number != number:
        return None
    content: dict[str, object] = {
        **msgspec.structs.asdict(entry),
        "time": iso_second(entry.time_us),
        "detail": msgspec.json.decode(entry.detail),
        "detail_text": entry.detail,  # as it is hashed
    }
    signature = sign(office.control, office.keyring, msgspec.json.encode(content, order="sorted"))
    return msgspec.json.format(msgspec.json.encode(SignedCertificate(certificate=content, signature=signature)))


ROUTES: Final = (
    Route(path="/retention", action="retention.run", handler=get_retention),
    Route(
        path="/retention",
        method="POST",
        action="retention.run",
        handler=post_retention,
        needs_confirmation=True,
    ),
    Route(path="/certificates", action="overview.view", handler=get_certificates),
    Route(path="/certificates/{number:int}", action="overview.view", handler=get_certificate),
)
