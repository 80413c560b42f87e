"""A page to put a banner into: 30 KB of HTML, as hard to compress as pages of its size are.

gzip -9 makes it about six times smaller. Text of few words in random order would take it twice as long as
real pages do, and so make what is compared with it look cheap.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PAGE_BYTES: Final = 30_000

_START: Final = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>A page</title>\n'
    '<link rel="stylesheet" href="/site.css">\n</head>\n<body>\n<main class="list">\n'
)
_END: Final = "</main>\n</body>\n</html>\n"
_ITEM: Final = """\
<article class="list-item" id="item-{number}">
  <h2 class="list-item__title"><a class="list-item__link" href="/shop/items/{number}">{title}</a></h2>
  <img class="list-item__image" src="/img/items/{number}-320.png" width="320" height="240" alt="" loading="lazy">
  <p class="list-item__text">{text}.</p>
  <span class="list-item__price" data-currency="EUR">{euros}.{cents:02}</span>
</article>
"""
_SYLLABLES: Final = (
    "am",
    "ber",
    "ce",
    "dar",
    "el",
    "fi",
    "gor",
    "ha",
    "in",
    "ju",
    "ka",
    "lo",
    "mi",
    "nor",
    "ta",
    "ve",
)
_VOCABULARY: Final = 1_500


def make_page() -> bytes:
    """Return a whole HTML document of `PAGE_BYTES` bytes, the same each time."""
    rng = random.Random(1)
    vocabulary = ["".join(rng.choices(_SYLLABLES, k=rng.randrange(1, 5))) for _ in range(_VOCABULARY)]
    parts, left = [_START], PAGE_BYTES - len(_START) - len(_END)
    while left > 0:
        part = _ITEM.format(
            number=rng.randrange(1_000_000),
            title=_words(rng, vocabulary, rng.randrange(2, 6)),
            text=_words(rng, vocabulary, rng.randrange(10, 40)),
            euros=rng.randrange(1, 200),
            cents=rng.randrange(100),
        )
        parts.append(part if len(part) <= left else "\n" * left)
        left -= len(parts[-1])
    return "".join((*parts, _END)).encode("ascii")


def page_app() -> ASGIApp:
    """Return an application that answers every request with the page."""
    page = make_page()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(page))]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # A list of its own each time: middleware changes it in place.
            await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
            await send({"type": "http.response.body", "body": page})

    return app


def _words(rng: random.Random, vocabulary: list[str], count: int) -> str:
    """Return some words; the n-th of the vocabulary is about 1/n as likely as the first, as in any language."""
    return " ".join(vocabulary[int(len(vocabulary) ** rng.random()) - 1] for _ in range(count))
