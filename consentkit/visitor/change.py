"""What an answer means: what held before it, what it leaves in force, and what of that is more or less.

Owns the meaning. Whether it may hold, and what must be durable before it does, is `desk`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from consentkit.consent.choice import Consent

if TYPE_CHECKING:
    from consentkit.consent.registry import Registry
    from consentkit.visitor.answers import Submission


class Change(NamedTuple):
    """What an answer does to a visitor's consent.

    Attributes:
        before: what held.
        after: what it leaves in force.
    """

    before: Consent
    after: Consent

    @property
    def is_none(self) -> bool:
        """Whether all stays as it was."""
        return _state(self.before) == _state(self.after)

    @property
    def has_grant(self) -> bool:
        """Whether anything is allowed now."""
        return bool(self.after.granted or self.after.services)

    @property
    def is_more(self) -> bool:
        """Whether anything is allowed now that was not."""
        before, after = self.before, self.after
        return not (after.granted <= before.granted and all(map(before.allows_service, after.services)))

    @property
    def lost_services(self) -> frozenset[str]:
        """Services that were allowed by themselves, and are not allowed any more."""
        return frozenset(each for each in self.before.services if not self.after.allows_service(each))

    @property
    def is_withdrawal(self) -> bool:
        """Whether anything that was allowed no longer is."""
        return bool(self.lost_services) or not self.before.granted <= self.after.granted


def change_by(given: Submission, before: Consent, registry: Registry) -> Change:
    """Return what an answer does.

    Args:
        given: the answer.
        before: what held until then.
        registry: what there is to be allowed.
    """
    optional = frozenset(registry.categories)
    granted, denied, services = frozenset[str](), optional, frozenset[str]()
    if given.answer == "accept":
        granted = optional
    elif given.answer == "save":
        granted = given.ticked & optional
        if given.keeps:
            granted |= before.granted - given.unticked
            denied = before.denied | (given.unticked & optional)
        services = _services(given, before, granted, registry)
    after = Consent(granted, denied - granted, registry.categories, services, registry.service_categories)
    return Change(before, after)


def _services(given: Submission, before: Consent, granted: frozenset[str], registry: Registry) -> frozenset[str]:
    """Return the services that stay or become allowed by themselves.

    A form without boxes for them says nothing of those allowed one by one: they stay, but for those whose
    category it takes back.
    """
    taken_back = before.granted - granted
    return frozenset(
        each.id
        for each in registry.services
        if (each.id in before.services or each.id == given.service)
        and each.id != given.removed
        and each.categories.isdisjoint(taken_back)
        and not granted.issuperset(each.categories)  # then it needs no leave of its own
        and each.category != "necessary"
    )


def _state(consent: Consent) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    return consent.granted, consent.denied, consent.services
