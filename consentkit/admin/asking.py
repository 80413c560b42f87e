"""One request, before it is known who asks.

Owns what is read from it for every page alike: where it goes, from where it comes, in which language.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlencode

from consentkit.web import origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from consentkit.web.texts import Texts

_DOTS: Final = re.compile(r"/\.{1,2}(?:/|$)")
_SAFE: Final = "/:@!$&'()*+,;=~-._"


class Asking:
    """One request.

    Args:
        request: whose path begins with its root_path, which ends with the admin area's own.
        below: path of the admin area under the site's root, as ``/consentkit/admin``.
        texts: catalogues, among which a language is chosen.

    Attributes:
        request: as given.
        path: under the admin area, decoded, as ``/health``.
        query: as it came.
        root_path: of the site.
        root: of the admin area; each of its addresses begins with it.
        method: as it came.
        address: of the client; empty where it is not known.
        is_secure: it came over https.
        is_refresh: a script asks, not a person who goes to a page.
        wanted_language: that was asked for in the address; empty = none.
        say: speaks the reader's language.
        form: a POST's fields, once they are read.
    """

    def __init__(self, request: Request, *, below: str, texts: Texts) -> None:
        scope, headers = request.scope, request.headers
        self.request = request
        self.root: str = scope["root_path"]
        self.root_path = self.root.removesuffix(below)
        self.path: str = scope["path"][len(self.root) :] or "/"
        self.query: str = scope.get("query_string", b"").decode("latin-1")
        self.method: str = request.method
        self.address = request.client.host if request.client else ""
        self.is_secure = scope.get("scheme") == "https"
        self.is_refresh = headers.get("sec-fetch-dest") == "empty"
        self.wanted_language = texts.match(request.query_params.get("lang", "")) or ""
        self._texts = texts
        self.say = texts[texts.choose(query=self.wanted_language, accept_language=headers.get("accept-language"))]
        self.form: Mapping[str, str] = {}

    def speak(self, language: str) -> None:
        """Speak the language that was chosen before, unless the address asks for another."""
        if language and not self.wanted_language:
            self.say = self._texts[language]

    @property
    def here(self) -> str:
        """This address under the admin area, with its query, as `next` takes it."""
        path = quote(self.path, safe=_SAFE)
        return f"{path}?{self.query}" if self.query else path

    @property
    def next_query(self) -> str:
        """This address as a query that leads back to it."""
        return urlencode({"next": self.here}, errors="replace")

    def next(self, wanted: str | None = None) -> str:
        """Return where to go on to: the path under the admin area that was asked for, else its start."""
        given = self.request.query_params.get("next", "") if wanted is None else wanted
        return given if is_below(given) else "/"


def is_below(path: str) -> bool:
    """Tell whether a text is a path that stays under whatever it is put behind."""
    if not origin.is_path(path):
        return False
    # A browser takes %2e for a dot when it resolves a path (WHATWG URL §4.4).
    return _DOTS.search(unquote(path.partition("?")[0].partition("#")[0])) is None
