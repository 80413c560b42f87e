"""The catalogue of known services and of frameworks' own cookies: data in TOML, read by name.

Owns the files' format and the look-up. What the site makes of an entry is left to ``collect``. A file is read
when it is named and not before.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import msgspec

from consentkit.errors import SettingsError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Purposes: TypeAlias = dict[str, str]  # by language tag

StructT = TypeVar("StructT", bound=msgspec.Struct)


class KnownCookie(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Describe one cookie of a file.

    An empty ``category`` is the service's, an empty ``source`` the file's. ``lifetime_days`` is rounded up to
    whole days; without it, the cookie lasts until the browser closes.
    """

    name: str
    purpose: Purposes
    category: str = ""
    lifetime_days: int | None = None
    on_refusal: Literal["drop", "session"] = "drop"
    third_party: bool = False
    source: str = ""


class KnownService(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Describe a file of ``services/``.

    ``self_hosted`` = the operator of the site provides it: provider, country and hosts are the site's.
    """

    id: str
    name: str
    category: str
    purpose: Purposes
    source: str
    provider: str = ""
    country: str = ""
    transfers: tuple[str, ...] = ()
    privacy_url: str = ""
    self_hosted: bool = False
    hosts: tuple[str, ...] = ()
    storage_keys: tuple[str, ...] = ()
    third_party_storage_keys: tuple[str, ...] = ()
    cookies: tuple[KnownCookie, ...] = ()


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Describe a file of ``presets/``: the cookies that a framework sets by itself."""

    id: str
    name: str
    source: str
    cookies: tuple[KnownCookie, ...]


class OwnPurposes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold what consentkit's own three cookies are for, by language."""

    choice: Purposes
    id: Purposes
    session: Purposes


def known_services() -> tuple[str, ...]:
    """Return the names that ``use`` takes, sorted; no file is read."""
    return _names("services")


def known_presets() -> tuple[str, ...]:
    """Return the names that ``presets`` takes, sorted; no file is read."""
    return _names("presets")


def read_service(name: str, *, key: str) -> KnownService:
    """Read a service by name.

    Args:
        name: as in ``use``.
        key: dotted path of the setting that names it, for the error.

    Raises:
        SettingsError: for an unknown name, with the nearest known one.
    """
    _require_known(name, known_services(), kind="service", key=key)
    return _read(f"services/{name}.toml", KnownService)


def read_preset(name: str, *, key: str) -> Preset:
    """Read a preset by name; arguments and error as in ``read_service``."""
    _require_known(name, known_presets(), kind="preset", key=key)
    return _read(f"presets/{name}.toml", Preset)


def read_own_purposes() -> OwnPurposes:
    """Read what consentkit's own cookies are for."""
    return _read("consentkit.toml", OwnPurposes)


def _folder() -> Traversable:
    from importlib.resources import files  # noqa: PLC0415 - heavy, and not each site names an entry

    return files("consentkit").joinpath("catalogue")


def _names(folder: str) -> tuple[str, ...]:
    found = (file.name for file in _folder().joinpath(folder).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def _read(path: str, struct: type[StructT]) -> StructT:
    text = _folder().joinpath(*path.split("/")).read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), struct)


def _require_known(name: str, known: tuple[str, ...], *, kind: str, key: str) -> None:
    # The list, not the file system, decides: a name never becomes a path before it is known.
    if name in known:
        return
    import difflib  # noqa: PLC0415 - for a message that ends the start

    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    allowed = f'did you mean "{nearest[0]}"?' if nearest else f"known are: {', '.join(known)}"
    raise SettingsError(key, f'no {kind} of the catalogue is called "{name[:60]}"', allowed)
