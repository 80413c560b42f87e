"""The privacy notice as a page: its order, its summary, and what it does not cover.

Generated from the settings in force at each request, so that it says what is enforced. Each processing's words
are in the modules beside it. Source: GDPR art. 12(1), 13 and 21(4).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from consentkit.archive.lastday import last_day, wound_down_on
from consentkit.visitor import notice_wording, wording
from consentkit.visitor.notice import people, processings
from consentkit.visitor.notice.log import encryption_texts, incident_section, log_section, retention_text
from consentkit.visitor.notice.views import Facts, Line, RecipientView, Section, address_of, linked, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.consent.names import CookieNames
    from consentkit.consent.registry import Registry
    from consentkit.settings import Settings
    from consentkit.visitor.shell import Shell


class PrivacyView(msgspec.Struct, frozen=True, kw_only=True):
    """Give ``privacy.html`` its own part.

    Attributes:
        title: what the page is called, as the links to it say.
        ended: said first where the service has ended; empty = it goes on.
        summary: the notice in a few lines.
        controller: who is responsible.
        processings: each by itself.
        recipients_title, recipients, recipient_lines: who receives data.
        objection: apart from all else.
        others: place, rights, complaint, what must be given, protection, what lies outside.
        contents: every section's id and title, in order.
        made: the day on which it was true.
    """

    title: str
    ended: str
    summary: tuple[Line, ...]
    controller: Section
    processings: tuple[Section, ...]
    recipients_title: str
    recipients: tuple[RecipientView, ...]
    recipient_lines: tuple[Line, ...]
    objection: Section
    others: tuple[Section, ...]
    contents: tuple[Line, ...]
    made: str


class PrivacyPage:
    """Render the privacy notice.

    Args:
        shell: the frame, with the catalogues.
        settings: in force.
        registry: what is declared.
        names: of consentkit's own cookies.
        has_secret: the operator gave a secret, so that the disk alone opens nothing.
    """

    def __init__(
        self, shell: Shell, settings: Settings, registry: Registry, *, names: CookieNames, has_secret: bool
    ) -> None:
        self._shell = shell
        self._settings = settings
        self._registry = registry
        self._names = names
        self._has_secret = has_secret

    def render_privacy(
        self,
        language: str,
        *,
        now: datetime | None = None,
        is_secure: bool = True,
        next_url: str = "/",
        root_path: str = "",
    ) -> str:
        """Return the page.

        Args:
            language: one of the site's; another gets the default.
            now: when it is asked for, UTC; None = now.
            is_secure: it came over https, on which the choice's cookie has another name.
            next_url: where the visitor came from; a path on this site, checked by the caller.
            root_path: ASGI ``root_path``, without the mount.
        """
        facts = Facts(
            settings=self._settings,
            registry=self._registry,
            names=self._names,
            has_secret=self._has_secret,
            is_secure=is_secure,
            say=self._shell.texts[language],
            default_language=self._shell.texts.default,
            now=now or datetime.now(UTC),
            mount=root_path + self._settings.site.mount,
        )
        return self._shell.render(
            "privacy.html", language, page="/privacy", next_url=next_url, root_path=root_path, view=_view(facts)
        )


def _view(facts: Facts) -> PrivacyView:
    say = facts.say
    controller = people.controller_section(facts)
    done = (
        log_section(facts),
        *((processings.choice_section(facts),) if facts.asks else ()),
        processings.cookie_section(facts),
        incident_section(facts),
        processings.access_section(facts),
        processings.request_section(facts),
    )
    objection = people.objection_section(facts)
    others = (
        people.place_section(facts),
        people.rights_section(facts),
        people.complaint_section(facts),
        _duty_section(facts),
        _protection_section(facts),
        _outside_section(facts),
    )
    recipients_title = say.gettext("Who receives data")
    heads = [(one.id, one.title) for one in (objection, controller, *done)]
    heads.append(("recipients", recipients_title))
    heads += [(one.id, one.title) for one in others]
    return PrivacyView(
        title=notice_wording.privacy_page_name(say),
        ended=_ended(facts),
        summary=tuple(_summary(facts)),
        controller=controller,
        processings=done,
        recipients_title=recipients_title,
        recipients=people.recipient_views(facts),
        recipient_lines=people.recipient_lines(facts),
        objection=objection,
        others=others,
        contents=tuple(Line("", title, f"#{name}") for name, title in heads),
        made=say.gettext(
            "Generated on {date} from the settings that this server enforces. Days are counted in UTC.",
            date=say.date(facts.today),
        ),
    )


def _ended(facts: Facts) -> str:
    ended, over = facts.settings.site.service_ended, wound_down_on(facts.settings)
    if ended is None or over is None:
        return ""
    say = facts.say
    if ended > facts.today:
        return say.gettext(
            "This service ends on {ended}. On {date} everything is destroyed but what is held for an incident.",
            ended=say.date(ended),
            date=say.date(over),
        )
    return say.gettext(
        "This service ended on {ended}. On {date} everything is destroyed but what is held for an incident.",
        ended=say.date(ended),
        date=say.date(over),
    )


def _summary(facts: Facts) -> Iterator[Line]:
    say, site = facts.say, facts.settings.site
    if site.operator:
        yield Line(say.gettext("{operator} is responsible for the data described here.", operator=site.operator))
    recorded = say.gettext("Each request is recorded, to keep the site available and secure.")
    yield Line(f"{recorded} {retention_text(say, facts.settings.requestlog.retention_days)}")
    yield Line(notice_wording.visit_deleted_by(say, last_day(facts.settings, facts.now)))
    if facts.asks:
        yield Line(
            say.gettext("Optional cookies are set only if you agree. You can change your choice at any time.")
        )
    elif facts.registry.categories:
        yield Line(notice_wording.deny_only_text(say))
    else:
        yield Line(wording.notice_text(say))
    rights = say.gettext("Your rights")
    line = say.gettext(
        "You can learn what is kept about you, have it erased, object, and complain: see “{section}”.",
        section=rights,
    )
    yield linked(line, rights, "#rights")


def _duty_section(facts: Facts) -> Section:
    """Return whether data must be given, and that nothing is decided by machine (GDPR art. 13(2)(e) and (f))."""
    say = facts.say
    lines = [
        say.gettext("No law and no contract obliges you to give us data."),
        say.gettext(
            "Your browser sends what the request log records with every request by itself; without it no page can"
            " be shown."
        ),
        say.gettext(
            "From what we keep, nothing is decided about you by machine alone, and no profile of you is made."
        ),
    ]
    if facts.asks and "marketing" in facts.registry.categories:
        lines.append(
            say.gettext(
                "If you agree to marketing, its providers may make a profile of you: their own notices say so."
            )
        )
    return Section(id="duty", title=say.gettext("Must you give data?"), lead=plain(*lines))


def _protection_section(facts: Facts) -> Section:
    """Return what is done against misuse; of the disk only what the keys' custody really gives."""
    say = facts.say
    lines = list(encryption_texts(facts))
    lines.append(
        say.gettext("Each look at records is itself recorded before anything is shown, with its purpose.")
    )
    page = say.gettext("Deletions")
    proof = linked(say.gettext("What was destroyed when: {page}", page=page), page, facts.page("deletions"))
    return Section(id="protection", title=say.gettext("How it is protected"), lead=(*plain(*lines), proof))


def _outside_section(facts: Facts) -> Section:
    """Return what this notice can't speak of, and who does."""
    say, url = facts.say, facts.settings.site.privacy_url
    lines = [
        Line(
            say.gettext(
                "This notice covers the request log and cookies. It does not cover what else the site does with"
                " data, as in orders, accounts, forms and letters."
            )
        )
    ]
    if url:
        lines.append(linked(say.gettext("The operator describes that here: {url}", url=url), url, url))
    else:
        contact = people.reach(facts)
        asked = say.gettext("About that, ask the operator: {contact}", contact=contact)
        lines.append(linked(asked, contact, address_of(contact)))
    return Section(id="outside", title=say.gettext("What lies outside this notice"), lead=tuple(lines))
