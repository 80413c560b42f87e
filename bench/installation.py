"""A site's settings for a measurement: one of each kind of cookie, and a log of its own."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_SETTINGS: Final = """\
[site]
operator = "Example Ltd"
contact = "privacy@example.org"
storage_region = "LV"
[storage]
directory = "data"
keys = "keys"
[consent]
inject = "{inject}"
presets = ["starlette"]
[[consent.cookies]]
name = "theme"
category = "preferences"
purpose = "Remembers light or dark"
provider = "Example Ltd"
lifetime_days = 365
[[consent.cookies]]
name = "visits_*"
category = "statistics"
purpose = "Counts visits"
provider = "Example Ltd"
lifetime_days = 30
"""


def make_installation(folder: Path, *, inject: str = "auto") -> Path:
    """Make a folder with a settings file and return the file; data and keys will lie beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "consentkit.toml"
    path.write_text(_SETTINGS.format(inject=inject), encoding="utf-8")
    return path


def environ_of(settings_file: Path) -> dict[str, str]:
    """Return the environment that a worker of this installation needs, with a secret of its own."""
    return {"CONSENTKIT_CONFIG": str(settings_file), "CONSENTKIT_SECRET": secrets.token_urlsafe(32)}
