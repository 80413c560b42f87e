"""The whole of the settings: the file, the environment over it, and the frozen result.

Owns finding and reading ``consentkit.toml``. No other file is read, and nothing is made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from consentkit.errors import SettingsError
from consentkit.settings.convert import build
from consentkit.settings.environment import overlay
from consentkit.settings.policy import ConsentPolicy
from consentkit.settings.requestlog import RequestLog
from consentkit.settings.site import Recipient, Site
from consentkit.settings.storage import Keep, Storage

CONFIG_VARIABLE = "CONSENTKIT_CONFIG"
DEFAULT_DIRECTORY = "var/consentkit"

_TABLES: dict[str, type[msgspec.Struct]] = {
    "site": Site,
    "storage": Storage,
    "requestlog": RequestLog,
    "consent": ConsentPolicy,
    "keep": Keep,
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold every setting, checked; without arguments, the defaults.

    Source: docs/settings.md, which lists each with its reason.
    """

    site: Site = msgspec.field(default_factory=Site)
    storage: Storage = msgspec.field(default_factory=Storage)
    requestlog: RequestLog = msgspec.field(default_factory=RequestLog)
    consent: ConsentPolicy = msgspec.field(default_factory=ConsentPolicy)
    recipients: tuple[Recipient, ...] = ()
    keep: Keep = msgspec.field(default_factory=Keep)

    @classmethod
    def load(cls, path: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings file, lay the environment over it, and check all of it.

        Args:
            path: the TOML file; None = the one that ``CONSENTKIT_CONFIG`` names, else none: defaults alone.
            environ: the environment; None = that of this process.

        Raises:
            SettingsError: for a file that can't be read or is no TOML, and for the first bad setting.
        """
        environ = os.environ if environ is None else environ
        file = path or environ.get(CONFIG_VARIABLE)
        if not file:
            return cls.from_mapping({}, environ=environ)
        return cls.from_mapping(
            _read_toml(Path(file)), base=Path(file).absolute().parent, environ=environ, source=str(file)
        )

    @classmethod
    def from_mapping(
        cls,
        data: Mapping[str, object],
        *,
        base: Path | None = None,
        environ: Mapping[str, str] | None = None,
        source: str = "",
    ) -> Self:
        """Check settings that are at hand as tables.

        Args:
            data: tables as in ``consentkit.toml``, as ``{"site": {"operator": "…"}}``.
            base: the folder that relative paths begin from; None = the working directory.
            environ: variables to lay over them; None = none, the process's own are not looked at.
            source: what to call the settings in an error, as the file's name.

        Raises:
            SettingsError: for the first bad setting; its key is the variable's name where one gave it.
        """
        merged, variables = overlay(data, _TABLES, environ or {})
        base = (base or Path()).absolute()
        try:
            return build(cls, _with_directory(merged), key="", base=base)
        except SettingsError as error:
            raise _name_origin(error, variables, source) from None


def _with_directory(data: dict[str, object]) -> dict[str, object]:
    """Write the default directory out, so that it too begins from the settings file's folder."""
    storage = data.get("storage", {})
    if isinstance(storage, Mapping) and storage.get("directory", "") == "":
        return {**data, "storage": {**storage, "directory": DEFAULT_DIRECTORY}}
    return data


def _name_origin(error: SettingsError, variables: Mapping[str, str], source: str) -> SettingsError:
    setting, bracket, index = error.key.partition("[")
    if setting in variables:
        return SettingsError(
            variables[setting] + bracket + index, error.fault, error.allowed, source="environment"
        )
    return SettingsError(error.key or "settings", error.fault, error.allowed, source=source)


def _read_toml(file: Path) -> dict[str, object]:
    import tomllib  # noqa: PLC0415 - a worker without a file need not load it

    name = str(file)
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise SettingsError(name, "no such file", "`consentkit init` writes one") from None
    except OSError as error:
        raise SettingsError(name, f"can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SettingsError(name, f"is not UTF-8 (byte {error.start + 1})", "TOML is UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(name, f"is not TOML: {error}") from None
