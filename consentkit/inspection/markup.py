"""What a page of HTML loads and links to, read without running it.

Owns the reading of tags. What waits in a ``<template>`` is inert and left out, as a browser leaves it.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

# What a browser fetches by itself, by tag and attribute.
_LOADS: Final = frozenset(
    {
        ("script", "src"),
        ("img", "src"),
        ("iframe", "src"),
        ("embed", "src"),
        ("object", "data"),
        ("video", "src"),
        ("video", "poster"),
        ("audio", "src"),
        ("source", "src"),
        ("track", "src"),
        ("input", "src"),
    }
)
_LINKS_THAT_LOAD: Final = frozenset(
    {
        "stylesheet",
        "icon",
        "preload",
        "modulepreload",
        "prefetch",
        "preconnect",
        "dns-prefetch",
        "prerender",
        "manifest",
        "apple-touch-icon",
    }
)
_MAX_ADDRESSES: Final = 2000


class Page(HTMLParser):
    """Gather addresses of a page.

    Attributes:
        loads: absolute addresses that a browser fetches for the page.
        links: absolute addresses that a visitor can follow.
        actions: values of ``data-action`` on buttons inside the element ``#consentkit``; empty without one.
        has_banner: such an element is there and not hidden.
    """

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.loads: list[str] = []
        self.links: list[str] = []
        self.actions: set[str] = set()
        self.has_banner = False
        self._base = url
        self._templates = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        given = {name: value or "" for name, value in attrs}
        if tag == "template":
            self._templates += 1
        if self._templates:
            return
        if given.get("id") == "consentkit":
            self.has_banner = "hidden" not in given
        if "data-action" in given:
            self.actions.add(given["data-action"])
        if tag == "a" and "href" in given:
            self._add(self.links, given["href"])
        elif tag == "link" and not _LINKS_THAT_LOAD.isdisjoint(given.get("rel", "").lower().split()):
            self._add(self.loads, given.get("href", ""))
        for name, value in given.items():
            if (tag, name) in _LOADS:
                self._add(self.loads, value)
        for candidate in given.get("srcset", "").split(",") if tag in ("img", "source") else ():
            self._add(self.loads, (candidate.split() or [""])[0])

    def handle_endtag(self, tag: str) -> None:
        """Leave a template."""
        if tag == "template" and self._templates:
            self._templates -= 1

    def _add(self, addresses: list[str], written: str) -> None:
        if written and len(addresses) < _MAX_ADDRESSES:
            try:
                addresses.append(urljoin(self._base, written.strip()))
            except ValueError:
                return  # no address at all: a browser fetches nothing either


def read_page(url: str, html: str) -> Page:
    """Return what a page of HTML, which came from `url`, loads and links to."""
    page = Page(url)
    page.feed(html)
    page.close()
    return page


def host_of(url: str) -> str:
    """Return the host of an address that is fetched over the network, lower case; empty for any other."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower() if parts.scheme in ("http", "https", "ws", "wss") else ""
    except ValueError:
        return ""


def path_of(url: str) -> str:
    """Return the path of an address, without its query, which may tell of a person."""
    try:
        return urlsplit(url).path or "/"
    except ValueError:
        return "/"


def pages_to_open(url: str, links: list[str], *, count: int, mount: str) -> list[str]:
    """Return further pages of the same origin, each path once, in the order in which they stand.

    Left out are our own pages below `mount`, and what signs out or downloads.

    Args:
        url: the first page.
        links: absolute addresses on it.
        count: how many pages, the first one included.
        mount: path below which our pages lie.
    """
    first = urlsplit(url)
    chosen: dict[str, str] = {}
    for link in links:
        try:
            parts = urlsplit(link)
        except ValueError:
            continue
        path = parts.path or "/"
        if (parts.scheme, parts.netloc) != (first.scheme, first.netloc) or path == (first.path or "/"):
            continue
        if path.startswith(f"{mount}/") or "." in path.rpartition("/")[2] or _ends_session(path):
            continue
        chosen.setdefault(
            path, f"{parts.scheme}://{parts.netloc}{path}" + (f"?{parts.query}" if parts.query else "")
        )
    return list(chosen.values())[: max(count - 1, 0)]


def _ends_session(path: str) -> bool:
    flat = path.lower().replace("-", "").replace("_", "")
    return any(word in flat for word in ("logout", "signout", "logoff"))
