"""What the guard in the browser refuses: the names that are declared, and what each of them needs.

Owns that list's form; the rules for names are the registry's, and `static/guard.js` follows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from consentkit.consent.registry import Registry


def guarded(registry: Registry) -> str:
    """Return the declared names as JSON: rows of name or glob, category, service, and what happens on refusal.

    Necessary ones stand in it too, since of several declarations that match a name one alone counts. Cookies on
    other domains don't: no script of this page reaches them.
    """
    cookies = [
        (cookie.name, cookie.category, cookie.service, cookie.on_refusal)
        for cookie in registry.cookies
        if not cookie.third_party
    ]
    keys = [
        (key, service.category, service.id, "drop")
        for service in registry.services
        for key in service.storage_keys
    ]
    return msgspec.json.encode({"cookies": cookies, "keys": keys}).decode("utf-8")
