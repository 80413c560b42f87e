"""What the site says, in each language: read once from `texts/`, a file a language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final, TypeAlias

Texts: TypeAlias = Mapping[str, object]
"""Nested tables of texts, as they stand in a language's file."""

LANGUAGES: Final = ("lv", "ru", "en", "et", "lt")
"""The site's languages; the first is the default."""

_DIRECTORY: Final = Path(__file__).parent / "texts"


def load_texts() -> dict[str, Texts]:
    """Return the texts of all languages by language tag.

    Raises:
        OSError: a file is missing.
        tomllib.TOMLDecodeError: a file is not TOML.
    """
    return {
        language: tomllib.loads((_DIRECTORY / f"{language}.toml").read_text(encoding="utf-8"))
        for language in LANGUAGES
    }


def preferred_language(accept_language: str) -> str:
    """Return the site's language that a browser likes best, or the default.

    Only the first 20 ranges count. Of a range such as `ru-LV` the language alone is looked at; a weight that
    is no number counts as 0.

    Source: RFC 9110 §12.5.4.
    """
    best, best_weight = LANGUAGES[0], 0.0
    for part in accept_language.split(",", 20)[:20]:
        tag, _, parameter = part.strip().partition(";")
        language = tag.partition("-")[0].strip().lower()
        weight = _weight(parameter)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def format_price(cents: int, pattern: str) -> str:
    """Return an amount of euro cents as `pattern` writes it, with `{euros}` and two digits of `{cents}`."""
    euros, rest = divmod(cents, 100)
    return pattern.format(euros=euros, cents=f"{rest:02d}")


def format_date(day: date, pattern: str) -> str:
    """Return a day as the `strftime` pattern of a language writes it."""
    return day.strftime(pattern).removeprefix("0") if "%B" in pattern else day.strftime(pattern)


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
