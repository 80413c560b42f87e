"""What custody works on: the data directory, its keys and its control database, held together.

Owns where a period's file lies. What is done to it is left to the modules that do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.archive.period import Period
    from consentkit.control import Control
    from consentkit.crypto import Keyring


class Holdings(NamedTuple):
    """One installation's store, opened.

    Attributes:
        directory: the data directory.
        keyring, control: opened.
    """

    directory: Path
    keyring: Keyring
    control: Control

    @property
    def requests(self) -> Path:
        """The folder of the periods' files."""
        return self.directory / "requests"

    def file(self, period: Period) -> Path:
        """Return where a period's present generation lies."""
        return self.requests / period.file_name
