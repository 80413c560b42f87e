"""How much of our words a language has: what it leaves out is said in English.

Owns the comparison of compiled catalogues, for who adds a language. Speaking is `texts`'.
Source: GNU gettext manual, "The Format of GNU MO Files".
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consentkit.errors import SettingsError
from consentkit.web.texts import LOCALE_FOLDER, catalogue_files

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADER: Final = struct.Struct("<4xI I I I")  # version, count, offsets of the tables of originals and translations
_ENTRY: Final = struct.Struct("<II")
_LITTLE_ENDIAN: Final = b"\xde\x12\x04\x95"


def left_in_english(language: str, *, folders: Sequence[Path] = (), domain: str = "consentkit") -> tuple[int, int]:
    """Return how many messages a language leaves out, and how many there are.

    Args:
        language: BCP 47 tag.
        folders: of the site's own catalogues.
        domain: name of the catalogues' files.

    Raises:
        SettingsError: a catalogue is no compiled one of the usual byte order.
    """
    wanted = set().union(*map(_messages, catalogue_files("en", domain, (LOCALE_FOLDER,))))
    places = (*folders, LOCALE_FOLDER)
    said: set[bytes] = set().union(*map(_messages, catalogue_files(language, domain, places)))
    return len(wanted - said), len(wanted)


def _messages(file: str) -> set[bytes]:
    """Return the keys of a compiled catalogue: context and singular, without the head."""
    content = Path(file).read_bytes()
    if not content.startswith(_LITTLE_ENDIAN) or len(content) < _HEADER.size:
        raise SettingsError("site.catalogues", "holds a file that is no compiled catalogue", "`pybabel compile`")
    _, count, table, _ = _HEADER.unpack_from(content)
    try:
        entries = [_ENTRY.unpack_from(content, table + number * _ENTRY.size) for number in range(count)]
    except struct.error:
        raise SettingsError("site.catalogues", "holds a catalogue that is cut off", "`pybabel compile`") from None
    keys = {content[start : start + length].partition(b"\0")[0] for length, start in entries}
    return keys - {b""}
