"""Consent enforced by the server, and a technical request log that keeps its promises, for ASGI sites.

    app = ConsentKit("consentkit.toml").wrap(app)

Names are loaded when they are asked for: the ingester and the command line are processes of their own, and
import the rooms they need without the ones that serve pages.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentkit.admin.staff import Staff as Staff
    from consentkit.consent.choice import Consent as Consent
    from consentkit.consent.signals import Signal as Signal
    from consentkit.errors import ConsentKitError as ConsentKitError
    from consentkit.errors import KeyUnavailable as KeyUnavailable
    from consentkit.errors import SettingsError as SettingsError
    from consentkit.errors import StorageError as StorageError
    from consentkit.kit import ConsentKit as ConsentKit
    from consentkit.kit import ConsentKitMiddleware as ConsentKitMiddleware
    from consentkit.settings import Settings as Settings
    from consentkit.visitor.endpoints import exempt as exempt
    from consentkit.visitor.endpoints import requires_consent as requires_consent

_HOMES = {
    "Consent": "consentkit.consent.choice",
    "ConsentKit": "consentkit.kit",
    "ConsentKitError": "consentkit.errors",
    "ConsentKitMiddleware": "consentkit.kit",
    "KeyUnavailable": "consentkit.errors",
    "Settings": "consentkit.settings",
    "SettingsError": "consentkit.errors",
    "Signal": "consentkit.consent.signals",
    "Staff": "consentkit.admin.staff",
    "StorageError": "consentkit.errors",
    "exempt": "consentkit.visitor.endpoints",
    "requires_consent": "consentkit.visitor.endpoints",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - the names of _HOMES, which a type checker sees above


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
