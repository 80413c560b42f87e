"""The banner as bytes: rendered once for each language and state, put together for each request.

Owns what goes into a page's head and body. Which state a visitor is in is told by the caller; finding the place
in the page is ``consent.inject``'s.
"""

from __future__ import annotations

import html
import re
import secrets
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import quote

import msgspec

from consentkit.consent.fragments import Insertion
from consentkit.visitor import views
from consentkit.visitor.guarded import guarded
from consentkit.visitor.news_wording import news_views
from consentkit.visitor.once import new_once
from consentkit.web.templates import Templates

if TYPE_CHECKING:
    from consentkit.consent.news import Addition
    from consentkit.consent.registry import Registry
    from consentkit.settings import ConsentPolicy, Settings
    from consentkit.web.assets import Assets
    from consentkit.web.texts import Texts

State: TypeAlias = Literal["ask", "answered", "shared", "notice"]

_NEWS_KEPT: Final = 256  # lists of what is new, one a language, last choice, and what of it is asked again
_MAX_NEXT_LENGTH: Final = 2_048  # as much as POST /choice takes; for a longer address the Referer decides


class Slots(msgspec.Struct, frozen=True):
    """Name the places in the rendered markup that are filled for each request.

    The names hold a random part, so that no text of the operator's can stand for one of them.
    """

    root: str
    next: str
    next_query: str
    nonce: str
    revision: str
    news: str
    once: str


class BannerView(msgspec.Struct, frozen=True):
    """Give the banner's templates what differs between languages and states.

    Attributes:
        state: as in ``Banner.fragment``.
        is_notice: only necessary cookies are in use, so nothing is asked.
        deny_only: optional cookies are off for everybody, so nothing is asked or said.
        position: where the banner stands: ``bottom``, ``top`` or ``flow``.
        sentences: the request, or the notice.
        categories: the necessary one first; empty for a notice.
        cookie_names: names the choice may have, the stricter first, separated by a space.
        mount: where our pages lie, with the slot for the root path.
        guarded: globs of cookies and storage keys as JSON, for the guard; empty = there is none.
        first: addresses of the scripts that stand before all others.
        early, script, style, waking: addresses of the static files.
    """

    state: State
    is_notice: bool
    deny_only: bool
    position: str
    sentences: tuple[str, ...]
    categories: tuple[views.CategoryView, ...]
    cookie_names: str
    mount: str
    guarded: str
    first: tuple[str, ...]
    early: str
    script: str
    style: str
    waking: str


