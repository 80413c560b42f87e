"""The balancing test of the request log: which settings it rests on, who approved it, and what changed since.

A test belongs to the settings that it weighed. Owns their list, its digest, and the entries
``balancing-test.approved``; what is weighed is said in words by the admin area.
Source: GDPR art. 6(1)(f), 5(2); EDPB Guidelines 1/2024.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from consentkit import audit
from consentkit.archive.register.processings import request_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consentkit.audit import Actor, AuditEntry
    from consentkit.control import Control
    from consentkit.settings import Settings

APPROVED: Final = "balancing-test.approved"


class Change(msgspec.Struct, frozen=True):
    """One setting that is not what was weighed: its name, and both values as text."""

    name: str
    old: str
    new: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the test stands.

    Attributes:
        state: ``current``, ``due`` where something changed since it was approved, ``never`` approved.
        digest: of what it rests on now.
        entry, time_us, actor, note: of the last approval; 0 and empty where there is none.
        changes: what changed since.
    """

    state: Literal["current", "due", "never"]
    digest: str
    entry: int = 0
    time_us: int = 0
    actor: str = ""
    note: str = ""
    changes: tuple[Change, ...] = ()


class _Approval(msgspec.Struct, frozen=True):
    digest: str
    weighed: dict[str, str]
    note: str = ""


def weighed(settings: Settings) -> dict[str, str]:
    """Return what the test rests on, by name: fields, period, truncation, place, recipients, basis."""
    log, site = settings.requestlog, settings.site
    cut = log.truncate_ip_after_days
    return {
        "requestlog.basis": " ".join(filter(None, (log.basis, log.basis_law))),
        "requestlog.fields": ", ".join(request_fields(log)),
        "requestlog.keep_query_keys": ", ".join(sorted(log.keep_query_keys)),
        "requestlog.exclude_paths": ", ".join(sorted(log.exclude_paths)),
        "requestlog.retention_days": str(log.retention_days),
        "requestlog.retention_reason": log.retention_reason,
        "requestlog.truncate_ip_after_days": "" if cut is None else str(cut),
        "keep.incident_review": str(settings.keep.incident_review),
        "site.storage_region": site.storage_region,
        "recipients": ", ".join(sorted(f"{one.name} ({one.country})" for one in settings.recipients)),
    }


def digest_of(values: Mapping[str, str]) -> str:
    """Return the SHA-256 of what a test rests on, in hexadecimal."""
    return hashlib.sha256(msgspec.json.encode(dict(values), order="sorted")).hexdigest()


def standing(control: Control, settings: Settings) -> Standing:
    """Return whether what is in force is what was approved.

    Raises:
        StorageError: the control database can't be read.
    """
    now = weighed(settings)
    digest = digest_of(now)
    with control.transaction() as connection:
        entry = next(audit.newest_first(connection, APPROVED), None)
    said = _said(entry) if entry else None
    if entry is None or said is None:
        return Standing(state="never", digest=digest)
    changes = tuple(
        Change(name, said.weighed.get(name, ""), now.get(name, ""))
        for name in sorted({*said.weighed, *now})
        if said.weighed.get(name, "") != now.get(name, "")
    )
    return Standing(
        state="due" if changes or said.digest != digest else "current",
        digest=digest,
        entry=entry.number,
        time_us=entry.time_us,
        actor=entry.actor,
        note=said.note,
        changes=changes,
    )


def approve(control: Control, actor: Actor, settings: Settings, note: str) -> AuditEntry:
    """Write down that somebody has weighed what is in force, and found that it may be done.

    Args:
        control: the control database.
        actor: who approves.
        settings: in force.
        note: in words; may be empty.

    Raises:
        StorageError: it can't be made durable.
    """
    values = weighed(settings)
    detail = {"digest": digest_of(values), "weighed": values, **({"note": note} if note else {})}
    return audit.record(control, actor, APPROVED, detail=detail)


def _said(entry: AuditEntry) -> _Approval | None:
    try:
        return msgspec.json.decode(entry.detail, type=_Approval)
    except msgspec.DecodeError:
        return None  # it was changed: the chain's check tells, and it approves nothing
