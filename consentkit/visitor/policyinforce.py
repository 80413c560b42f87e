"""The policy under which visitors are asked now.

Owns what holds before consentkit has started, when there is none. What a policy is, `consent.policy` knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from consentkit.consent.gate import Keys, Visit
    from consentkit.consent.news import Addition


class PolicyInForce:
    """Answer for the policy, started or not.

    Args:
        keys: signer and policy, None before the start.
        deny_only: nobody is asked.
    """

    def __init__(self, keys: Callable[[], Keys | None], *, deny_only: bool) -> None:
        self._keys = keys
        self._deny_only = deny_only

    def revision(self) -> int:
        """Return its number; 0 before the start."""
        keys = self._keys()
        return keys.policy.revision if keys else 0

    def news(self, visit: Visit) -> tuple[Addition, ...]:
        """Return what is new since the visitor's last choice, where one is asked again."""
        keys = self._keys()
        if keys is None or visit.has_signal or self._deny_only:
            return ()
        return keys.policy.news(visit.choice)
