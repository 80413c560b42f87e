"""Reading the Cookie field: pairs, names, and what is left when some are taken out.

Owns RFC 6265bis' view of the request's field, on raw bytes. What may stay is `gate`'s decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def pairs(field: bytes) -> list[tuple[bytes, bytes]]:
    """Return (name, value) of one Cookie field; a pair without ``=`` is a value with an empty name.

    All pairs are read, in time linear in the field: one that was left out would pass unseen. How long a field
    may be is the server's to bound.

    Source: RFC 6265bis §5.8.3, §4.2.1.
    """
    found = []
    for part in field.split(b";"):
        name, equals, value = part.partition(b"=")
        found.append((name.strip(b" \t"), value.strip(b" \t")) if equals else (b"", name.strip(b" \t")))
    return found


def names_of(fields: list[bytes]) -> list[bytes]:
    """Return the names of all pairs of some Cookie fields, as `pairs` reads them."""
    names = []
    for field in fields:
        for part in field.split(b";"):
            name, equals, _ = part.partition(b"=")
            names.append(name.strip(b" \t") if equals else b"")
    return names


def values_of(field: bytes, wanted: bytes) -> list[bytes]:
    """Return the values of the cookies of one name in one Cookie field, as `pairs` reads them.

    Args:
        field: the raw field.
        wanted: the name; not empty.
    """
    found = []
    place = field.find(wanted)
    while place != -1:  # only the pairs that hold the name are cut out, each once
        end = field.find(b";", place)
        pair = field[field.rfind(b";", 0, place) + 1 : end if end != -1 else len(field)]
        name, equals, value = pair.partition(b"=")
        if equals and name.strip(b" \t") == wanted:
            found.append(value.strip(b" \t"))
        place = field.find(wanted, end) if end != -1 else -1
    return found


def without(fields: list[tuple[bytes, bytes]], is_refused: Callable[[bytes], bool]) -> list[tuple[bytes, bytes]]:
    """Return the request's header fields with the refused cookies taken out; the rest stays byte for byte.

    A field all of whose cookies are refused is left out.
    """
    kept: list[tuple[bytes, bytes]] = []
    for name, value in fields:
        if name != b"cookie":
            kept.append((name, value))
            continue
        parts = value.split(b";")
        passing = [part for part in parts if not is_refused(_name_of(part))]
        if len(passing) == len(parts):
            kept.append((name, value))
        elif passing:
            kept.append((name, b";".join(passing).lstrip(b" \t")))
    return kept


def _name_of(pair: bytes) -> bytes:
    name, equals, _ = pair.partition(b"=")
    return name.strip(b" \t") if equals else b""
