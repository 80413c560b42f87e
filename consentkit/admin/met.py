"""Which cookies, hosts and signals were met: the inventory, as the admin area reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.consent.inventory import FILE, read_inventory
from consentkit.errors import StorageError

if TYPE_CHECKING:
    from consentkit.admin.office import Office
    from consentkit.consent.inventory import Inventory


def inventory(office: Office) -> Inventory:
    """Return what was met so far.

    Raises:
        StorageError: the file is there and can't be read.
    """
    directory = office.settings.storage.directory
    try:
        return read_inventory(directory)
    except OSError as exc:
        raise StorageError(str(directory / FILE), f"it can't be read ({exc.strerror})") from exc
