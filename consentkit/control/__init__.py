"""The control database: choices, audit, periods, incidents, aggregates, policies. Embedded, or on PostgreSQL.

SQLAlchemy stands behind this room alone, so a worker that has nothing to write never loads it.
"""

from consentkit.control.columns import JsonNumber, plain_text, total
from consentkit.control.database import KEY_NAME, Control, after_commit, control_of
from consentkit.control.locks import Busy, Lock
from consentkit.control.opening import open_sqlcipher
from consentkit.control.tables import (
    aggregate,
    aggregate_hour,
    answered_form,
    audit,
    consent_rate,
    consent_showing,
    decision,
    heartbeat,
    incident,
    metadata,
    misdated,
    period,
    person,
    policy,
    recovery_code,
    restriction,
    session,
    shown_text,
    signing_key,
    subject_link,
    subject_request,
    throttle,
)

__all__ = [
    "KEY_NAME",
    "Busy",
    "Control",
    "JsonNumber",
    "Lock",
    "after_commit",
    "aggregate",
    "aggregate_hour",
    "answered_form",
    "audit",
    "consent_rate",
    "consent_showing",
    "control_of",
    "decision",
    "heartbeat",
    "incident",
    "metadata",
    "misdated",
    "open_sqlcipher",
    "period",
    "person",
    "plain_text",
    "policy",
    "recovery_code",
    "restriction",
    "session",
    "shown_text",
    "signing_key",
    "subject_link",
    "subject_request",
    "throttle",
    "total",
]
