"""The control database: choices, audit, periods, incidents, aggregates, policies.

SQLAlchemy stands behind this room alone, so a worker that has nothing to write never loads it.
"""

from consentkit.control.database import KEY_NAME, Control, after_commit, control_of
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
    "Control",
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
    "policy",
    "recovery_code",
    "restriction",
    "session",
    "shown_text",
    "signing_key",
    "subject_link",
    "subject_request",
    "throttle",
]
