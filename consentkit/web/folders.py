"""The site's own folders of templates and catalogues, whose files go before ours.

Owns that they are there. What a file in them replaces is `templates`' and `texts`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from consentkit.settings import Settings


def template_folders(settings: Settings) -> tuple[Path, ...]:
    """Return the site's own folder of templates, if it has one.

    Raises:
        SettingsError: it is named and is not there.
    """
    return _folder("site.templates", settings.site.templates)


def catalogue_folders(settings: Settings) -> tuple[Path, ...]:
    """Return the site's own folder of catalogues, if it has one.

    Raises:
        SettingsError: it is named and is not there.
    """
    return _folder("site.catalogues", settings.site.catalogues)


def _folder(key: str, path: Path | None) -> tuple[Path, ...]:
    if path is None:
        return ()
    if not path.is_dir():
        raise SettingsError(
            key, "is no folder that can be read", "the path of one, from the settings file's folder"
        )
    return (path,)
