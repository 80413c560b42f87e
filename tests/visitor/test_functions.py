from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from consentkit import ConsentKit, Settings

TEMPLATES = {
    "banner.html": "<html lang=lv><head></head><body>{{ consent_banner('lv') }}<p>text</p></body></html>",
    "both.html": "<html lang=lv><head>{{ consent_head('lv') }}</head><body>{{ consent_banner('lv') }}</body>",
    "link.html": "<html lang=en><body>{{ consent_settings_link('<Choice>') }}</body></html>",
    "if.html": "<html><body>{% if consent.allows('statistics') %}counted{% else %}not counted{% endif %}</body>",
    "embed.html": "<body>{{ consent_embed('map', '<iframe src=\"https://map.example/\">', width=640) }}</body>",
    "unknown.html": "<body>{{ consent_embed('nobody', '') }}</body>",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    service = {
        "id": "map",
        "name": "Map",
        "provider": "Map Ltd",
        "category": "statistics",
        "purpose": "Shows a map",
        "hosts": ["map.example"],
    }
    table = {
        "site": {"operator": "SIA Piemērs"},
        "storage": {"directory": "data"},
        "requestlog": {"ingest": "external"},
        "consent": {"services": [service]},
    }
    return Settings.from_mapping(table, base=tmp_path)


def rendered(
    settings: Settings, folder: Path, name: str, *, accepts: bool = False, is_wrapped: bool = True
) -> str:
    for file, text in TEMPLATES.items():
        (folder / file).write_text(text, "utf-8")
    kit = ConsentKit(settings)
    templates = Jinja2Templates(folder, context_processors=[kit.template_context])

    async def page(request: Request) -> Response:
        return templates.TemplateResponse(request, name)

    async def run() -> str:
        site = Starlette(routes=[Route("/", page)])
        transport = httpx.ASGITransport(kit.wrap(site) if is_wrapped else site)
        async with httpx.AsyncClient(transport=transport, base_url="http://www.example.lv") as client:
            if accepts:
                headers = {"sec-fetch-site": "same-origin"}
                await client.post("/consentkit/choice", data={"decision": "accept"}, headers=headers)
            response = await client.get("/", headers={"accept": "text/html"})
            await kit.stop()
            return response.text

    return asyncio.run(run())


@pytest.mark.parametrize("name", ["banner.html", "both.html"])
def test_a_banner_that_the_template_places_stands_there_once_with_its_tags(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    html = rendered(settings, tmp_path, name)
    assert html.count('id="consentkit"') == 1
    assert html.count('rel="stylesheet"') == 1
    assert "Noraidīt visas" in html.replace("&#299;", "ī")


def test_the_settings_link_has_the_sites_words_escaped(settings: Settings, tmp_path: Path) -> None:
    html = rendered(settings, tmp_path, "link.html")
    assert '<a href="/consentkit/settings?next=%2F" data-consentkit-settings>&lt;Choice&gt;</a>' in html


def test_a_template_asks_for_a_category(settings: Settings, tmp_path: Path) -> None:
    assert "not counted" in rendered(settings, tmp_path, "if.html")
    assert "not counted" not in rendered(settings, tmp_path, "if.html", accepts=True)


def test_an_embed_waits_in_a_placeholder_until_it_is_granted(settings: Settings, tmp_path: Path) -> None:
    waiting = rendered(settings, tmp_path, "embed.html")
    assert 'class="ck ck-embed"' in waiting
    assert 'width="640"' in waiting
    before, _, after = waiting.partition('<iframe src="https://map.example/">')
    assert before.rpartition("<template")[2].startswith(' data-consent="statistics" data-service="map">')
    assert after.startswith("</template>")
    granted = rendered(settings, tmp_path, "embed.html", accepts=True)
    assert "ck-embed" not in granted
    assert '<iframe src="https://map.example/">' in granted


def test_an_embed_of_nobody_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nobody"):
        rendered(settings, tmp_path, "unknown.html")


def test_an_app_that_runs_without_us_renders_all_the_same(settings: Settings, tmp_path: Path) -> None:
    assert "consentkit" not in rendered(settings, tmp_path, "banner.html", is_wrapped=False)
