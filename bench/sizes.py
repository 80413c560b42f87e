"""Bytes of script and style that a first visit loads, compressed as they are sent, beside other consent managers'.

The others are the packages that npm gives for their newest release, and of them the files that a page loads which
is set up as their documentation begins: the minified script and style, and what that script fetches by itself.
"""

from __future__ import annotations

import asyncio
import gzip
import posixpath
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench.asgi_calls import get
from bench.figures import Figure, by_ratio, by_value
from bench.installation import make_installation
from bench.pages import page_app
from consentkit import ConsentKit
from consentkit.errors import ConsentKitError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_MOST_BYTES: Final = 6_000
_MOST_OF_SMALLEST: Final = 0.5
_GZIP_LEVEL: Final = 9  # what we send is compressed so, ahead of time; theirs gets the same
_NPM_SECONDS: Final = 120
_IN_PAGE: Final = re.compile(rb'(?:src|href)="(/consentkit/static/[^"?#]+\.(?:js|css))"')
_IN_SCRIPT: Final = re.compile(rb'(?:\bfrom|\bimport)\s*["\'](\.{1,2}/[^"\']+\.js)["\']')


class Rival(msgspec.Struct, frozen=True):
    """Another consent manager.

    Attributes:
        package: its name at npm.
        files: what a first visit loads, inside the package.
        why: where that is said.
    """

    package: str
    files: tuple[str, ...]
    why: str


RIVALS: Final = (
    Rival(
        "orejime",
        ("dist/orejime-standard-en.js", "dist/orejime-standard.css"),
        "README, Content Delivery Network: the standard theme in one language",
    ),
    Rival(
        "vanilla-cookieconsent",
        ("dist/cookieconsent.umd.js", "dist/cookieconsent.css"),
        "documentation, Getting Started: the UMD build and its style",
    ),
    Rival(
        "klaro",
        ("dist/klaro.js",),
        "README, Getting started: one script with style and translations in it; its configuration is not counted",
    ),
    Rival(
        "tarteaucitronjs",
        (
            "tarteaucitron.min.js",
            "css/tarteaucitron.min.css",
            "lang/tarteaucitron.en.min.js",
            "tarteaucitron.services.min.js",
        ),
        "README, How to use; the script loads the style, one language and the list of services by itself",
    ),
)


class NothingLoaded(ConsentKitError):
    """Report that the measurement would be of nothing."""


def measure(folder: Path) -> list[Figure]:
    """Open a page as an undecided visitor and follow what its markup loads, and what that imports."""
    ours = _measure_ours(folder)
    return [by_value("script and style of a first visit, gzipped", ours, "KB", bar=_MOST_BYTES / 1000)]


def measure_beside_rivals(folder: Path) -> list[Figure]:
    """Weigh what a first visit loads with each of the others; needs npm and its registry."""
    ours = _measure_ours(folder)
    figures = []
    for rival in RIVALS:
        package, version = _fetch(rival, folder / "rivals" / rival.package)
        theirs = sum(len(gzip.compress(package[name], _GZIP_LEVEL)) for name in rival.files) / 1000
        figures.append(
            by_ratio(
                "script and style of a first visit",
                ours,
                "KB",
                baseline=theirs,
                against=f"KB with {rival.package} {version}",
                at_most=_MOST_OF_SMALLEST,
            )
        )
    return figures


def _measure_ours(folder: Path) -> float:
    """Return kilobytes."""
    return asyncio.run(_first_visit_bytes(ConsentKit(make_installation(folder / "sizes")))) / 1000


def _fetch(rival: Rival, folder: Path) -> tuple[dict[str, bytes], str]:
    """Return the wanted files of the newest release by name, and its version."""
    npm = shutil.which("npm", path=str(Path(sys.executable).parent)) or shutil.which("npm")
    if npm is None:
        raise NothingLoaded("npm is missing, which fetches what we are compared with: make install")
    folder.mkdir(parents=True)
    command = [npm, "pack", rival.package, "--silent", f"--pack-destination={folder}"]
    done = subprocess.run(command, capture_output=True, timeout=_NPM_SECONDS, check=False)
    archives = list(folder.glob("*.tgz"))
    if done.returncode or not archives:
        raise NothingLoaded(f"npm pack {rival.package} ended with {done.returncode} and no package")
    with tarfile.open(archives[0]) as archive:
        read = {name: archive.extractfile(f"package/{name}") for name in (*rival.files, "package.json")}
        files = {name: file.read() for name, file in read.items() if file is not None}
    version: str = msgspec.json.decode(files["package.json"], type=dict[str, object])["version"]  # type: ignore[assignment]
    return files, version


async def _first_visit_bytes(kit: ConsentKit) -> int:
    app = kit.wrap(page_app())
    await kit.start()
    try:
        page = await get(app, "/")
        waiting = {name.decode("ascii") for name in _IN_PAGE.findall(page.body)}
        sizes: dict[str, int] = {}
        while waiting:
            path = waiting.pop()
            sizes[path] = len((await get(app, path, accept_encoding=b"gzip")).body)
            waiting |= await _imports(app, path) - sizes.keys()
    finally:
        await kit.stop()
    if not sizes:
        raise NothingLoaded("the page loads no file of ours")
    return sum(sizes.values())


async def _imports(app: ASGIApp, path: str) -> set[str]:
    script = (await get(app, path)).body
    names = _IN_SCRIPT.findall(script) if path.endswith(".js") else []
    return {posixpath.normpath(posixpath.join(posixpath.dirname(path), name.decode("ascii"))) for name in names}
