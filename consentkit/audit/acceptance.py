"""An officer's word that a database was put back on purpose.

Owns the entry ``audit.put_back_accepted``. The entries that it accepts stay, and so does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.audit.entry import Actor, AuditEntry, Look
from consentkit.audit.putback import ACCEPTED, unaccepted
from consentkit.audit.writing import append, begin

if TYPE_CHECKING:
    from consentkit.control import Control


def accept_put_back(control: Control, actor: Actor, reason: str) -> AuditEntry | None:
    """Accept every restore that nobody has accepted so far.

    Args:
        control: the control database.
        actor: the officer.
        reason: in words.

    Returns:
        The entry, whose detail lists the numbers of those accepted; None where there was nothing to accept.

    Raises:
        StorageError: it can't be made durable.
    """
    with control.transaction() as connection:
        begin(connection)  # what was not told yet is told first
        numbers = unaccepted(connection)
        if not numbers:
            return None
        look = Look("audit", reason=reason)
        return append(connection, actor, ACCEPTED, look=look, detail={"entries": numbers})
