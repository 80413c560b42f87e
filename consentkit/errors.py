"""The errors consentkit raises: one root, so that a caller can catch all of them by one name.

An error carries its data as attributes and never a header value, a cookie, a URL, an address or a secret:
messages end up in logs that nobody encrypts.
"""

from __future__ import annotations


class ConsentKitError(Exception):
    """Stand at the root of every error that consentkit raises on purpose."""


class SettingsError(ConsentKitError):
    """Refuse a setting.

    Attributes:
        key: dotted path of the setting, as in ``requestlog.rotate`` or ``consent.cookies[2].category``.
        fault: what is wrong with the value, in words; never the value of a secret.
        allowed: what may stand there, or the way out; empty when the fault says it all.
    """

    def __init__(self, key: str, fault: str, allowed: str = "", *, source: str = "") -> None:
        self.key = key
        self.fault = fault
        self.allowed = allowed
        self.source = source
        where = f"{source}: " if source else ""
        super().__init__(f"{where}{key}: {fault}" + (f"; {allowed}" if allowed else ""))


class KeyUnavailable(ConsentKitError):
    """Report a key that is missing, damaged, or that none of the given secrets opens.

    Attributes:
        name: the key's name in the keys folder, as in ``root`` or ``period/2026-11-23.1``.
        reason: why it can't be had, and the way out.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"key {name}: {reason}")


class StorageError(ConsentKitError):
    """Report storage that can't be read or written.

    Attributes:
        place: the directory or file, or the backend's name without its password.
        reason: the fault and the way out.
    """

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class BadSearch(ConsentKitError):
    """Refuse a filter of a search.

    Attributes:
        name: the filter's name, as in ``since``.
        reason: what is wrong and what is allowed.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{name}: {reason}")
