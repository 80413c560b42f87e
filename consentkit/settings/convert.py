"""From plain tables, as TOML gives them, to the frozen structs.

Owns types, unknown keys and the dotted path in an error. What a value may be is left to the structs, which
check themselves when they are made. msgspec's own texts are not passed on: they may quote the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Literal, TypeVar, get_args, get_origin

import msgspec

from consentkit.errors import SettingsError
from consentkit.settings import values

StructT = TypeVar("StructT", bound=msgspec.Struct)

_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number with a fraction",
    str: "a text",
    list: "a list",
    dict: "a table",
}
_WANTED = {bool: "true or false", int: "a whole number", str: "a text in quotes"}


def build(struct: type[StructT], table: object, *, key: str, base: Path) -> StructT:
    """Make a struct from a table, and the structs in it.

    Args:
        struct: the msgspec Struct to make.
        table: what the settings hold at this place.
        key: dotted path of the table; empty for the whole.
        base: absolute folder that relative paths begin from.

    Raises:
        SettingsError: with the dotted path of the key at fault.
    """
    if not isinstance(table, Mapping):
        raise SettingsError(key, f"is {kind(table)}", f"a table, as [{key}]")
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    for name in table:
        if name not in fields:
            raise unknown_key(key, str(name), tuple(fields))
    made: dict[str, object] = {}
    for name, field in fields.items():
        if name in table:
            made[name] = _value(field.type, table[name], key=_join(key, name), base=base)
        elif field.required:
            raise SettingsError(_join(key, name), "is missing", "it must be written")
    try:
        return struct(**made)
    except SettingsError as error:
        raise SettingsError(_join(key, error.key), error.fault, error.allowed) from None


def kind(value: object) -> str:
    """Return in words what kind of TOML value stands somewhere, without the value."""
    return next((word for type_, word in _KINDS.items() if isinstance(value, type_)), "a date or time")


def unknown_key(table: str, name: str, known: tuple[str, ...]) -> SettingsError:
    """Return the refusal of a key that is no setting, with the nearest one that is."""
    import difflib  # noqa: PLC0415 - needed for a refusal alone, and half as slow to load as all of ours

    by_small_letters = {each.lower(): each for each in known}
    nearest = difflib.get_close_matches(name.lower(), by_small_letters, n=1)
    meant = f'did you mean "{by_small_letters[nearest[0]]}"?' if nearest else ""
    return SettingsError(
        _join(table, values.shown(name)), "is no setting", meant or f"known here: {', '.join(known)}"
    )


def _join(table: str, name: str) -> str:
    return f"{table}.{name}" if table else name


def _value(wanted: object, value: object, *, key: str, base: Path) -> object:
    choices = get_args(wanted)
    if get_origin(wanted) is tuple:
        return _list(choices[0], value, key=key, base=base)
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return build(wanted, value, key=key, base=base)
    if wanted is Path or Path in choices:
        return _path(value, key=key, base=base, optional=NoneType in choices)
    if date in choices:
        return _date(value, key=key)
    if isinstance(value, Mapping):
        return _table_in_place_of_text(choices, value, key=key, base=base)
    return _leaf(wanted, value, key=key)


def _list(wanted: object, value: object, *, key: str, base: Path) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        of_tables = isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)
        raise SettingsError(key, f"is {kind(value)}", f"tables, as [[{key}]]" if of_tables else 'a list, as ["…"]')
    return tuple(_value(wanted, item, key=f"{key}[{index}]", base=base) for index, item in enumerate(value))


def _path(value: object, *, key: str, base: Path, optional: bool) -> Path | None:
    text = value if isinstance(value, str | Path) else _leaf(str, value, key=key)
    if "\0" in str(text):
        raise SettingsError(key, "holds a NUL character", "a path")
    if not str(text):
        return None if optional else Path()
    return base / str(text)


def _date(value: object, *, key: str) -> date | None:
    if value is None or value == "":
        return None
    try:
        return msgspec.convert(str(value) if type(value) is date else value, date)
    except msgspec.ValidationError:
        fault = f"{values.quoted(value)} is no date" if isinstance(value, str) else f"is {kind(value)}"
        raise SettingsError(key, fault, 'a date, as "2026-11-23"') from None


def _table_in_place_of_text(
    choices: tuple[object, ...], value: Mapping[object, object], *, key: str, base: Path
) -> object:
    for choice in choices:
        if isinstance(choice, type) and issubclass(choice, msgspec.Struct):
            return build(choice, value, key=key, base=base)
        if get_origin(choice) is Mapping:
            texts = {
                str(name): _leaf(str, text, key=_join(key, values.shown(str(name))))
                for name, text in value.items()
            }
            return MappingProxyType(texts)
    raise SettingsError(key, "is a table", "a single value")


def _leaf(wanted: object, value: object, *, key: str) -> object:
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        raise _refusal(wanted, value, key=key) from None


def _refusal(wanted: object, value: object, *, key: str) -> SettingsError:
    words = get_args(wanted) if get_origin(wanted) is Literal else ()
    if words:
        fault = f"{values.quoted(value)} is not known" if isinstance(value, str) else f"is {kind(value)}"
        return SettingsError(key, fault, " or ".join(f'"{word}"' for word in words))
    choices = get_args(wanted) or (wanted,)
    allowed = next((text for type_, text in _WANTED.items() if type_ in choices), "a single value")
    return SettingsError(key, f"is {kind(value)}", allowed)
