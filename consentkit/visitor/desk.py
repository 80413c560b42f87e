"""The desk where a choice is made: an answer in, a decision recorded, cookies out.

Owns what must be durable before an answer holds. What it means is `change`'s, how it came in and what page goes
out `choice_endpoint`'s.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import anyio.to_thread
import msgspec

from consentkit.consent import sweep
from consentkit.consent.choice import Choice, Consent, fits
from consentkit.consent.consentid import new_consent_id, read_consent_id
from consentkit.consent.decision import Decision
from consentkit.consent.outcomes import outcomes
from consentkit.errors import ConsentKitError
from consentkit.visitor.change import change_by
from consentkit.visitor.choicecookies import ChoiceCookies
from consentkit.visitor.once import once_digest
from consentkit.visitor.ratelimit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consentkit.consent.gate import Keys, Visit
    from consentkit.consent.names import CookieNames
    from consentkit.consent.outcomes import Outcome
    from consentkit.consent.registry import Registry
    from consentkit.visitor.answers import Submission
    from consentkit.visitor.change import Change

logger = logging.getLogger("consentkit")

# Grants from one address a minute: a household answers far less, and each grant is a row kept for years.
GRANTS_A_MINUTE: Final = 20


class NotDurable(ConsentKitError):
    """Refuse a grant whose record could not be kept."""


class TooMany(ConsentKitError):
    """Refuse a grant: this address has given too many in the last minute."""


class TooManyServices(ConsentKitError):
    """Refuse a service: with it, the choice would not fit into its cookie."""


class NotOffered(ConsentKitError):
    """Refuse a grant: optional cookies are off for everybody on this site."""


class Recorder(Protocol):
    """Whatever makes a decision durable; blocks until it is."""

    def __call__(
        self, decision: Decision, counted: Sequence[Outcome], shown: bytes, *, once: str, may_wait: bool
    ) -> Decision:
        """Record one decision, with what it counts as in the rates and what was shown, or raise ConsentKitError.

        One that may wait holds in any case, so that its row may be written later. One whose form, by the digest of
        its own value, has said the same already returns the row that is there, under the id that it has.
        """


class Result(msgspec.Struct, frozen=True):
    """What an answer came to.

    Attributes:
        consent: what holds now.
        set_cookies: values of Set-Cookie fields.
        is_withdrawal: something that was granted no longer is.
    """

    consent: Consent
    set_cookies: tuple[bytes, ...]
    is_withdrawal: bool


class ChoiceDesk:
    """Take answers.

    Args:
        registry: which categories there are, and how refused cookies were set.
        keys: signer and policy, None before the start.
        record: makes a decision durable.
        shown: returns the canonical text of what visitors are shown in a language.
        names: of consentkit's own cookies.
        cookie_domain: domain for subdomains that share a choice; empty = this host alone.
        deny_only: nothing is granted to anyone, so that a refusal too leaves nothing to record.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        keys: Callable[[], Keys | None],
        record: Recorder,
        shown: Callable[[str], bytes],
        names: CookieNames,
        cookie_domain: str,
        deny_only: bool = False,
    ) -> None:
        self._registry = registry
        self._keys = keys
        self._record = record
        self._shown = shown
        self._cookies = ChoiceCookies(names, cookie_domain)
        self._deny_only = deny_only
        self._grants = RateLimit(GRANTS_A_MINUTE)

    async def take(self, visit: Visit, given: Submission) -> Result:
        """Record an answer and return what holds now.

        A refusal holds at once, even where its row can't be written; a grant holds when its row is durable.

        Args:
            visit: the request as the gate saw it.
            given: the answer.

        Raises:
            NotDurable: a grant could not be recorded, or consentkit has not started.
            TooMany: a grant too many from one address.
            TooManyServices: the choice has no room for one more.
            NotOffered: nothing is granted on this site.
        """
        keys = self._keys()
        if keys is None:
            raise NotDurable("consentkit has not started, so no choice can be signed")
        change = change_by(given, visit.consent, self._registry)
        self._require_possible(change.after)
        fields = self._expire(visit, change, given.host)
        if change.is_none and self._is_known(visit):
            return Result(change.after, tuple(fields), is_withdrawal=False)
        if change.is_more and not self._grants.allows(given.address):
            raise TooMany(f"more than {GRANTS_A_MINUTE} grants a minute from one address")
        decision = self._decision(visit, given, change, keys.policy.revision)
        if self._registry.categories:  # where nothing is asked, "OK" hides a notice and decides nothing
            own_before = keys.policy.consent(visit.choice)  # what a privacy signal makes of it is no answer
            counted = outcomes(own_before, change.after, self._registry.categories)
            once = once_digest(given.once, given.address)
            decision = await self._make_durable(decision, counted, once, is_grant=change.is_more)
        fields.insert(0, self._signed(change.after, keys, visit))
        kept_id = decision.consent_id if change.has_grant else ""
        fields += self._cookies.consent_id(kept_id, keys.policy.lifetime_s, visit, given.id_path)
        return Result(change.after, tuple(fields), is_withdrawal=change.is_withdrawal)

    def _is_known(self, visit: Visit) -> bool:
        """Tell whether what holds needs no cookie, or stands in the one that was sent."""
        # Under a privacy signal a refusal holds without a cookie; but what it only suspends can be withdrawn.
        needs_no_cookie = visit.has_signal or (self._deny_only and bool(self._registry.categories))
        return (visit.choice is not None or needs_no_cookie) and not visit.is_suspended

    def _decision(self, visit: Visit, given: Submission, change: Change, revision: int) -> Decision:
        """Return what is to be recorded."""
        return Decision(
            consent_id=_consent_id(visit, has_grant=change.has_grant),
            granted=self._listed(change.after.granted, change.after.services),
            denied=self._listed(change.after.denied, change.lost_services),
            method="withdrawal" if change.is_withdrawal and not change.has_grant else given.method,
            revision=revision,
            locale=given.locale,
            script=int(given.is_scripted),
        )

    def _require_possible(self, consent: Consent) -> None:
        if not fits(consent.services):
            raise TooManyServices("the choice has no room for one more service")
        if self._deny_only and (consent.granted or consent.services):
            raise NotOffered("optional cookies are off on this site")

    def _signed(self, consent: Consent, keys: Keys, visit: Visit) -> bytes:
        """Return the Set-Cookie field of a choice made now."""
        choice = Choice(
            consent.granted,
            consent.denied,
            keys.policy.revision,
            int(time.time()),
            consent.services,
            visit.has_signal,
        )
        return self._cookies.choice(keys.signer.write(choice), keys.policy.lifetime_s, visit)

    async def _make_durable(
        self, decision: Decision, counted: Sequence[Outcome], once: str, *, is_grant: bool
    ) -> Decision:
        """Return a decision as it is kept: a form that was sent before has its row and its id."""
        shown = self._shown(decision.locale)
        record = partial(self._record, decision, counted, shown, once=once, may_wait=not is_grant)
        try:
            return await anyio.to_thread.run_sync(record)
        except ConsentKitError as exc:
            if is_grant:
                raise NotDurable("the choice could not be recorded; nothing was changed") from exc
            logger.error("a refusal holds, and its record is lost: %s", exc)
            return decision

    def _listed(self, categories: frozenset[str], services: frozenset[str]) -> str:
        named = [name for name in self._registry.categories if name in categories]
        return ",".join([*named, *(f"+{service}" for service in sorted(services))])

    def _expire(self, visit: Visit, change: Change, host: str) -> list[bytes]:
        """Return the fields that delete what is refused of the cookies that were sent."""
        after, lost_services = change.after, change.lost_services
        refused = [
            name
            for name in visit.sent
            if (declared := self._registry.find(name)) is not None
            and declared.on_refusal == "drop"
            and not after.allows_cookie(declared)
            and (after.answer(declared.category) is False or declared.service in lost_services)
        ]
        return sweep.expirations(refused, self._registry, host=host, is_secure=visit.is_secure)


def _consent_id(visit: Visit, *, has_grant: bool) -> str:
    """Return the visitor's id: a new one for a first grant, none for who never granted anything."""
    known = read_consent_id(visit.consent_id)
    return new_consent_id() if has_grant and not known else known
