"""Settings from environment variables, for containers: ``CONSENTKIT_<TABLE>_<KEY>``.

Owns which variables are settings and how their text becomes a plain value. Variables whose names begin with
CONSENTKIT_ but with no table's name are left alone: Kubernetes adds such for every service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, get_args, get_origin

import msgspec

from consentkit.errors import SettingsError
from consentkit.settings.convert import unknown_key

if TYPE_CHECKING:
    from collections.abc import Iterator

# What Kubernetes sets for a service named, say, "consentkit-storage" (its page "Service").
_KUBERNETES = re.compile(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")


def overlay(
    data: Mapping[str, object], tables: Mapping[str, type[msgspec.Struct]], environ: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str]]:
    """Lay the variables over the tables of a settings file.

    Args:
        data: the file's tables; not changed.
        tables: the structs by table name, as ``{"site": Site}``.
        environ: the environment.

    Returns:
        The merged tables, and for each dotted key that a variable gave, the variable's name.

    Raises:
        SettingsError: when a variable names no setting, or its text is not of the setting's type.
    """
    merged = dict(data)
    names: dict[str, str] = {}
    for variable, table, key, text in _settings_in(environ, tables):
        types = _by_key(tables[table])
        if key not in types:
            raise unknown_key("", variable, tuple(_variable(table, known) for known in types))
        given = merged.get(table, {})
        if isinstance(given, Mapping):  # else the file is at fault, and is refused for it
            merged[table] = {**given, key: _plain(types[key], text, variable)}
        names[f"{table}.{key}"] = variable
    return merged, names


def _settings_in(
    environ: Mapping[str, str], tables: Mapping[str, type[msgspec.Struct]]
) -> Iterator[tuple[str, str, str, str]]:
    for variable in sorted(environ):
        for table in tables:
            prefix = _variable(table, "")
            if variable.startswith(prefix) and not _KUBERNETES.fullmatch(variable, len(prefix)):
                key = variable[len(prefix) :].lower()
                yield variable, table, key if variable.isupper() else "", environ[variable]


def _variable(table: str, key: str) -> str:
    return f"CONSENTKIT_{table}_{key}".upper()


def _by_key(struct: type[msgspec.Struct]) -> dict[str, object]:
    """Return the types of the keys that one line of text can give: all but lists of tables."""
    return {
        field.name: field.type for field in msgspec.structs.fields(struct) if not _is_list_of_tables(field.type)
    }


def _is_list_of_tables(wanted: object) -> bool:
    return get_origin(wanted) is tuple and get_args(wanted)[0] is not str


def _plain(wanted: object, text: str, variable: str) -> object:
    choices = get_args(wanted) or (wanted,)
    if get_origin(wanted) is tuple:
        return [item.strip() for item in text.split(",") if item.strip()]
    if NoneType in choices and not text:
        return None
    for type_, allowed in ((bool, "true or false"), (int, "a whole number")):
        if type_ in choices:
            try:
                return msgspec.convert(text.strip(), type_, strict=False)
            except msgspec.ValidationError:
                raise SettingsError(variable, f"is not {allowed}", allowed) from None
    return text
