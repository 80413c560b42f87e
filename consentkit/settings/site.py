"""What visitors are told about the site: the tables ``[site]`` and ``[[recipients]]``."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import ClassVar

import msgspec

from consentkit.errors import SettingsError
from consentkit.settings import values
from consentkit.settings.values import Text


class Authority(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name the supervisory authority that takes complaints (GDPR art. 13(2)(d)), with its web address."""

    name: str
    url: str

    def __post_init__(self) -> None:
        values.require_filled("name", self.name)
        _require_web_address("url", self.url)


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say who runs the site, where our pages stand, and where the data is kept.

    ``authority`` is the code of a state whose authority is known (``LV``, ``EE``, ``LT``), an Authority, or
    empty. ``privacy_url`` is the operator's own policy, about what else the site does.
    ``wind_down_days`` after ``service_ended`` everything but holds is destroyed. Languages are BCP 47 tags, the
    default first. ``templates`` and ``catalogues`` are folders of the site's own, whose files go before
    ours. ``storage_region`` is an ISO 3166 code; empty = not said, and visitors are told so: no default can know
    where a server stands.
    """

    KNOWN_AUTHORITIES: ClassVar[tuple[str, ...]] = ("LV", "EE", "LT")

    operator: str = ""
    contact: str = ""
    registration: str = ""
    address: str = ""
    dpo: str = ""
    authority: str | Authority = ""
    privacy_url: str = ""
    languages: tuple[str, ...] = ("lv", "ru", "en", "et", "lt")
    mount: str = "/consentkit"
    templates: Path | None = None
    catalogues: Path | None = None
    storage_region: str = ""
    storage_transfer: str = ""
    service_ended: date | None = None
    wind_down_days: int = 90

    def __post_init__(self) -> None:
        for key in ("operator", "contact", "registration", "address", "dpo", "storage_transfer"):
            values.require_line(key, getattr(self, key))
        if isinstance(self.authority, str) and self.authority not in ("", *self.KNOWN_AUTHORITIES):
            raise SettingsError(
                "authority",
                f"{values.quoted(self.authority)} is not known",
                '"LV", "EE", "LT", or { name = "…", url = "https://…" }',
            )
        if self.privacy_url:
            _require_web_address("privacy_url", self.privacy_url)
        _require_languages(self.languages)
        _require_mount(self.mount)
        if self.storage_region:
            _require_safeguard(self.storage_region, self.storage_transfer)
        # Three months, the longest the clients were promised, are at most 92 days.
        values.require_number("wind_down_days", self.wind_down_days, least=0, most=92)


class Recipient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name one who receives personal data, and from when until when (GDPR art. 13(1)(e), 15(1)(c)).

    ``until`` is the last day. ``transfer`` is the safeguard for a ``country`` outside the EEA (GDPR art.
    13(1)(f)).
    """

    name: str
    country: str
    role: Text = ""
    purpose: Text = ""
    basis: Text = ""
    data: Text = ""
    url: str = ""
    since: date | None = None
    until: date | None = None
    transfer: Text = ""

    def __post_init__(self) -> None:
        values.require_filled("name", self.name)
        for key in ("role", "purpose", "basis", "data", "transfer"):
            values.require_text(key, getattr(self, key))
        values.require_country("country", self.country)
        if self.url:
            _require_web_address("url", self.url)
        if self.country not in values.EEA and not self.transfer:
            raise SettingsError(
                "country",
                f"{values.quoted(self.country)} lies outside the EU and the EEA",
                "name the safeguard in transfer (GDPR art. 44 to 49)",
            )
        if self.since and self.until and self.until < self.since:
            raise SettingsError("until", "lies before since", "the last day on which data was received")


def _require_safeguard(region: str, safeguard: str) -> None:
    values.require_country("storage_region", region)
    if region not in values.EEA and not safeguard.strip():
        raise SettingsError(
            "storage_region",
            f"{values.quoted(region)} lies outside the EU and the EEA",
            "name the safeguard in storage_transfer (GDPR art. 44 to 49)",
        )


def _require_languages(languages: tuple[str, ...]) -> None:
    if not languages:
        raise SettingsError("languages", "is empty", 'at least one, the default first, as ["lv", "en"]')
    for index, tag in enumerate(languages):
        values.require_language(f"languages[{index}]", tag)
        if tag in languages[:index]:
            raise SettingsError(f"languages[{index}]", f"{values.quoted(tag)} stands twice", "each one once")


def _require_mount(mount: str) -> None:
    values.require_path("mount", mount)
    if mount == "/":
        raise SettingsError("mount", "would take the whole site", 'a path of its own, as "/consentkit"')
    if mount.endswith("/"):
        raise SettingsError("mount", "ends with a slash", f"write {values.quoted(mount.rstrip('/') or '/…')}")
    if "//" in mount or "." in mount.split("/") or ".." in mount.split("/") or "%" in mount:
        raise SettingsError("mount", "is not a plain path", 'segments of letters and digits, as "/consentkit"')


def _require_web_address(key: str, url: str) -> None:
    values.require_line(key, url)
    if not url.startswith(("https://", "http://")) or " " in url or "@" in url.split("/", 3)[2]:
        raise SettingsError(key, "is no web address", "https://… without user or password")
