"""What each installation makes anew and a process of tests makes once: it takes longer than most tests.

Owns what is kept: secrets that were stretched, root keys, compiled templates, catalogues, folders to begin with.
All of it is the package's own work, so that other processes open the same files. Tests of how a root key is made
take `fresh_roots`.
"""

from __future__ import annotations

import gettext
import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pytest
from jinja2 import Environment

from consentkit.crypto import keyring, primitives, root, roots
from consentkit.crypto.files import publish
from consentkit.web import texts

# So many installations of one test have keys of their own.
_KINDS: Final = 4

_prepare = roots.prepare
_stretch = primitives.stretch
_compile: Callable[..., Any] = Environment.compile
_load = texts._load


@pytest.fixture(scope="session", autouse=True)
def readymade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is made for as long as the tests run."""
    ready = _Roots(tmp_path_factory.mktemp("roots"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Begun, "kept", tmp_path_factory.mktemp("begun"))
        patch.setattr(root, "stretch", lambda secret, salt: _stretched(secret, salt, primitives._SCRYPT_N))
        patch.setattr(keyring, "prepare", ready.prepare)
        patch.setattr(Environment, "compile", _keeping_compiled())
        patch.setattr(texts, "_load", _read)
        yield


@pytest.fixture
def fresh_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each root key anew, and stretch a secret whenever it is asked for."""
    monkeypatch.setattr(root, "stretch", _stretch)
    monkeypatch.setattr(keyring, "prepare", _prepare)


def begin(folder: Path, name: str, make: Callable[[Path], None]) -> None:
    """Copy into an empty folder what `make` makes in one; a few are made of each name, and taken in turn.

    Do nothing where something is in the folder already, or outside of tests.
    """
    if _Begun.kept is None or (folder.exists() and any(folder.iterdir())):
        return
    made = _Begun.kept / f"{name}-{next(_Begun.turns)}"
    if not made.exists():
        made.mkdir()
        make(made)
    shutil.copytree(made, folder, dirs_exist_ok=True)


class _Begun:
    kept: Path | None = None
    turns = itertools.cycle(range(_KINDS))


class _Roots:
    """Root keys made in folders of their own, with which folders begin for which no secret is given."""

    def __init__(self, folder: Path) -> None:
        self._folders = itertools.cycle([folder / str(number) for number in range(_KINDS)])

    def prepare(self, folder: Path, given: tuple[str, ...]) -> tuple[str, ...]:
        if not given and not any(folder.iterdir()):
            made = next(self._folders)
            made.mkdir(mode=0o700, exist_ok=True)
            _prepare(made, ())
            for path in (made / "secret", made / "root.key"):
                publish(folder / path.name, path.read_bytes())
        return _prepare(folder, given)


@lru_cache(maxsize=1024)
def _stretched(secret: str, salt: bytes, _cost: int) -> bytes:
    return _stretch(secret, salt)


def _keeping_compiled() -> Callable[..., Any]:
    """Return `Environment.compile` as one that keeps the code of templates by their text."""
    kept: dict[tuple[object, ...], Any] = {}

    def compiled(own: Environment, source: Any, name: Any = None, filename: Any = None, **options: bool) -> Any:
        # What a template's code depends on beside its text.
        made_by = (type(own), own.autoescape, own.trim_blocks, own.lstrip_blocks, *own.extensions)
        key = (*made_by, source, name, filename, *options.items())
        if key not in kept:
            kept[key] = _compile(own, source, name, filename, **options)
        return kept[key]

    return compiled


def _read(language: str, domain: str, places: Iterable[Path]) -> gettext.NullTranslations:
    folders = tuple(places)
    return _own(language, domain) if folders == (texts.LOCALE_FOLDER,) else _load(language, domain, folders)


@lru_cache(maxsize=64)
def _own(language: str, domain: str) -> gettext.NullTranslations:
    return _load(language, domain, (texts.LOCALE_FOLDER,))
