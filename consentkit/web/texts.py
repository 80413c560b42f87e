"""The words of pages: catalogues, loaded once, and the choice of a language.

Owns looking up, filling in and choosing. The words stand in ``consentkit/locale``; who says which of them when
is left to the rooms' templates and wording. Each domain (``consentkit`` for visitors, ``admin``) is a catalogue of
its own, so that a worker holds only the words it says.
"""

from __future__ import annotations

import gettext
import re
import struct
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from consentkit.errors import SettingsError
from consentkit.web import cldr

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

LOCALE_FOLDER = Path(__file__).resolve().parent.parent / "locale"

# Browsers send under 200 bytes and a handful of ranges; past these the header is not worth a language.
_MAX_ACCEPT_BYTES = 1_000
_MAX_ACCEPT_RANGES = 20
_MAX_TAG_LENGTH = 35  # RFC 5646 §4.4.1
_RANGE = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*[qQ]=([01](?:\.[0-9]{0,3})?)\s*)?")


class Catalogue:
    """Say things in one language.

    Messages are looked up by their English text and filled in by ``str.format`` with the keyword values.

    Attributes:
        language: BCP 47 tag, for ``lang`` attributes.
    """

    __slots__ = ("_translations", "language")

    def __init__(self, language: str, translations: gettext.NullTranslations) -> None:
        self.language = language
        self._translations = translations

    def gettext(self, message: str, /, **values: object) -> str:
        """Return a message in this language, filled in."""
        text = self._translations.gettext(message)
        return text.format(**values) if values else text

    def pgettext(self, context: str, message: str, /, **values: object) -> str:
        """Return the message that English words alike but that means this context."""
        text = self._translations.pgettext(context, message)
        return text.format(**values) if values else text

    def ngettext(self, singular: str, plural: str, n: int, /, **values: object) -> str:
        """Return the plural form for ``n``, filled in with ``n`` too."""
        return self._translations.ngettext(singular, plural, n).format(n=n, **values)

    def join(self, items: Sequence[str]) -> str:
        """Return items as one phrase, as in ``a, b and c``."""
        return cldr.join(items, self.language)

    def date(self, day: date) -> str:
        """Return a day as this language writes it."""
        return cldr.write_date(day, self.language)


class Texts:
    """Hold the catalogues of a site's languages and choose among them.

    Args:
        languages: BCP 47 tags, the default first; at least one.
        folders: folders of the site's own, asked before ours, each laid out as ours is
            (``<language>/LC_MESSAGES/<domain>.mo``). What a catalogue there leaves out is taken from ours,
            then from English.
        domain: name of the catalogues' files.

    Raises:
        SettingsError: a language has no catalogue.

    Attributes:
        languages: as given.
        default: the first of them.
    """

    def __init__(
        self, languages: Sequence[str], *, folders: Sequence[Path] = (), domain: str = "consentkit"
    ) -> None:
        self.languages = tuple(languages)
        self.default = self.languages[0]
        places = (*folders, LOCALE_FOLDER)
        self._catalogues = {
            language: Catalogue(language, _load(language, domain, places)) for language in languages
        }
        self._by_tag = {language.lower(): language for language in reversed(self.languages)}

    def __getitem__(self, language: str) -> Catalogue:
        """Return a language's catalogue; the default's for a language the site doesn't have."""
        return self._catalogues.get(language) or self._catalogues[self.default]

    def choose(
        self, *, page: str | None = None, query: str | None = None, accept_language: str | None = None
    ) -> str:
        """Return the language to speak: the page's own, the query's, the browser's, else the default.

        Args:
            page: the document's ``lang``.
            query: the value of ``?lang=``.
            accept_language: the Accept-Language field, its lines joined by commas; read up to 1,000 bytes.

        Source: RFC 9110 §12.5.4; RFC 4647 §3.4 (lookup).
        """
        for tag in (page, query):
            found = self.match(tag) if tag else None
            if found:
                return found
        for tag in parse_accept_language(accept_language or ""):
            found = self.default if tag == "*" else self.match(tag)
            if found:
                return found
        return self.default

    def match(self, tag: str) -> str | None:
        """Return the site's language for a tag, shortened subtag by subtag; None when there is none.

        Source: RFC 4647 §3.4.
        """
        wanted = tag.strip().replace("_", "-").lower() if len(tag) <= _MAX_TAG_LENGTH else ""
        while wanted:
            if wanted in self._by_tag:
                return self._by_tag[wanted]
            wanted = wanted.rpartition("-")[0]
        base = tag.partition("-")[0].strip().lower()
        return next((own for own in self.languages if own.partition("-")[0].lower() == base), None)


def parse_accept_language(field: str) -> list[str]:
    """Return the language ranges of an Accept-Language field, best first, ``*`` among them.

    Ranges of weight 0 and malformed ones are left out; at most 20 ranges of 1,000 bytes are read.

    Source: RFC 9110 §12.4.2 and §12.5.4.
    """
    weighted = []
    for text in field[:_MAX_ACCEPT_BYTES].split(",")[:_MAX_ACCEPT_RANGES]:
        match = _RANGE.fullmatch(text)
        weight = float(match[2] or 1) if match else 0.0
        if match and 0 < weight <= 1:
            weighted.append((weight, match[1]))
    weighted.sort(key=lambda pair: -pair[0])  # stable: the order given decides between equal weights
    return [tag for _, tag in weighted]


def _load(language: str, domain: str, places: Iterable[Path]) -> gettext.NullTranslations:
    found = _catalogues(language, domain, places)
    if not found:
        raise SettingsError(
            "site.languages",
            f"{language!r} has no catalogue",
            f"put <language>/LC_MESSAGES/{domain}.mo into the site's folder of catalogues",
        )
    chain = [*found, *_catalogues("en", domain, (LOCALE_FOLDER,))]
    for upper, lower in pairwise(chain):
        upper.add_fallback(lower)
    return chain[0]


def catalogue_files(language: str, domain: str, places: Iterable[Path]) -> list[str]:
    """Return the compiled catalogues of a language, in the order in which they are asked."""
    files: list[str] = []
    for place in places:
        files += gettext.find(domain, str(place), [language.replace("-", "_")], all=True)
    return files


def _catalogues(language: str, domain: str, places: Iterable[Path]) -> list[gettext.GNUTranslations]:
    loaded = []
    for file in catalogue_files(language, domain, places):
        # Read anew and not through gettext.translation, which caches objects that add_fallback then changes.
        with Path(file).open("rb") as stream:
            try:
                loaded.append(gettext.GNUTranslations(stream))
            except (OSError, ValueError, struct.error):  # what gettext raises, by where a file is broken
                raise SettingsError(
                    "site.catalogues", f"the catalogue of {language!r} is broken", "`pybabel compile` makes one"
                ) from None
    return loaded
