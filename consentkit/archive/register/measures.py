"""The technical and organisational measures, and whether each is really on.

Owns what is looked at. A measure that is prepared but not in use is told as that.
Source: GDPR art. 32(1) and (4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select

from consentkit.archive.evidence import last_verification
from consentkit.archive.register.places import control_server, keys_apart, requests_server
from consentkit.control import person

if TYPE_CHECKING:
    from consentkit.archive.holdings import Holdings
    from consentkit.settings import Settings


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What is on.

    Attributes:
        rotate: ``hour`` or ``day``: so long is a period, which has a key of its own.
        retention_days: after which a period's key is destroyed.
        requests_on, control_on: kind of the database server that requests lie on, and choices, audit and people;
            empty where they are embedded, which is encrypted as a whole.
        has_secret: the operator gave the secret that opens the keys; False = it lies beside them.
        keys_apart: data and keys lie on different devices; None where that can't be told.
        redacts_paths, kept_query_keys: what of web addresses is blacked out, and what is not.
        truncate_after_days: addresses are cut to networks; 0 = before they are stored, None = never.
        staff, staff_with_codes: who may sign in, and how many of them by one-time codes too.
        audit_days: how long the record of access is kept.
        spool_max_mb: what waits while the store does not take it.
        verified_us, verified_good: the last check of the log; None = there was none.
    """

    rotate: str
    retention_days: int
    requests_on: str
    control_on: str
    has_secret: bool
    keys_apart: bool | None
    redacts_paths: bool
    kept_query_keys: tuple[str, ...]
    truncate_after_days: int | None
    staff: int
    staff_with_codes: int
    audit_days: int
    spool_max_mb: int
    verified_us: int | None
    verified_good: bool | None


def measures(settings: Settings, holdings: Holdings) -> Measures:
    """Return how things stand now.

    Raises:
        StorageError: the control database can't be read.
    """
    log, storage = settings.requestlog, settings.storage
    present = select(func.count(), func.count(person.c.totp)).where(person.c.removed_us.is_(None))
    with holdings.control.transaction() as connection:
        staff, with_codes = connection.execute(present).one()
        verified = last_verification(connection)
    return Measures(
        rotate=log.rotate,
        retention_days=log.retention_days,
        requests_on=requests_server(storage),
        control_on=control_server(storage),
        has_secret=not holdings.keyring.secret_is_own,
        keys_apart=keys_apart(storage.directory, storage.keys),
        redacts_paths=log.redact_paths,
        kept_query_keys=log.keep_query_keys,
        truncate_after_days=log.truncate_ip_after_days,
        staff=staff,
        staff_with_codes=with_codes,
        audit_days=settings.keep.audit,
        spool_max_mb=log.spool_max_mb,
        verified_us=verified.time_us if verified else None,
        verified_good=verified.is_good if verified else None,
    )
