"""What the notice says of everything but the request log: choices, cookies, the access record, requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.visitor import notice_wording, wording
from consentkit.visitor.notice.log import receivers, stored_in
from consentkit.visitor.notice.views import Item, Line, Section, linked, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.consent.registry import Service
    from consentkit.visitor.notice.views import Facts


def choice_section(facts: Facts) -> Section:
    """Return the section on visitors' choices and their proof."""
    say = facts.say
    cookie = say.ngettext(
        "The cookie: {n} day, then you are asked again.",
        "The cookie: {n} days, then you are asked again.",
        facts.settings.consent.lifetime_days,
    )
    proof = say.ngettext(
        "The record of a choice: {n} day after the consent has ended.",
        "The record of a choice: {n} days after the consent has ended.",
        facts.settings.keep.proof,
    )
    return Section(
        id="choices",
        title=say.gettext("Your choice and its proof"),
        lead=plain(say.gettext("To do as you have chosen, and to be able to show that a consent was given.")),
        basis=say.gettext(
            "Legal basis: our legal obligation to be able to show that you have consented (GDPR art. 6(1)(c)"
            " with 7(1))."
        ),
        items=(
            Item(say.gettext("What is recorded"), plain(*_of_choice(facts))),
            Item(
                say.gettext("What is never recorded"),
                plain(
                    say.gettext(
                        "Your IP address, your browser, and, after a refusal, any number that identifies you."
                    )
                ),
            ),
            Item(say.gettext("Kept for"), plain(cookie, proof)),
            Item(say.gettext("Who receives it"), (receivers(facts),)),
            Item(say.gettext("Where it is kept"), plain(stored_in(facts))),
        ),
    )


def _of_choice(facts: Facts) -> Iterator[str]:
    say, names = facts.say, facts.names
    yield say.gettext(
        "on your device, in the cookie {cookie}: your choice and its time, and nothing that tells you from others",
        cookie=names.choice(is_secure=facts.is_secure),
    )
    yield say.gettext(
        "on your device, in the cookie {cookie}, only while something optional is allowed: a random number",
        cookie=names.consent_id,
    )
    yield say.gettext(
        "on our server: the choice, its minute, that number where there is one, the language, where you chose, and"
        " which text was shown"
    )


def cookie_section(facts: Facts) -> Section:
    """Return the section on cookies: what each category is for, and that consent can be withdrawn."""
    say, log = facts.say, facts.settings.requestlog
    if facts.settings.consent.deny_only:
        lead = notice_wording.deny_only_text(say)
    elif facts.registry.categories:
        lead = say.gettext("Optional cookies are set and read only if you agree. Refusing costs you nothing.")
    else:
        lead = wording.notice_text(say)
    basis = (
        say.gettext(
            "Legal basis: your consent (GDPR art. 6(1)(a)). You can withdraw it at any time; what was done before"
            " stays lawful."
        )
        if facts.asks
        else ""
    )
    necessary = [wording.category_reason(say, "necessary")]
    if log.basis != "public_task":
        necessary.append(
            say.gettext(
                "Legal basis of the data in them: our legitimate interest in a site that works (GDPR"
                " art. 6(1)(f))."
            )
        )
    items = [Item(wording.category_name(say, "necessary"), plain(*necessary))]
    if facts.asks:
        items += [
            Item(wording.category_name(say, category), tuple(_of_category(facts, category)))
            for category in facts.registry.categories
        ]
    return Section(
        id="stored",
        title=say.gettext("Cookies"),
        lead=plain(lead),
        basis=basis,
        items=tuple(items),
        lines=tuple(_ways(facts)),
    )


def _of_category(facts: Facts, category: str) -> Iterator[Line]:
    say = facts.say
    yield Line(wording.category_reason(say, category))
    services = [one for one in facts.registry.services if category in one.categories]
    for service in services:
        yield _of_service(facts, service)
    named = {service.provider for service in services}
    others = [name for name in facts.registry.providers(category) if name not in named]
    if others:
        yield Line(say.gettext("Also set by: {providers}.", providers=say.join(others)))


def _of_service(facts: Facts, service: Service) -> Line:
    name = service.name if service.name == service.provider else f"{service.name}, {service.provider}"
    countries = dict.fromkeys(country for country in (service.country, *service.transfers) if country)
    places = "; ".join(facts.place(country) for country in countries)
    return Line("", name, service.privacy_url, f": {places}" if places else "")


def _ways(facts: Facts) -> Iterator[Line]:
    say = facts.say
    policy = notice_wording.cookie_page_name(say)
    each = say.gettext("Each cookie, its purpose and how long it is kept: {page}", page=policy)
    yield linked(each, policy, facts.page("cookies"))
    if facts.asks:
        choice = say.pgettext("button", "Cookie choice")
        change = say.gettext("Change or withdraw: {page}", page=choice)
        yield linked(change, choice, facts.page("settings"))


def access_section(facts: Facts) -> Section:
    """Return the section on the record of who looked at personal data."""
    say = facts.say
    return Section(
        id="access",
        title=say.gettext("The record of access"),
        lead=plain(
            say.gettext(
                "To be able to find out who looked at personal data, when and why, and to show that what is"
                " promised here is done."
            )
        ),
        basis=say.gettext(
            "Legal basis: our legitimate interest in controlling access to personal data (GDPR art. 6(1)(f))."
        ),
        items=(
            Item(
                say.gettext("What is recorded"),
                plain(
                    say.gettext(
                        "Who of our staff looked, when, for which purpose and reason, and what was searched for,"
                        " which may be your IP address."
                    )
                ),
            ),
            Item(say.gettext("Kept for"), plain(wording.lifetime(say, facts.settings.keep.audit))),
            Item(say.gettext("Who receives it"), (receivers(facts),)),
            Item(say.gettext("Where it is kept"), plain(stored_in(facts))),
        ),
    )


def request_section(facts: Facts) -> Section:
    """Return the section on what is recorded when a person makes use of her rights."""
    say = facts.say
    return Section(
        id="requests",
        title=say.gettext("Your requests to us"),
        lead=plain(say.gettext("To answer when you make use of your rights, and to be able to show that we did.")),
        basis=say.gettext("Legal basis: our legal obligation to answer (GDPR art. 6(1)(c) with 12 to 22)."),
        items=(
            Item(
                say.gettext("What is recorded"),
                plain(
                    say.gettext(
                        "What was asked for, when, and what was done, in the record of access. You stand in it"
                        " under a fingerprint that only our keys can make."
                    )
                ),
            ),
            Item(say.gettext("Kept for"), plain(wording.lifetime(say, facts.settings.keep.audit))),
            Item(say.gettext("Who receives it"), (receivers(facts),)),
            Item(say.gettext("Where it is kept"), plain(stored_in(facts))),
        ),
    )
