"""The keys that sign choices, over the life of several root keys.

Owns that a worker follows a rotation while it runs, so that no visitor is asked again, and that a key is
destroyed once every choice it has signed has expired. How a choice is signed is `choice`'s business.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from consentkit.consent.choice import LATE_S, ChoiceSigner
from consentkit.consent.gate import Keys
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from consentkit.consent.policy import Policy
    from consentkit.crypto import Keyring

logger = logging.getLogger("consentkit")

LABEL: Final = "choice/v1"


class FollowingKeys(Keys):
    """What the gate needs, from a keyring whose root key may be replaced while the worker runs.

    Args:
        keyring: derives the signing key, and has those of replaced roots.
        policy: in force; says how long a choice holds.
    """

    __slots__ = ("_keyring", "_seen", "_told")

    def __init__(self, keyring: Keyring, policy: Policy) -> None:
        self._keyring = keyring
        self._told = ""
        super().__init__(self._make_signer(policy.lifetime_s), policy)

    def follow(self) -> None:
        """Take another signer if the root key was replaced since.

        Called about once a second, outside of any request: a forged cookie makes nobody look.
        """
        try:
            self._keyring.refresh()
        except ConsentKitError as exc:
            self._tell("the root key was replaced, and this process goes on with the one before", exc)
            return
        if self._keyring.root_ids != self._seen:
            self.signer = self._make_signer(self.policy.lifetime_s)

    def _make_signer(self, lifetime_s: int) -> ChoiceSigner:
        """Return what signs and reads choices now, and destroy keys that no choice needs any more.

        A kept key that can't be read or destroyed must not stop the site: it costs some visitors a question.
        """
        self._seen = self._keyring.root_ids
        try:
            self._keyring.forget(LABEL, before_s=int(time.time()) - lifetime_s - LATE_S)
        except ConsentKitError as exc:
            self._tell("a key of expired choices is not destroyed", exc)
        try:
            accepted = self._keyring.accepted(LABEL)
        except ConsentKitError as exc:
            self._tell("visitors who chose before the root key was replaced are asked again", exc)
            accepted = []
        return ChoiceSigner(self._keyring.derive(LABEL), accepted)

    def _tell(self, what: str, exc: ConsentKitError) -> None:
        if self._told != (text := f"{what}: {exc}"):
            self._told = text
            logger.error("%s", text)
