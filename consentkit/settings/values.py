"""Checks of one value each: hosts, networks, languages, days, names of cookies.

Owns what a single value may look like and how its fault is told. What two settings say together is left to
the table they stand in. Every check is linear in the value's length and raises SettingsError with the key as
given; a caller prefixes the table's path.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import TypeAlias

from consentkit.errors import SettingsError

Text: TypeAlias = str | Mapping[str, str]
"""A text in one language, or one for each language, as ``{"lv" = "…", "en" = "…"}``."""

MAX_DAYS = 36_500  # a century: past it, dates overflow, and no promise to delete means anything

# The EU (TEU art. 52, as of 2020-02-01), and of the EEA Iceland, Liechtenstein and Norway.
EEA = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split()  # noqa: SIM905 - a line, not a page
)

# The part of RFC 5646 §2.1 that names languages of sites: language, script, region.
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")  # RFC 1123 §2.1, and the underscore that providers use
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 6265bis §4.1.1 cookie-name = RFC 9110 §5.6.2 token
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def quoted(text: str) -> str:
    """Return a value as it may stand in a message: quoted, escaped, at most 60 characters of it."""
    return json.dumps(text if len(text) <= 60 else text[:59] + "…", ensure_ascii=not text.isprintable())


def shown(name: str) -> str:
    """Return a key's name as it may stand in a message: bare where TOML allows that, else quoted."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) else quoted(name)


def require_line(key: str, text: str) -> None:
    """Require a text of one line without control characters, which would break pages and log lines."""
    if _CONTROL.search(text):
        raise SettingsError(key, "holds a line break or another control character", "a text of one line")


def require_text(key: str, text: Text) -> None:
    """Require a line of text, or a table of lines by language of which none is empty."""
    if isinstance(text, str):
        require_line(key, text)
        return
    if not text:
        raise SettingsError(key, "is an empty table", 'a text, or texts by language, as { lv = "…", en = "…" }')
    for language, line in text.items():
        place = f"{key}.{shown(language)}"
        require_language(place, language)
        require_line(place, line)
        if not line.strip():
            raise SettingsError(place, "is empty", "write the text or leave the language out")


def require_filled(key: str, text: Text) -> None:
    """Require a text that says something."""
    require_text(key, text)
    if isinstance(text, str) and not text.strip():
        raise SettingsError(key, "is missing or empty", "visitors are shown it, so it must be written")


def require_number(key: str, number: int, *, least: int, most: int, unit: str = "days") -> None:
    """Require a whole number between two bounds, both allowed."""
    if not least <= number <= most:
        side = f"less than {least}" if number < least else f"more than {most}"
        raise SettingsError(key, f"is {side} {unit}", f"{least} to {most}")


def require_language(key: str, tag: str) -> None:
    """Require a language tag in its canonical form (RFC 5646 §2.1, formatted as in §2.1.1)."""
    if not _LANGUAGE.fullmatch(tag):
        raise SettingsError(key, f"{quoted(tag)} is no language tag", 'BCP 47, as "lv", "pt-BR" or "sr-Latn"')


def require_country(key: str, code: str) -> None:
    """Require the form of an ISO 3166-1 alpha-2 code; whether such a state exists is not checked."""
    if not re.fullmatch(r"[A-Z]{2}", code):
        raise SettingsError(key, f"{quoted(code)} is no country code", 'ISO 3166, two capitals, as "LV"')


def require_host(key: str, host: str, *, wildcard: bool = False) -> None:
    """Require a plain host in lower-case ASCII: no scheme, port or path; ``*.`` before it if allowed."""
    example = '"stats.example.lv" or "*.example.lv"' if wildcard else '"example.lv"'
    allowed = f"a host such as {example}, without scheme, port or path"
    if not host.isascii():
        raise SettingsError(key, f"{quoted(host)} is not ASCII", 'the form with "xn--" that DNS uses')
    bare = host.lower().removeprefix("*.") if wildcard else host.lower()
    if len(bare) > 253 or not _HOST.fullmatch(bare):
        raise SettingsError(key, f"{quoted(host)} is no plain host", allowed)
    if host != host.lower():  # hosts are compared as bytes
        raise SettingsError(key, f"{quoted(host)} has capitals", f"write {quoted(host.lower())}")


def require_domain(key: str, domain: str) -> None:
    """Require a domain that a cookie's Domain attribute may name (RFC 6265bis §5.6.3)."""
    if domain.startswith("."):
        raise SettingsError(key, f"{quoted(domain)} begins with a dot", f"write {quoted(domain.lstrip('.'))}")
    require_host(key, domain)
    if "." not in domain or domain.rpartition(".")[2].isdigit():
        raise SettingsError(key, f"{quoted(domain)} is no domain of a site", 'one such as "example.lv"')


def require_path(key: str, path: str) -> None:
    """Require a URL path from the root, without what would end or split a header or a query."""
    if not path.startswith("/"):
        raise SettingsError(key, f"{quoted(path)} does not begin with a slash", f"write {quoted('/' + path)}")
    if not path.isascii() or not path.isprintable() or any(c in path for c in " ;?#\\\"'<>"):
        raise SettingsError(key, f"{quoted(path)} holds what no path may", "letters, digits and -._~%/")


def require_cookie_name(key: str, name: str) -> None:
    """Require a cookie's name (RFC 6265bis §4.1.1)."""
    if not _TOKEN.fullmatch(name) or "*" in name or len(name) > 128:
        raise SettingsError(
            key, f"{quoted(name)} is no cookie name", "1 to 128 letters, digits and -_. without wildcards"
        )


def require_name_glob(key: str, glob: str) -> None:
    """Require a cookie's or storage key's name, in which ``*`` and ``?`` stand for any characters."""
    if not _TOKEN.fullmatch(glob.replace("?", "*")) or len(glob) > 128:
        raise SettingsError(
            key,
            f"{quoted(glob)} is no name",
            '1 to 128 characters of a cookie\'s name, "*" and "?", as "_ga_*"',
        )
    if glob.count("*") > 4:  # each further star multiplies the work of a match
        raise SettingsError(key, f'{quoted(glob)} has more than 4 "*"', "at most 4")


def require_proxy(key: str, text: str) -> None:
    """Require an address or network of one's own proxies, or ``unix`` for a peer without address.

    A network of everyone is refused: any client could then write its own address.
    """
    allowed = 'an address or network, as "10.0.0.0/8" or "2001:db8::/32", or "unix" for a Unix socket'
    if text == "unix":
        return
    try:
        written = ipaddress.ip_interface("0.0.0.0/0" if text == "*" else text)
    except ValueError:
        raise SettingsError(key, f"{quoted(text)} is no address or network", allowed) from None
    network = written.network
    if network.prefixlen == 0:
        raise SettingsError(
            key, f"{quoted(text)} would believe every client about its own address", "name your proxies alone"
        )
    if "%" in text:
        raise SettingsError(key, f"{quoted(text)} names an interface", allowed)
    if written.ip != network.network_address:
        raise SettingsError(key, f"{quoted(text)} has bits set beyond its prefix", f'the network is "{network}"')
    if isinstance(written, ipaddress.IPv6Interface) and written.ip.ipv4_mapped is not None:
        raise SettingsError(key, f"{quoted(text)} is an IPv4 network written as IPv6", "its IPv4 form")