class Banner:
    """Make the markup that is put into the site's pages.

    Args:
        settings: operator, languages, cookie names.
        registry: what is declared.
        texts: catalogues of the site's languages.
        assets: names of the static files.
        mount: path of our pages, without the root path; as ``/consentkit``.
        templates: with the site's own folders; None = ours.
        embeds: content from elsewhere waits for permission on this site, and the banner says so.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        texts: Texts,
        assets: Assets,
        *,
        mount: str,
        templates: Templates | None = None,
        embeds: bool = False,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._texts = texts
        self._assets = assets
        self._mount = mount
        self._templates = templates or Templates()
        self._embeds = embeds
        token = secrets.token_hex(8)
        self._slots = Slots(*(f"slot-{token}-{name}-" for name in Slots.__struct_fields__))
        self._slot = re.compile(f"slot-{token}-({'|'.join(Slots.__struct_fields__)})-")
        # One entry a language and state of the site's own: never more than 4 x languages.
        self._rendered: dict[tuple[str, State], tuple[_Pieces, _Pieces]] = {}
        self._news: dict[tuple[str, tuple[Addition, ...]], bytes] = {}

    def fragment(
        self,
        language: str,
        *,
        state: State,
        next_url: str,
        nonce: str | None,
        root_path: str = "",
        revision: int = 0,
        news: tuple[Addition, ...] = (),
    ) -> Insertion:
        """Return what to put into one page.

        Args:
            language: one of the site's languages; another gets the default.
            state: ``ask``: the banner is seen. ``answered``: it is hidden and the way back is seen; also for a
                visitor with ``Sec-GPC: 1``. ``shared``: the same for all visitors, since a cache may keep it:
                hidden until a script finds no choice. ``notice``: as ``ask``, where all cookies are necessary.
            next_url: path and query of the page, to come back to; hostile. Not used for ``shared``.
            nonce: of the page's own policy; None = it has none.
            root_path: ASGI ``root_path`` of the outermost application.
            revision: the policy's, so that a script knows a choice made under an older one.
            news: what is new since the visitor's last choice. In ``shared`` markup a script fills it in.

        Returns:
            ASCII bytes; anything else stands as character references.
        """
        if language not in self._texts.languages:
            language = self._texts.default
        pieces = self._rendered.get((language, state))
        if pieces is None:
            pieces = self._rendered[language, state] = self._render(language, state)
        # Shared markup is the same for all pages; the way back is then the Referer's, or a script's.
        address = "" if state == "shared" or len(next_url) > _MAX_NEXT_LENGTH else next_url
        values = {
            "": b"",
            "root": _ascii(html.escape(quote(root_path, safe="/", errors="replace"))) if root_path else b"",
            "next": _ascii(html.escape(address)),
            "next_query": quote(address, safe="", errors="replace").encode("ascii") if address else b"",
            "nonce": b"" if nonce is None else b' nonce="' + _ascii(html.escape(nonce)) + b'"',
            "revision": b"%d" % revision,
            "news": self._news_markup(language, news) if news or state == "shared" else b"",
            "once": b"" if state == "shared" else new_once().encode("ascii"),
        }
        head, body = pieces
        return Insertion(head=head.join(values), body=body.join(values))

    def _news_markup(self, language: str, news: tuple[Addition, ...]) -> bytes:
        made = self._news.get((language, news))
        if made is None:
            if len(self._news) >= _NEWS_KEPT:
                self._news.clear()
            say = self._texts[language]
            rendered = self._templates.render("_news.html", say, news=news_views(news, self._registry, say))
            made = self._news[language, news] = _ascii(rendered)
        return made

    def _render(self, language: str, state: State) -> tuple[_Pieces, _Pieces]:
        view = self._view(language, state)
        say = self._texts[language]
        head = self._templates.render("_head.html", say, view=view, slots=self._slots)
        body = self._templates.render("_body.html", say, view=view, slots=self._slots)
        return _Pieces(self._slot.split(head)), _Pieces(self._slot.split(body))

    def _view(self, language: str, state: State) -> BannerView:
        say = self._texts[language]
        registry, consent = self._registry, self._settings.consent
        mount = self._slots.root + self._mount
        is_notice = not registry.categories

        def address(name: str) -> str:
            return f"{mount}/static/{self._assets.hashed_name(name)}"

        names = [consent.cookie] if consent.cookie_domain else [f"__Host-{consent.cookie}", consent.cookie]
        return BannerView(
            state=state,
            is_notice=is_notice,
            deny_only=consent.deny_only and not is_notice,
            position=consent.position,
            sentences=views.first_words(registry, say, self._settings, embeds=self._embeds),
            categories=()
            if is_notice
            else views.category_views(registry, say, default_language=self._texts.default),
            cookie_names=" ".join(names),
            mount=mount,
            guarded=guarded(registry) if consent.guard else "",
            first=tuple(address(name) for name in _first_scripts(consent)),
            early=address("early.js"),
            script=address("consentkit.js"),
            style=address("consentkit.css"),
            waking=address("waking.js"),
        )


def _first_scripts(consent: ConsentPolicy) -> tuple[str, ...]:
    """Return the scripts that must run before the page's own, the one that the others ask first."""
    wanted = ("guard.js",) * consent.guard + tuple(f"{each}-consent.js" for each in consent.signals)
    return ("known.js", *wanted) if wanted else ()


class _Pieces:
    """Hold markup cut at its slots: text and slot names by turns."""

    __slots__ = ("_pairs",)

    def __init__(self, parts: list[str]) -> None:
        # Line ends and indentation of the templates carry nothing once they lie between tags.
        texts = [_ascii(re.sub(r"\s*\n\s*", "\n", text)) for text in parts[::2]]
        self._pairs = tuple(zip(texts, [*parts[1::2], ""], strict=True))

    def join(self, values: dict[str, bytes]) -> bytes:
        return b"".join([piece for text, slot in self._pairs for piece in (text, values[slot])])


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "xmlcharrefreplace")
