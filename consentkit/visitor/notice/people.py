"""What the notice says of people: who is responsible, who receives data, and what rights visitors have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.consent.declared import NECESSARY
from consentkit.settings.values import EEA
from consentkit.visitor import notice_wording
from consentkit.visitor.notice.log import stored_in
from consentkit.visitor.notice.views import Item, Line, RecipientView, Section, address_of, linked, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.settings import Recipient
    from consentkit.visitor.notice.views import Facts

# Names and addresses in the authorities' own words.
AUTHORITIES: Final = {
    "LV": ("Datu valsts inspekcija", "https://www.dvi.gov.lv"),
    "EE": ("Andmekaitse Inspektsioon", "https://www.aki.ee"),
    "LT": ("Valstybinė duomenų apsaugos inspekcija", "https://vdai.lrv.lt"),
}


def reach(facts: Facts) -> str:
    """Return where visitors turn to: the contact, else the next best; words for its lack where there is none."""
    site = facts.settings.site
    return site.contact or site.dpo or site.address or missing(facts)


def missing(facts: Facts) -> str:
    """Return what stands in place of a fact that the operator has not given."""
    return facts.say.gettext("not yet given by the operator")


def controller_section(facts: Facts) -> Section:
    """Return who is responsible, and how to reach them (GDPR art. 13(1)(a) and (b))."""
    say, site = facts.say, facts.settings.site
    rows = [
        (say.gettext("Controller"), site.operator or missing(facts)),
        (say.gettext("Registration number"), site.registration),
        (say.gettext("Postal address"), site.address),
        (say.gettext("Contact"), site.contact or missing(facts)),
        (say.gettext("Data protection officer"), site.dpo),
    ]
    items = tuple(Item(name, (Line("", text, address_of(text)),)) for name, text in rows if text)
    return Section(id="controller", title=say.gettext("Who is responsible"), items=items)


def recipient_views(facts: Facts) -> tuple[RecipientView, ...]:
    """Return those who receive data, present ones first (GDPR art. 13(1)(e); CJEU C-154/21: by name)."""
    views = [_recipient(facts, one) for one in facts.settings.recipients]
    return tuple(sorted(views, key=lambda view: view.is_past))


def _recipient(facts: Facts, one: Recipient) -> RecipientView:
    return RecipientView(
        name=one.name,
        url=one.url,
        role=facts.text(one.role),
        purpose=facts.text(one.purpose),
        basis=facts.text(one.basis),
        data=facts.text(one.data),
        country=facts.place(one.country, facts.text(one.transfer)),
        when=_when(facts, one),
        is_past=one.until is not None and one.until < facts.today,
    )


def _when(facts: Facts, one: Recipient) -> str:
    say = facts.say
    if one.since and one.until:
        return say.gettext("from {since} to {until}", since=say.date(one.since), until=say.date(one.until))
    if one.since:
        return say.gettext("since {date}", date=say.date(one.since))
    if one.until:
        return say.gettext("until {date}", date=say.date(one.until))
    return ""


def recipient_lines(facts: Facts) -> tuple[Line, ...]:
    """Return what stands beside the table of recipients."""
    say = facts.say
    found = []
    if not facts.settings.recipients:
        found.append(Line(say.gettext("Nobody outside the controller receives what is described here.")))
    if facts.asks and any(service.category != NECESSARY for service in facts.registry.services):
        name = say.gettext("Cookies")
        agreed = say.gettext(
            "If you agree, providers of optional cookies receive data too: see “{section}”.", section=name
        )
        found.append(linked(agreed, name, "#stored"))
    return tuple(found)


def place_section(facts: Facts) -> Section:
    """Return where data is, and what leaves the EEA by which safeguard (GDPR art. 13(1)(f))."""
    say = facts.say
    abroad = tuple(_abroad(facts))
    if not abroad:
        abroad = plain(say.gettext("Nothing of it is sent to a country outside the European Economic Area."))
    return Section(
        id="place",
        title=say.gettext("Where the data is"),
        items=(
            Item(say.gettext("Where it is kept"), plain(stored_in(facts))),
            Item(say.gettext("Outside the European Economic Area"), abroad),
        ),
    )


def _abroad(facts: Facts) -> Iterator[Line]:
    say, site = facts.say, facts.settings.site
    if site.storage_region not in EEA:  # also where it is not said: nothing can then be promised
        yield Line(stored_in(facts))
    for one in facts.settings.recipients:
        if one.country not in EEA and (one.until is None or one.until >= facts.today):
            yield Line(f"{one.name}: {facts.place(one.country, facts.text(one.transfer))}")
    for service in facts.registry.services:
        if service.category != NECESSARY and not facts.asks:
            continue
        countries = dict.fromkeys((service.country, *service.transfers))
        outside = [facts.place(country) for country in countries if country and country not in EEA]
        if outside and service.category != NECESSARY:
            yield Line(
                say.gettext(
                    "{name}, only if you agree: {places}", name=service.provider, places="; ".join(outside)
                )
            )
        elif outside:
            yield Line(f"{service.provider}: {'; '.join(outside)}")
        elif not service.country:
            yield Line(say.gettext("{name}: the operator has not said in which country", name=service.provider))


def objection_section(facts: Facts) -> Section:
    """Return the right to object, which stands apart from all else (GDPR art. 21(1) and (4))."""
    say = facts.say
    concerned = [(say.gettext("The record of access"), "#access")]
    if facts.settings.requestlog.basis != "legal_obligation":  # art. 21(1): points (e) and (f) of art. 6(1) alone
        concerned[:0] = [(say.gettext("The request log"), "#log"), (say.gettext("Incidents"), "#incidents")]
    contact = reach(facts)
    return Section(
        id="objection",
        title=say.gettext("Your right to object"),
        lead=(linked(notice_wording.objection_text(say, contact), contact, address_of(contact)),),
        items=(Item(say.gettext("This concerns"), tuple(Line("", name, url) for name, url in concerned)),),
    )


def rights_section(facts: Facts) -> Section:
    """Return the rights, and how to make use of them (GDPR art. 12, 13(2)(b) and (c))."""
    say = facts.say
    rights = [
        say.gettext("to learn what is kept about you, and to get a copy of it (GDPR art. 15)"),
        say.gettext("to have what is wrong corrected (GDPR art. 16)"),
        say.gettext("to have it erased (GDPR art. 17)"),
        say.gettext("to have its use restricted (GDPR art. 18)"),
    ]
    how = [
        say.gettext(
            "The request log knows no names. To find your requests we need the IP address from which you came,"
            " from when to when, and something that shows that it was yours then, such as a letter from your"
            " provider."
        )
    ]
    if facts.asks:
        rights.append(
            say.gettext("to get what rests on your consent in a form that machines can read (GDPR art. 20)")
        )
        rights.append(say.gettext("to withdraw your consent at any time (GDPR art. 7(3))"))
        how.append(
            say.gettext(
                "For your choices the number in the cookie {cookie} is enough, or your receipt.",
                cookie=facts.names.consent_id,
            )
        )
    contact = reach(facts)
    write = say.gettext(
        "Write to: {contact}. It costs nothing, and you are answered within a month.", contact=contact
    )
    return Section(
        id="rights",
        title=say.gettext("Your rights"),
        items=(
            Item(say.gettext("You have the right"), plain(*rights)),
            Item(say.gettext("How to use them"), (linked(write, contact, address_of(contact)),)),
            Item(say.gettext("What we need from you"), plain(*how)),
        ),
    )


def complaint_section(facts: Facts) -> Section:
    """Return where to complain (GDPR art. 13(2)(d), 77)."""
    say, authority = facts.say, facts.settings.site.authority
    lines = []
    if authority:
        name, url = AUTHORITIES[authority] if isinstance(authority, str) else (authority.name, authority.url)
        label = f"{name}, {url.removeprefix('https://').removeprefix('http://')}"
        lines.append(linked(notice_wording.complaint_text(say, label), label, url))
    else:
        lines.append(Line(say.gettext("Which authority supervises this site: not yet given by the operator.")))
    lines.append(Line(say.gettext("You may also turn to the authority of the country in which you live or work.")))
    return Section(id="complaint", title=say.gettext("Where to complain"), lead=tuple(lines))
