"""Cookies that are in use and that nobody declared, each with a declaration to paste.

Owns what counts as undeclared now, and the TOML. Names come from outside: they are written so that they mean
themselves and nothing else.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from consentkit.consent.catalogue import known_presets, known_services, read_preset, read_service
from consentkit.consent.globs import GlobMatcher
from consentkit.consent.inventory import Sighting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consentkit.consent.inventory import Inventory
    from consentkit.consent.registry import Registry

Source: TypeAlias = Literal["server", "browser"]

# What `settings.values` takes as a name that stands for itself.
_DECLARABLE: Final = re.compile(r"[!#$%&'+\-.^_`|~0-9A-Za-z]{1,128}")


class Undeclared(msgspec.Struct, frozen=True):
    """One cookie that nobody declared.

    Attributes:
        name: as it came; hostile.
        source: ``server`` = the app sets it, ``browser`` = it only comes from browsers, so a script or another
            host of the domain sets it.
        sighting: when.
        known: how the catalogue has it, as ``use = "matomo"``; empty = not at all.
        declaration: TOML to paste; empty where the name is none that can be declared.
    """

    name: str
    source: Source
    sighting: Sighting
    known: str
    declaration: str


def undeclared(inventory: Inventory, registry: Registry) -> list[Undeclared]:
    """Return what was met and is declared nowhere in the settings as they stand now, server-set ones first."""
    server, browser = inventory.of("undeclared"), inventory.of("brought")
    met: list[tuple[str, Source, Sighting]] = [(name, "server", found) for name, found in server.items()]
    met += [(name, "browser", found) for name, found in browser.items() if name not in server]
    entries = _catalogue() if met else []
    return [
        Undeclared(name, source, sighting, known := _known(name, entries), declaration(name, known))
        for name, source, sighting in sorted(met, key=lambda one: (one[1] != "server", one[0]))
        if registry.find(name.encode("utf-8")) is None
    ]


def declaration(name: str, known: str = "") -> str:
    """Return TOML that declares a cookie; empty where no settings can.

    Args:
        name: hostile.
        known: how the catalogue has it, as ``use = "matomo"``.
    """
    if not _DECLARABLE.fullmatch(name):
        return ""
    if known.startswith("use"):
        return f"[[consent.services]]\n{known}\n"
    if known:
        return f"# in [consent], with those that stand there:  {known}\n"
    return (
        "[[consent.cookies]]\n"
        f"name = {json.dumps(name)}\n"
        'category = ""        # "necessary", "preferences", "statistics" or "marketing"\n'
        'purpose = ""         # what it is for; visitors read it\n'
        "# lifetime_days = 30  # without it, until the browser closes\n"
    )


def _catalogue() -> list[tuple[str, GlobMatcher]]:
    return list(_entries())


def _entries() -> Iterator[tuple[str, GlobMatcher]]:
    for use in known_services():
        service = read_service(use, key="catalogue")
        names = [cookie.name for cookie in service.cookies if not cookie.third_party]
        yield f"use = {json.dumps(use)}", GlobMatcher(names)
    for name in known_presets():
        preset = read_preset(name, key="catalogue")
        yield f"presets = [{json.dumps(name)}]", GlobMatcher([cookie.name for cookie in preset.cookies])


def _known(name: str, entries: list[tuple[str, GlobMatcher]]) -> str:
    raw = name.encode("utf-8")
    return next((entry for entry, matcher in entries if matcher.first(raw) >= 0), "")
