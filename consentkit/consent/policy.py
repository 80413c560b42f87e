"""The policy in force: its revision, and when a visitor who chose under an older one is asked again.

Owns the revision and its sealed copy in the data directory, so that a worker that starts under a known
policy reads no database. The history of policies is the ledger's.
"""

from __future__ import annotations

import hmac
import secrets
import time
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

import msgspec

from consentkit.consent.choice import Choice, Consent
from consentkit.consent.news import Addition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from consentkit.consent.registry import Registry

COPY_NAME: Final = "policy.sealed"
_SECONDS_A_DAY: Final = 86_400
_MAC_BYTES: Final = 32
_REMEMBERED: Final = 4096  # choices, each signed by us, so that no one can invent them
_CLOCKS_APART_S: Final = 300  # another host's clock may run ahead of ours


class PolicyState(msgspec.Struct, frozen=True):
    """What a worker must know of the policy.

    Attributes:
        revision: counts policies, from 1.
        hash: SHA-256 of the policy's canonical text.
        renewed: for each older revision, the categories to which something was added since, and the services,
            as ``+vimeo``.
        news: for each of the latest older revisions, what the policy in force has that it had not.
    """

    revision: int
    hash: str
    renewed: dict[int, tuple[str, ...]]
    news: dict[int, tuple[Addition, ...]] = {}


class Policy:
    """Turn a visitor's choice into what it allows now.

    Args:
        state: the policy in force.
        optional: the optional categories in use.
        lifetime_days: how long a choice holds, granted or denied.
        services: the category of each declared service.
    """

    def __init__(
        self,
        state: PolicyState,
        optional: tuple[str, ...],
        lifetime_days: int,
        services: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.revision = state.revision
        self.lifetime_s = lifetime_days * _SECONDS_A_DAY
        self.optional = optional
        self._renewed = {revision: frozenset(names) for revision, names in state.renewed.items()}
        self._news = state.news
        self._services = services
        self._known = frozenset(optional) | {f"+{service}" for service in services}
        self._undecided = Consent(frozenset(), frozenset(), optional, declared=services)
        self._given: dict[Choice, Consent] = {}

    @classmethod
    def of(cls, registry: Registry, state: PolicyState, lifetime_days: int) -> Self:
        """Return the policy over what a registry declares."""
        return cls(state, registry.categories, lifetime_days, registry.service_categories)

    def consent(self, choice: Choice | None) -> Consent:
        """Return what a choice allows: nothing where there is none, or where it has expired.

        A granted category to which something was added since is undecided again; a denial stays, for it
        covers what comes later. So is a service to which something was added. A choice under a newer revision,
        made with a worker that already runs the next version, holds as it is.
        """
        if choice is None or not -_CLOCKS_APART_S <= time.time() - choice.time <= self.lifetime_s:
            return self._undecided
        consent = self._given.get(choice)
        if consent is None:
            if len(self._given) >= _REMEMBERED:
                self._given.clear()
            consent = self._given[choice] = self._in_force(choice)
        return consent

    def news(self, choice: Choice | None) -> tuple[Addition, ...]:
        """Return what is new in all that a visitor who has chosen before is asked for again.

        Empty where nobody is asked, and under a policy too old to tell.
        """
        if choice is None:
            return ()
        consent = self.consent(choice)
        asked = {f"+{each}" for each in choice.services - consent.services}
        asked.update(name for name in self.optional if consent.answer(name) is None)
        return tuple(each for each in self._news.get(choice.revision, ()) if each.where in asked)

    def _in_force(self, choice: Choice) -> Consent:
        renewed: frozenset[str] = frozenset()
        if choice.revision < self.revision:
            renewed = self._renewed.get(choice.revision, self._known)
        granted = (choice.granted & self._known) - renewed
        services = frozenset(
            each for each in choice.services if each in self._services and f"+{each}" not in renewed
        )
        return Consent(granted, choice.denied & self._known, self.optional, services, self._services)


def policy_hash(canonical: bytes) -> str:
    """Return the name of a policy: SHA-256 of its canonical text."""
    return sha256(canonical).hexdigest()


def read_copy(directory: Path, key: bytes, wanted_hash: str) -> PolicyState | None:
    """Return the state of the policy with that hash, or None where the copy is absent, old or not ours."""
    try:
        content = (directory / COPY_NAME).read_bytes()
        mac, body = content[:_MAC_BYTES], content[_MAC_BYTES:]
        if not hmac.compare_digest(mac, hmac.digest(key, body, sha256)):
            return None
        state = msgspec.msgpack.decode(body, type=PolicyState)
    except (OSError, msgspec.DecodeError):
        return None
    return state if state.hash == wanted_hash else None


def write_copy(directory: Path, key: bytes, state: PolicyState) -> None:
    """Replace the copy. It is made whole beside the old one and moved, so that no reader sees half of it."""
    body = msgspec.msgpack.encode(state)
    draft = directory / f".{COPY_NAME}.{secrets.token_hex(8)}"
    draft.write_bytes(hmac.digest(key, body, sha256) + body)
    draft.replace(directory / COPY_NAME)
