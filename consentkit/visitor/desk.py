"""The desk where a choice is made: an answer in, a decision recorded, cookies out.

Owns what an answer means and what must be durable before it holds. How it came in and what page goes out
is `app`'s job.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

import anyio.to_thread
import msgspec

from consentkit.consent import sweep
from consentkit.consent.choice import Choice, Consent, fits
from consentkit.consent.consentid import new_consent_id, read_consent_id
from consentkit.consent.decision import Decision, Method
from consentkit.consent.outcomes import outcomes
from consentkit.errors import ConsentKitError
from consentkit.visitor.choicecookies import ChoiceCookies
from consentkit.visitor.once import once_digest
from consentkit.visitor.ratelimit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consentkit.consent.gate import Keys, Visit
    from consentkit.consent.names import CookieNames
    from consentkit.consent.outcomes import Outcome
    from consentkit.consent.registry import Registry

logger = logging.getLogger("consentkit")

Answer: TypeAlias = Literal["accept", "reject", "save"]


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


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it came in.

    Attributes:
        answer: the button.
        ticked: categories ticked, for ``save``.
        unticked: categories refused by name, where the rest is kept.
        keeps: with ``save``, what is not named stays as it is: granted, denied or undecided.
        service: id of a service to allow by itself, with ``save``; empty = none.
        removed: id of a service that is no longer allowed by itself; empty = none.
        method: where it was given.
        locale: language in which it was asked.
        is_scripted: a script sent it.
        host: of the request, for deleting cookies.
        address: of the client, for counting grants; kept in memory for a minute.
        id_path: path of the id cookie.
        once: the form's own value, as it came; hostile.
    """

    answer: Answer
    ticked: frozenset[str]
    method: Method
    locale: str
    is_scripted: bool
    host: str
    address: str
    id_path: str
    once: str = ""
    unticked: frozenset[str] = frozenset()
    keeps: bool = False
    service: str = ""
    removed: str = ""


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
        before = visit.consent
        consent = self._meant(before, given)
        self._require_possible(consent)
        lost_services = frozenset(each for each in before.services if not consent.allows_service(each))
        fields = self._expire(visit, consent, lost_services, given.host)
        # Under a privacy signal a refusal holds without a cookie; but what it only suspends can be withdrawn.
        needs_no_cookie = visit.has_signal or (self._deny_only and bool(self._registry.categories))
        is_known = (visit.choice is not None or needs_no_cookie) and not visit.is_suspended
        if is_known and _state(before) == _state(consent):
            return Result(consent, tuple(fields), is_withdrawal=False)
        has_grant = bool(consent.granted or consent.services)
        is_more = not (consent.granted <= before.granted and all(map(before.allows_service, consent.services)))
        if is_more and not self._grants.allows(given.address):
            raise TooMany(f"more than {GRANTS_A_MINUTE} grants a minute from one address")
        decision = Decision(
            consent_id=self._consent_id(visit, has_grant=has_grant),
            granted=self._listed(consent.granted, consent.services),
            denied=self._listed(consent.denied, lost_services),
            method=given.method,
            revision=keys.policy.revision,
            locale=given.locale,
            script=int(given.is_scripted),
        )
        is_withdrawal = bool(lost_services) or not before.granted <= consent.granted
        if is_withdrawal and not has_grant:
            decision = msgspec.structs.replace(decision, method="withdrawal")
        if self._registry.categories:  # where nothing is asked, "OK" hides a notice and decides nothing
            own_before = keys.policy.consent(visit.choice)  # what a privacy signal makes of it is no answer
            counted = outcomes(own_before, consent, self._registry.categories)
            once = once_digest(given.once, given.address)
            decision = await self._make_durable(decision, counted, once, is_grant=is_more)
        fields.insert(0, self._signed(consent, keys, visit))
        kept_id = decision.consent_id if has_grant else ""
        fields += self._cookies.consent_id(kept_id, keys.policy.lifetime_s, visit, given.id_path)
        return Result(consent, tuple(fields), is_withdrawal=is_withdrawal)

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

    def _meant(self, before: Consent, given: Submission) -> Consent:
        """Return what an answer leaves in force.

        A form without boxes for services says nothing of those allowed one by one: they stay, but for those
        whose category it takes back.
        """
        optional = frozenset(self._registry.categories)
        granted, denied, services = frozenset[str](), optional, frozenset[str]()
        if given.answer == "accept":
            granted = optional
        elif given.answer == "save":
            granted = given.ticked & optional
            if given.keeps:
                granted |= before.granted - given.unticked
                denied = before.denied | (given.unticked & optional)
            taken_back = before.granted - granted
            services = frozenset(
                each.id
                for each in self._registry.services
                if (each.id in before.services or each.id == given.service)
                and each.id != given.removed
                and each.categories.isdisjoint(taken_back)
                and not granted.issuperset(each.categories)  # then it needs no leave of its own
                and each.category != "necessary"
            )
        declared = self._registry.service_categories
        return Consent(granted, denied - granted, self._registry.categories, services, declared)

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

    def _consent_id(self, visit: Visit, *, has_grant: bool) -> str:
        """Return the visitor's id: a new one for a first grant, none for who never granted anything."""
        known = read_consent_id(visit.consent_id)
        return new_consent_id() if has_grant and not known else known

    def _expire(self, visit: Visit, consent: Consent, lost_services: frozenset[str], host: str) -> list[bytes]:
        refused = [
            name
            for name in visit.sent
            if (declared := self._registry.find(name)) is not None
            and declared.on_refusal == "drop"
            and not consent.allows_cookie(declared)
            and (consent.answer(declared.category) is False or declared.service in lost_services)
        ]
        return sweep.expirations(refused, self._registry, host=host, is_secure=visit.is_secure)


def _state(consent: Consent) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    return consent.granted, consent.denied, consent.services
