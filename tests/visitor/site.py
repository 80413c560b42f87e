"""A small site with consentkit around it, for tests that look at it with a browser."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from consentkit import ConsentKit, requires_consent
from consentkit.visitor.embed import Embeds
from consentkit.web.texts import Texts

_POLICY = "default-src 'self'"

# Rules for bare elements, as many a site has them.
_LOUD = """
body { margin: 0; color: #222; background: #fff; font-family: serif; }
button { width: auto; padding: 20px 60px; font-size: 30px; color: #fff; background: #080; border: 0; }
a { color: #ccc; font-size: 9px; text-decoration: none; }
h2 { color: #eee; font-size: 4rem; margin: 3rem; }
p, label, div { color: #777; }
form { margin: 2rem; width: 50%; }
"""

# Each notes that it ran, so that a test sees the order.
_FIRST = "document.body.dataset.ran = `${document.body.dataset.ran ?? ''}first `;"
_SECOND = "document.body.dataset.ran += 'second ';"
# What a site's script can do without anyone's hand on mouse or keyboard.
_GREEDY = """
addEventListener("load", () => consentkit.accept().then(
  () => { document.body.dataset.greedy = "granted"; },
  () => { document.body.dataset.greedy = "refused"; }));
document.addEventListener("consentkit:change", (event) => {
  document.body.dataset.change = JSON.stringify(event.detail.categories);
});
"""

_PARAGRAPHS = "".join(f'<p>Words, more words and <a href="#p{number}">a link</a>.</p>' for number in range(40))
_BODIES = {
    "/": f'<form><label>Your name <input name="name"></label></form>{_PARAGRAPHS}',
    "/shared": _PARAGRAPHS,
    "/loud": _PARAGRAPHS,
    "/linked": '<p><a href="/consentkit/settings">Cookies</a></p>',
    "/marked": "<button data-consentkit-settings>Cookies</button>",
    "/scripts": (
        '<template data-consent="statistics"><script src="/first.js"></script><script src="/second.js"></script>'
        '<p id="woken">Counted</p></template><script src="/greedy.js"></script>'
    ),
}
_FILES = {
    "/loud.css": (_LOUD, "text/css"),
    "/first.js": (_FIRST, "text/javascript"),
    "/second.js": (_SECOND, "text/javascript"),
    "/greedy.js": (_GREEDY, "text/javascript"),
}

kit = ConsentKit()
_embeds = Embeds(
    kit.registry,
    Texts(kit.settings.site.languages),
    mount=kit.settings.site.mount,
    deny_only=kit.settings.consent.deny_only,
)


async def show(request: Request) -> Response:
    path = request.url.path
    language = request.query_params.get("lang", "en")
    body = _BODIES.get(path) or _embed(language)
    style = '<link rel="stylesheet" href="/loud.css">' if path == "/loud" else ""
    page = (
        f'<!doctype html><html lang="{language}"><head><title>Example</title>{style}'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f"<body><main><h1>Example</h1>{body}</main></body></html>"
    )
    cache = "public, max-age=60" if path == "/shared" else "no-store"
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "Cache-Control": cache})


async def send_file(request: Request) -> Response:
    content, media_type = _FILES[request.url.path]
    return Response(content, media_type=media_type)


async def say_ready(_: Request) -> Response:
    return PlainTextResponse("ready")


@requires_consent("preferences")
async def show_what_needs_consent(_: Request) -> Response:
    return PlainTextResponse("yours")


def _embed(language: str) -> str:
    return str(
        _embeds.placeholder(
            language,
            service="video",
            content='<p id="video">The film</p>',
            url="https://video.example.net/1",
            next_url="/embed",
        )
    )


app = kit.wrap(
    Starlette(
        routes=[
            Route("/ready", say_ready),
            Route("/needs-consent", show_what_needs_consent),
            *(Route(path, send_file) for path in _FILES),
            *(Route(path, show) for path in (*_BODIES, "/embed")),
        ]
    )
)
