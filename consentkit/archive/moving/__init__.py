"""Moving an installation to another store, whole and verified, with nothing changed until all of it is there."""

from consentkit.archive.moving.move import Move as Move
from consentkit.archive.moving.move import Moved as Moved
from consentkit.archive.moving.move import finish as finish
