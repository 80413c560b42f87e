"""Where data is kept and for how long what outlives the requests: the tables ``[storage]`` and ``[keep]``."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from consentkit.errors import SettingsError
from consentkit.settings import values

_NOT_GIVEN = Path()  # stands for the text "", which TOML has in place of nothing


class Storage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say where data and keys are kept; both become absolute paths, and nothing is read or made.

    ``keys`` is ``<directory>-keys`` when not given. It may not lie inside ``directory``: a backup of the data
    must hold no key, or destroying a key would destroy nothing. ``url`` and ``requests_url`` may hold a
    password, so neither is ever printed, not by ``repr`` either.
    """

    directory: Path = Path("var/consentkit")
    keys: Path = _NOT_GIVEN
    url: str = ""
    requests_url: str = ""

    def __post_init__(self) -> None:
        directory = _absolute(self.directory)
        beside = directory.with_name(f"{directory.name}-keys") if directory.name else _NOT_GIVEN
        keys = beside if self.keys == _NOT_GIVEN else _absolute(self.keys)
        if not directory.name:
            raise SettingsError("directory", "is the root of the file system", "a folder of its own")
        if keys == directory or directory in keys.parents:
            raise SettingsError(
                "keys",
                "lies in storage.directory: a backup of the data would hold the keys, destroyed ones too",
                "a folder beside it, in production on another volume",
            )
        msgspec.structs.force_setattr(self, "directory", directory)
        msgspec.structs.force_setattr(self, "keys", keys)
        _require_scheme("url", self.url, "postgresql://")
        _require_scheme("requests_url", self.requests_url, "clickhouse://")

    def __repr__(self) -> str:
        """Show the places and whether URLs are set, never the URLs."""
        return f"Storage({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return what ``repr`` and rich may show."""
        return [
            ("directory", str(self.directory)),
            ("keys", str(self.keys)),
            ("url", "(set)" if self.url else ""),
            ("requests_url", "(set)" if self.requests_url else ""),
        ]


class Keep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say for how many days each kind of data that outlives the requests is kept."""

    audit: int = 730
    proof: int = 1095
    incident_review: int = 90

    def __post_init__(self) -> None:
        for key in self.__struct_fields__:
            values.require_number(key, getattr(self, key), least=1, most=values.MAX_DAYS)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would read the file system


def _require_scheme(key: str, url: str, scheme: str) -> None:
    if url and (not url.startswith(scheme) or len(url) == len(scheme)):
        raise SettingsError(key, f"does not begin with {scheme}", f"{scheme}… or nothing")
    if url and (not url.isprintable() or " " in url):
        raise SettingsError(key, "holds a space or a control character", "percent-encode it")
