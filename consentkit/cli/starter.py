"""The text of the settings file that ``consentkit init`` writes.

Owns its words and that what was answered stands in it as TOML. Checking the answers is left to the settings.
"""

from __future__ import annotations

import json
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEXT = Template("""\
# Settings of consentkit. Every setting, with its default and its reason: docs/settings.md.
# `consentkit check` says what this file means. Paths begin from this file's folder.

[site]
operator = $operator  # who runs the site, as visitors are told
contact = $contact  # where visitors ask about their data
languages = $languages  # of banner and pages; the first is the default
# authority = "LV"  # takes complaints: "LV", "EE", "LT", or { name = "…", url = "https://…" }
# storage_region = "LV"  # the state whose data centre holds the data; visitors are told

[storage]
directory = "var/consentkit"  # all data, encrypted
# keys = "/another/volume/consentkit-keys"  # default: beside the data; never in a backup of it

[requestlog]
rotate = "day"  # each day has its own key; "hour" deletes in smaller steps
retention_days = 90  # then the day's key is destroyed, which reaches backups too
truncate_ip_after_days = 30  # addresses become IPv4 /24 and IPv6 /48; without this line, never
trusted_proxies = []  # your own proxies, as ["10.0.0.0/8"], or "unix"; else their addresses are logged
exclude_paths = []  # counted, not recorded, as ["/health"]

[consent]
presets = ["starlette"]  # your framework's own necessary cookies
# undeclared = "block"  # drop cookies that stand nowhere below; "report" lists them

# What your pages set or load beyond the necessary. Categories: preferences, statistics, marketing.
# [[consent.cookies]]
# name = "theme"
# category = "preferences"
# purpose = { lv = "Atceras gaišo vai tumšo izskatu", en = "Remembers light or dark" }
# lifetime_days = 365

# [[consent.services]]
# use = "matomo"
# hosts = ["stats.example.lv"]
""")


def starter_text(*, operator: str, contact: str, languages: Sequence[str]) -> str:
    """Return a commented settings file.

    Args:
        operator: who runs the site; empty where it isn't known yet.
        contact: an address for questions about data; likewise.
        languages: BCP 47 tags, the default first.
    """
    return _TEXT.substitute(
        operator=_toml(operator), contact=_toml(contact), languages=f"[{', '.join(map(_toml, languages))}]"
    )


def _toml(text: str) -> str:
    """Return a TOML basic string: JSON's, with DEL escaped as well (TOML 1.0, String)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
