"""Placeholders for content from elsewhere: what it is, who learns of it, and the ways to load it.

Owns the placeholder's view. Waking the content is the script's; whether it is shown at all is told by the caller,
who sends the content itself where consent is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from markupsafe import Markup

from consentkit.consent.declared import OPTIONAL
from consentkit.visitor import wording
from consentkit.visitor.once import new_once
from consentkit.web.templates import Templates

if TYPE_CHECKING:
    from consentkit.consent.registry import Registry
    from consentkit.web.texts import Texts


class EmbedView(msgspec.Struct, frozen=True):
    """Give ``_embed.html`` one placeholder.

    Attributes:
        service: its id.
        category: its own, by which markup waits.
        category_name: words for it, and for those of its cookies.
        content: trusted markup that waits.
        width, height: CSS pixels, so that nothing moves when it is loaded.
        url: where the content can be opened without consent; empty = nowhere.
        is_offered: it can be loaded here; False where optional cookies are off for everybody.
        once: by which a form that is sent twice is known as one.
    """

    service: str
    provider: str
    category: str
    category_name: str
    cookies: str
    content: Markup
    width: int
    height: int
    url: str
    mount: str
    next_url: str
    is_offered: bool
    once: str


class Embeds:
    """Render placeholders.

    Args:
        registry: knows the services.
        texts: catalogues of the site's languages.
        mount: path of our pages, without the root path.
        templates: with the site's own folders; None = ours.
        deny_only: optional cookies are off for everybody, so nothing can be loaded.
    """

    def __init__(
        self,
        registry: Registry,
        texts: Texts,
        *,
        mount: str,
        templates: Templates | None = None,
        deny_only: bool = False,
    ) -> None:
        self._registry = registry
        self._texts = texts
        self._mount = mount
        self._templates = templates or Templates()
        self._deny_only = deny_only

    def placeholder(
        self,
        language: str,
        *,
        service: str,
        content: str,
        width: int = 560,
        height: int = 315,
        url: str = "",
        next_url: str = "/",
        root_path: str = "",
    ) -> Markup | None:
        """Return the placeholder of one embed, or None for a service that is not declared.

        Args:
            language: one of the site's; another gets the default.
            service: its id in the settings or the catalogue.
            content: the embed's own markup, written by the site; trusted and not escaped.
            width: CSS pixels.
            height: CSS pixels.
            url: plain link for who doesn't agree, ``https://…``.
            next_url: path and query of the page, to come back to.
            root_path: ASGI ``root_path``.
        """
        declared = self._registry.service(service)
        if declared is None:
            return None
        say = self._texts[language]
        names = tuple(dict.fromkeys(cookie.name for cookie in declared.cookies))
        view = EmbedView(
            service=declared.id,
            provider=declared.provider,
            category=declared.category,
            category_name=say.join(
                [wording.category_name(say, each) for each in OPTIONAL if each in declared.categories]
            ),
            cookies=say.gettext("Cookies: {names}.", names=", ".join(names)) if names else "",
            content=Markup(content),  # noqa: S704  the site's own markup
            width=width,
            height=height,
            url=url if url.startswith(("https://", "http://", "/")) else "",
            mount=root_path + self._mount,
            next_url=next_url,
            is_offered=not self._deny_only,
            once=new_once(),
        )
        return Markup(self._templates.render("_embed.html", say, view=view))  # noqa: S704  rendered with autoescape
