"""The visitor's templates, ready to render.

Owns Jinja's set-up and the names every template may use. What a template is given is its caller's: small frozen
views, no settings and no requests.

Jinja is imported with the first page: no start waits for it, and a worker that shows none does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consentkit.web import assets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jinja2 import Environment

    from consentkit.web.texts import Catalogue


class Templates:
    """Render templates in a visitor's language.

    Args:
        folders: the site's own folders, asked before ours: a file there of the same name replaces ours.
    """

    __slots__ = ("_environment", "_folders")

    def __init__(self, *, folders: Sequence[Path] = ()) -> None:
        self._folders = (*folders, assets.find_folder("templates"))
        self._environment: Environment | None = None

    def render(self, name: str, say: Catalogue, **views: object) -> str:
        """Return ``consentkit/<name>`` rendered.

        Templates see the views, ``language``, and ``_``, ``pgettext`` and ``ngettext`` of the catalogue.
        """
        if self._environment is None:
            self._environment = _environment(self._folders)
        return self._environment.get_template(f"consentkit/{name}").render(
            views,
            _=say.gettext,
            pgettext=say.pgettext,
            ngettext=say.ngettext,
            language=say.language,
        )


def _environment(folders: Sequence[Path]) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - see above

    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=64,
    )
