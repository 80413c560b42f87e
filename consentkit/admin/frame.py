"""The frame of every page of the admin area: navigation, who is signed in and why, notices, language.

Owns what all pages share and how they are rendered. Each page's own part is its module's; that the entrant may
see it, the application's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from consentkit.admin import wording
from consentkit.admin.navigation import NOTICES, SECTIONS, Tab
from consentkit.admin.writing import Writing
from consentkit.web.templates import Templates
from consentkit.web.texts import LOCALE_FOLDER, Texts

if TYPE_CHECKING:
    from consentkit.admin.visit import Entrant
    from consentkit.audit import Look
    from consentkit.settings import Settings
    from consentkit.web.assets import Assets
    from consentkit.web.texts import Catalogue

_MAX_QUERY_FIELDS: Final = 64
_LOOK: Final = "/look"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link of the navigation, already worded."""

    label: str
    url: str
    is_current: bool = False
    icon: str = ""
    tabs: tuple[Link, ...] = ()
    tag: str = ""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What ``base.html`` is given.

    Attributes:
        root: address of the admin area, without a slash at its end; every link begins with it.
        operator: who runs the site; may be empty.
        sections: of the navigation, each with its tabs; empty before sign-in.
        tabs: of the present section; empty where it has but one.
        person: who is signed in; empty before sign-in.
        roles: their names, as one phrase.
        can_sign_out: there is a session of ours to end.
        looking_for: purpose and case in force, as one phrase; empty where none was said.
        look_url: where they are said, or said anew.
        languages: links to this page in the other languages; empty where there is but one.
        notice: what was just done; empty = nothing.
        style, script, icon: addresses.
        rows_script: another, for pages with requests that open in place.
    """

    root: str
    operator: str
    sections: tuple[Link, ...] = ()
    tabs: tuple[Link, ...] = ()
    person: str = ""
    roles: str = ""
    can_sign_out: bool = False
    looking_for: str = ""
    look_url: str = ""
    languages: tuple[Link, ...] = ()
    notice: str = ""
    style: str
    script: str
    rows_script: str
    icon: str


class ErrorView(msgspec.Struct, frozen=True):
    """What ``error.html`` is given.

    Attributes:
        status: HTTP status.
        title, message: what is wrong.
        way_out: what to do; may be empty.
    """

    status: int
    title: str
    message: str
    way_out: str = ""


class Framer:
    """Render pages in their frame.

    Args:
        settings: operator and mount.
        texts: catalogues ``admin`` of the site's languages.
        assets: names of the static files.
        mount: path of consentkit's own pages, without the root path.
        templates: with the site's own folders; None = ours.
    """

    def __init__(
        self, settings: Settings, texts: Texts, assets: Assets, *, mount: str, templates: Templates | None = None
    ) -> None:
        self._operator = settings.site.operator
        self._texts = texts
        self._assets = assets
        self._mount = mount
        self._templates = templates or Templates()

    def render(
        self,
        template: str,
        say: Catalogue,
        view: msgspec.Struct,
        *,
        path: str,
        query: str = "",
        root_path: str = "",
        entrant: Entrant | None = None,
        look: Look | None = None,
        notice: str = "",
    ) -> str:
        """Return a whole page.

        Args:
            template: under ``consentkit/admin/``, as ``overview.html``.
            say: speaks the reader's language.
            view: the page's own.
            path: under the admin area, as ``/health``.
            query: of the request, as it came.
            root_path: ASGI ``root_path`` of the site.
            entrant: who is signed in; None = nobody, so no navigation.
            look: purpose and case in force.
            notice: a key of `navigation.NOTICES`; another is left out.
        """
        root = f"{root_path}{self._mount}/admin"
        static = f"{root_path}{self._mount}/static"
        frame = Frame(
            root=root,
            operator=self._operator,
            look_url=f"{root}/look?{urlencode({'next': _next(path, query)}, errors='replace')}",
            looking_for=_looking_for(say, look),
            languages=self._languages(say, root + path, query),
            notice=NOTICES[notice](say) if notice in NOTICES else "",
            style=f"{static}/{self._assets.hashed_name('admin.css')}",
            script=f"{static}/{self._assets.hashed_name('admin.js')}",
            rows_script=f"{static}/{self._assets.hashed_name('admin-rows.js')}",
            icon=f"{static}/{self._assets.hashed_name('admin.svg')}",
        )
        if entrant is not None:
            frame = _with_person(frame, say, path, entrant)
        return self._templates.render(f"admin/{template}", say, frame=frame, view=view, write=Writing(say))

    def _languages(self, say: Catalogue, address: str, query: str) -> tuple[Link, ...]:
        if len(self._texts.languages) < 2:
            return ()
        try:
            fields = [(name, value) for name, value in _fields(query) if name != "lang"]
        except ValueError:  # too many of them: the page is shown without
            fields = []
        return tuple(
            Link(
                tag=tag,
                # Each catalogue names its own language here.
                label=self._texts[tag].pgettext("this language", "English"),
                url=f"{address}?{urlencode([*fields, ('lang', tag)], errors='replace')}",
                is_current=tag == say.language,
            )
            for tag in self._texts.languages
        )


def _next(path: str, query: str) -> str:
    """Return where the question for a purpose leads on to; asked from its own page, where it leads already."""
    if path != _LOOK:
        return f"{path}?{query}" if query else path
    try:
        return dict(_fields(query)).get("next", "/")
    except ValueError:  # too many fields
        return "/"


def spoken_texts(languages: tuple[str, ...]) -> Texts:
    """Return the words in those of the site's languages that the admin area speaks; English if in none."""
    spoken = tuple(
        tag for tag in languages if (LOCALE_FOLDER / tag.replace("-", "_") / "LC_MESSAGES/admin.mo").is_file()
    )
    return Texts(spoken or ("en",), domain="admin")


def _with_person(frame: Frame, say: Catalogue, path: str, entrant: Entrant) -> Frame:
    sections = _sections(say, frame.root, path, entrant)
    return msgspec.structs.replace(
        frame,
        sections=sections,
        tabs=next((section.tabs for section in sections if section.is_current and len(section.tabs) > 1), ()),
        person=entrant.name,
        roles=say.join([wording.role_name(say, role) for role in sorted(entrant.roles)]),
        can_sign_out=entrant.session != 0,
    )


def _sections(say: Catalogue, root: str, path: str, entrant: Entrant) -> tuple[Link, ...]:
    found = []
    for section in SECTIONS:
        seen = [tab for tab in section.tabs if entrant.may(tab.action)]
        if not seen:
            continue
        current = _current(seen, path)
        tabs = tuple(Link(label=tab.label(say), url=root + tab.path, is_current=tab is current) for tab in seen)
        found.append(
            Link(
                label=section.label(say),
                url=tabs[0].url,
                is_current=current is not None,
                icon=section.icon,
                tabs=tabs,
            )
        )
    return tuple(found)


def _current(tabs: list[Tab], path: str) -> Tab | None:
    """Return the tab to which a path belongs: the one whose own path is the longest beginning of it."""
    fitting = [tab for tab in tabs if path == tab.path or (tab.path != "/" and path.startswith(f"{tab.path}/"))]
    return max(fitting, key=lambda tab: len(tab.path), default=None)


def _looking_for(say: Catalogue, look: Look | None) -> str:
    if look is None:
        return ""
    purpose = wording.purpose_name(say, look.purpose)
    return say.gettext("{purpose}, case {case}", purpose=purpose, case=look.case) if look.case else purpose


def _fields(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
