"""What each role on a PostgreSQL server may do with the control data: no more than its processes need.

Owns the list. The owner of the schema may all, and he alone changes tables, prunes, and makes and drops places.
The rights on requests are told beside their tables.
"""

from __future__ import annotations

from typing import Final

from consentkit.control.connecting import SCHEMA
from consentkit.control.tables import metadata

_APP: Final = {
    # What proves something can be added to, and not be changed.
    "SELECT, INSERT": ("audit", "decision", "policy", "shown_text", "installation", "signing_key"),
    "SELECT, INSERT, UPDATE": ("consent_rate", "period"),
    "SELECT, INSERT, DELETE": ("answered_form", "heartbeat", "misdated", "aggregate", "aggregate_hour"),
    "SELECT, INSERT, UPDATE, DELETE": ("consent_showing",),
    # A visitor's own page: a link is taken once, and the request that it belongs to goes on.
    "SELECT, UPDATE": ("subject_request",),
    "SELECT, DELETE": ("subject_link",),
    "SELECT": ("incident", "restriction", "schema_version"),
}
_ADMIN: Final = {
    "SELECT, INSERT": ("audit", "installation", "signing_key"),
    "SELECT, INSERT, UPDATE, DELETE": (
        "person",
        "recovery_code",
        "session",
        "throttle",
        "subject_request",
        "subject_link",
        "restriction",
    ),
}


def _may(rights: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return (
        f"USAGE ON SCHEMA {SCHEMA}",
        *(f"{right} ON {SCHEMA}.{table}" for right, tables in rights.items() for table in tables),
    )


# The site's workers, and ingesters that only store.
APP_MAY: Final = _may(_APP)

# The admin area and the command line of who looks things up.
ADMIN_MAY: Final = (
    *_may(_ADMIN),
    *(f"SELECT ON {SCHEMA}.{name}" for name in (*metadata.tables, "schema_version")),
)


def grants(role: str, may: tuple[str, ...]) -> tuple[str, ...]:
    """Return the statements that give a role what is named.

    Args:
        role: its name; quoted here.
        may: as ``SELECT ON consentkit.period``.
    """
    quoted = '"' + role.replace('"', '""') + '"'
    return tuple(f"GRANT {one} TO {quoted};" for one in dict.fromkeys(may))
