"""A site with all that consentkit puts into pages: guard, signals, an embed, markup that waits."""

from __future__ import annotations

from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from consentkit import ConsentKit

SETTINGS = """
[site]
operator = "SIA Piemērs"
languages = ["en", "lv"]

[requestlog]
trusted_proxies = ["127.0.0.1/32"]

[consent]
guard = true
signals = ["google", "matomo"]

[[consent.cookies]]
name = "shown_*"
category = "necessary"
purpose = "Remembers what was shown"

[[consent.cookies]]
name = "theme"
category = "preferences"
purpose = "Remembers light or dark"
on_refusal = "session"
lifetime_days = 30

[[consent.cookies]]
name = "s*n_*_id"
category = "statistics"
purpose = "Counts visits"
lifetime_days = 30

[[consent.services]]
id = "video"
name = "Example Video"
provider = "Example Video Limited"
category = "marketing"
purpose = "Plays videos"
hosts = ["video.example.net"]
storage_keys = ["video-*"]
[[consent.services.cookies]]
name = "video_quality"
lifetime_days = 30
"""

PAGE = """<!doctype html>
<html lang="en"><head><title>Example</title><meta name="viewport" content="width=device-width, initial-scale=1">
<script src="/tag.js"></script></head><body><main><h1>Example</h1>
<form><label>Your name <input name="name"></label></form>
{{ embed }}
<template data-consent="statistics"><p class="counted">Counted</p><script src="/first.js"></script>
<template data-consent="marketing"><p class="advertised">Advertised</p></template></template>
</main></body></html>"""

# A tag as others write them: it measures at once, and notes each answer.
TAG = """
window.dataLayer ??= [];
window._paq ??= [];
dataLayer.push({event: "page"});
_paq.push(["trackPageView"]);
window.answers = [];
document.addEventListener("consentkit:change", ({detail}) => answers.push(detail));
if (location.search === "?grab") addEventListener("load", () => consentkit.set({statistics: true}).then(
  () => { window.grabbed = "granted"; }, (error) => { window.grabbed = error.message; }));
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""

_templates = Jinja2Templates(env=Environment(loader=DictLoader({"page.html": PAGE}), autoescape=True))
kit = ConsentKit()


async def show(request: Request) -> Response:
    embed = "" if request.url.path == "/shared" else _embed(request)
    response = _templates.TemplateResponse(request, "page.html", {"embed": embed})
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    response.headers["Cache-Control"] = "public, max-age=60" if request.url.path == "/shared" else "no-cache"
    return response


def _embed(request: Request) -> object:
    make = kit.template_context(request)["consent_embed"]
    assert callable(make)
    return make(
        "video", '<p id="film" tabindex="-1">The film</p>', url="https://video.example.net/1", language="en"
    )


async def send_tag(_: Request) -> Response:
    return Response(TAG, media_type="text/javascript")


async def send_first(_: Request) -> Response:
    return Response("document.body.dataset.ran = 'first';", media_type="text/javascript")


async def send_nothing(_: Request) -> Response:
    return Response(status_code=204)


async def say_ready(_: Request) -> Response:
    return PlainTextResponse("ready")


app = kit.wrap(
    Starlette(
        routes=[
            Route("/ready", say_ready),
            Route("/tag.js", send_tag),
            Route("/first.js", send_first),
            Route("/favicon.ico", send_nothing),
            *(Route(path, show) for path in ("/", "/other", "/shared")),
        ]
    )
)
