"""What needs consent and how it is asked: the tables ``[consent]``, its cookies and its services.

Owns their shape. Names from the catalogue (``presets``, ``use``) are looked up by the consent registry.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from consentkit.errors import SettingsError
from consentkit.settings import values
from consentkit.settings.values import Text

SIGNALS = ("google", "matomo")
CATEGORIES = ("necessary", "preferences", "statistics", "marketing")

_CATEGORIES_IN_WORDS = '"necessary", "preferences", "statistics" or "marketing"'
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class CookieSetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Declare a cookie, or all cookies whose names a glob matches whole and case-sensitively.

    ``lifetime_days`` None = until the browser closes. ``on_refusal`` says what happens to the cookie while
    its category is not granted. In a service's own list, an empty category, purpose or provider is the
    service's; elsewhere an empty provider is the operator.
    """

    name: str
    category: str = ""
    purpose: Text = ""
    provider: str = ""
    lifetime_days: int | None = None
    on_refusal: Literal["drop", "session"] = "drop"
    path: str = "/"
    domain: str = ""

    def __post_init__(self) -> None:
        values.require_name_glob("name", self.name)
        if self.category:
            _require_category(self.category)
        values.require_text("purpose", self.purpose)
        values.require_line("provider", self.provider)
        if self.lifetime_days is not None:
            values.require_number("lifetime_days", self.lifetime_days, least=0, most=values.MAX_DAYS)
        if self.on_refusal == "session" and self.category != "preferences":
            # WP29 opinion 04/2012 §3.6 lets a preference last the session, when the visitor asked for it.
            raise SettingsError(
                "on_refusal", '"session" is for cookies of the category "preferences" alone', '"drop"'
            )
        values.require_path("path", self.path)
        if self.domain:
            values.require_domain("domain", self.domain)


class ServiceSetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Declare a service that pages load: one of the catalogue (``use``), changed where told, or one's own.

    One's own needs id, name, provider, category, purpose and at least one of hosts, cookies and storage_keys.
    ``storage_keys`` lists name globs of localStorage and sessionStorage keys.
    """

    use: str = ""
    id: str = ""
    name: str = ""
    provider: str = ""
    category: str = ""
    purpose: Text = ""
    hosts: tuple[str, ...] = ()
    country: str = ""
    privacy_url: str = ""
    cookies: tuple[CookieSetting, ...] = ()
    storage_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in ("use", "id"):
            if getattr(self, key):
                _require_name(key, getattr(self, key))
        if not self.use:
            self._require_whole()
        if self.category:
            _require_category(self.category)
        values.require_text("purpose", self.purpose)
        for key in ("name", "provider"):
            values.require_line(key, getattr(self, key))
        for index, host in enumerate(self.hosts):
            values.require_host(f"hosts[{index}]", host, wildcard=True)
        for index, glob in enumerate(self.storage_keys):
            values.require_name_glob(f"storage_keys[{index}]", glob)
        if self.country:
            values.require_country("country", self.country)
        values.require_line("privacy_url", self.privacy_url)
        if self.privacy_url and not self.privacy_url.startswith("https://"):
            raise SettingsError("privacy_url", "is no secure web address", "https://…")

    def _require_whole(self) -> None:
        missing = [key for key in ("id", "name", "provider", "category", "purpose") if not getattr(self, key)]
        if missing:
            raise SettingsError(
                missing[0],
                "is missing or empty in a service of one's own",
                'write it, or take a known service with use = "…"',
            )
        if not (self.hosts or self.cookies or self.storage_keys):
            raise SettingsError(
                "hosts", "is missing, as are cookies and storage_keys", "at least one of the three"
            )


class ConsentPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say how consent is asked, kept and enforced, and what needs it.

    ``cookie`` is the name without a prefix: ``__Host-`` is put before it on https unless ``cookie_domain``
    is set. ``deny_only`` keeps optional cookies off for everybody and asks nobody; ``position`` is the
    banner's, where there is room for one that stays in sight.
    """

    lifetime_days: int = 184
    undeclared: Literal["report", "block"] = "report"
    inject: Literal["auto", "off"] = "auto"
    cookie: str = "consentkit"
    cookie_domain: str = ""
    deny_only: bool = False
    position: Literal["bottom", "top", "flow"] = "bottom"
    csp: Literal["off", "report", "enforce"] = "off"
    csp_hosts: tuple[str, ...] = ()
    guard: bool = False
    signals: tuple[str, ...] = ()
    presets: tuple[str, ...] = ("starlette",)
    services: tuple[ServiceSetting, ...] = ()
    cookies: tuple[CookieSetting, ...] = ()

    def __post_init__(self) -> None:
        values.require_number("lifetime_days", self.lifetime_days, least=1, most=values.MAX_DAYS)
        _require_plain_cookie(self.cookie)
        if self.cookie_domain:
            values.require_domain("cookie_domain", self.cookie_domain)
        for index, host in enumerate(self.csp_hosts):
            values.require_host(f"csp_hosts[{index}]", host, wildcard=True)
        for index, name in enumerate(self.presets):
            _require_name(f"presets[{index}]", name)
        for index, name in enumerate(self.signals):
            if name not in SIGNALS:
                raise SettingsError(
                    f"signals[{index}]", f"{values.quoted(name)} is not known", '"google", "matomo"'
                )
        _require_distinct("signals", self.signals)
        _require_distinct("services", tuple(service.id or service.use for service in self.services))
        for index, cookie in enumerate(self.cookies):
            if not cookie.category:
                raise SettingsError(f"cookies[{index}].category", "is missing or empty", _CATEGORIES_IN_WORDS)
            values.require_filled(f"cookies[{index}].purpose", cookie.purpose)
        _require_distinct("cookies", tuple(cookie.name for cookie in self.cookies))


def _require_category(category: str) -> None:
    if category not in CATEGORIES:
        raise SettingsError("category", f"{values.quoted(category)} is not known", _CATEGORIES_IN_WORDS)


def _require_name(key: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            key, f"{values.quoted(name)} is no name", 'small letters, digits, "-" and "_", as "matomo"'
        )


def _require_plain_cookie(name: str) -> None:
    if name.lower().startswith(("__host-", "__secure-")):
        raise SettingsError("cookie", "begins with a prefix", "the name alone: __Host- is put before it on https")
    values.require_cookie_name("cookie", name)


def _require_distinct(key: str, names: tuple[str, ...]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise SettingsError(
                f"{key}[{index}]",
                f"{values.quoted(name)} is declared twice",
                f"it stands already in {key}[{names.index(name)}]",
            )
