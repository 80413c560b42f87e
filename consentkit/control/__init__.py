"""The control database: choices, audit, periods, incidents, aggregates, policies.

SQLAlchemy stands behind this room alone, so a worker that has nothing to write never loads it.
"""

from consentkit.control.database import KEY_NAME, Control, after_commit, control_of
from consentkit.control.opening import open_sqlcipher
from consentkit.control.tables import (
    aggregate,
    aggregate_hour,
    audit,
    decision,
    heartbeat,
    incident,
    metadata,
    misdated,
    period,
    policy,
    signing_key,
)

__all__ = [
    "KEY_NAME",
    "Control",
    "after_commit",
    "aggregate",
    "aggregate_hour",
    "audit",
    "control_of",
    "decision",
    "heartbeat",
    "incident",
    "metadata",
    "misdated",
    "open_sqlcipher",
    "period",
    "policy",
    "signing_key",
]
