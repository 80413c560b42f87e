"""The tables, made once among many hosts, and the rights on them shared with all places.

Leaves to `control.migrations` which steps are done, and printing them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.archive.store.postgresql import places
from consentkit.archive.store.postgresql.ddl import STATEMENTS
from consentkit.control.connecting import SCHEMA
from consentkit.control.migrations import Part, Step, bring_up

if TYPE_CHECKING:
    from consentkit.archive.store.postgresql.connections import Connections

_STEPS: Final = (Step(1, "requests", STATEMENTS),)

# For `control.migrations`: the tables of the request log.
REQUESTS: Final = Part("requests", lambda: _STEPS, _STEPS[-1].number)

_IS_OWNER: Final = f"SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = '{SCHEMA}.request'::regclass"


def prepare(url: str, connections: Connections) -> None:
    """Have the tables be of this version; where we own them, grant on each place what is granted on them.

    Raises:
        StorageError: the server is away; or the tables are not of this version, and the role may not change them.
    """
    bring_up(url, REQUESTS)
    with connections.reading() as connection:
        (is_owner,) = connection.execute(_IS_OWNER).fetchone() or (False,)
    if is_owner:
        with connections.writing() as connection:
            for place in places.made(connection):
                places.share_grants(connection, place)
