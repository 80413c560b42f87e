"""What the admin area works on: one installation, opened with the first page that needs it.

Owns opening it once a worker. What is read there is the archive's job.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from consentkit.admin.people import People
from consentkit.admin.sessions import Sessions
from consentkit.admin.throttle import Throttle
from consentkit.admin.totp import Codes
from consentkit.admin.vault import Vault
from consentkit.archive.holdings import Holdings
from consentkit.archive.search import Archive

if TYPE_CHECKING:
    from consentkit.consent.registry import Registry
    from consentkit.control import Control
    from consentkit.crypto import Keyring
    from consentkit.settings import Settings


class Office:
    """One installation.

    Args:
        settings: in force.
        registry: what is declared.
        keyring, control: opened.
        keeps_people: people and their passwords are kept here, and not by the site.

    Attributes:
        people, sessions, codes, throttle, vault: who may sign in, who has, and how it is kept.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        keyring: Keyring,
        control: Control,
        *,
        keeps_people: bool = True,
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.keyring = keyring
        self.control = control
        self.keeps_people = keeps_people
        self.people = People(control)
        self.sessions = Sessions(control)
        self.codes = Codes(control, keyring)
        self.throttle = Throttle(control, keyring.derive("admin-throttle/v1"))
        self.vault = Vault()

    @cached_property
    def holdings(self) -> Holdings:
        """What custody works on."""
        return Holdings.open(self.settings.storage, self.keyring, self.control)

    @cached_property
    def archive(self) -> Archive:
        """The kept request log, open for reading; safe for several threads."""
        return Archive(self.settings, self.holdings)
