"""Cookies that are in use and that nobody has described yet, as the cookie policy names them.

Owns which names the public sees. Names come from outside: what the application sets is shown as it is, made
readable; what only browsers send, anyone may have invented, so it is shown only if it can be no message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consentkit.archive.published import Remembered
from consentkit.consent.inventory import FILE, Inventory, read_inventory
from consentkit.web.spelling import spelled_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.consent.inventory import Sighting
    from consentkit.consent.registry import Registry

MAX_NAMES: Final = 50

# No dot, no space: neither a host nor a sentence. The inventory has seen it from several networks.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Undescribed:
    """Tell which cookies were met that the settings don't declare.

    Args:
        directory: the data directory, in which the inventory lies.
        registry: what is declared.
    """

    def __init__(self, directory: Path, registry: Registry) -> None:
        self._inventory = Remembered(directory / FILE, lambda: read_inventory(directory), Inventory())
        self._registry = registry

    def names(self) -> tuple[str, ...]:
        """Return the names, at most 50, those met most often kept; fit to be read, in order.

        Raises:
            OSError: the inventory is there and can't be read.
        """
        inventory = self._inventory.read()
        met: dict[str, Sighting] = dict(inventory.of("undeclared"))
        for name, sighting in inventory.of("brought").items():
            if _PLAIN.fullmatch(name):
                met.setdefault(name, sighting)
        left = [name for name in met if self._registry.find(name.encode("utf-8")) is None]
        left.sort(key=lambda name: met[name].count, reverse=True)
        return tuple(sorted({spelled_bytes(name.encode("utf-8")) for name in left[:MAX_NAMES]}))
