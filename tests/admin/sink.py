"""A site of one page that holds every part of the admin area's pages, for tests of how they look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit.admin import charts
from consentkit.admin.frame import Framer
from consentkit.admin.visit import Entrant
from consentkit.admin.writing import Writing
from consentkit.audit import Look
from consentkit.settings import Settings
from consentkit.web.assets import Assets
from consentkit.web.templates import Templates
from consentkit.web.texts import Texts

if TYPE_CHECKING:
    from starlette.requests import Request

MONDAY = 1_772_409_600_000_000  # 2026-03-02T00:00Z
DAY_US = 86_400_000_000
HOSTILE = (
    "/a?next=" + "x" * 300,
    "/<script>alert(1)</script>",
    "/\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe",
    "/\"'><img src=x onerror=alert(1)>",
)
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


class SinkView(msgspec.Struct, frozen=True):
    time_us: int
    hostile: tuple[str, ...]
    bars: charts.Bars
    stacked: charts.Bars
    shares: charts.Shares
    spark: charts.Spark
    time_line: charts.TimeLine


def sink_view(write: Writing) -> SinkView:
    days = [(datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=day)).date().isoformat() for day in range(30)]
    counts = [(day, (100 + (index * 37) % 90,)) for index, day in enumerate(days)]
    stacked = [(day, (60 + (index * 13) % 40, (index * 7) % 30, index % 9)) for index, day in enumerate(days)]
    spans = [
        charts.Span(
            since_us=MONDAY + day * DAY_US,
            until_us=MONDAY + (day + 1) * DAY_US,
            height=0.3 + (day * 37 % 70) / 100,
            css_class="ck-c-gone" if day < 5 else "ck-c-bad" if day == 5 else "ck-c1",
            title=f"{days[day]}: {day}",
        )
        for day in range(30)
    ]
    return SinkView(
        time_us=MONDAY + DAY_US // 2,
        hostile=HOSTILE,
        bars=charts.bars("Requests a day", "Day", ["Requests"], counts, write.number),
        stacked=charts.bars("Answers a day", "Day", ["2xx", "4xx", "5xx"], stacked, write.number),
        shares=charts.shares(
            "Consent by category",
            "Category",
            "Accepted",
            [("Preferences", (80, 20)), ("Statistics", (55, 45)), ("Marketing", (12, 88))],
            write.number,
            write_share=write.share,
        ),
        spark=charts.spark("Requests of the last week: 10 to 40, 25 at last", [10, 30, 40, 20, 15, 22, 25]),
        time_line=charts.time_line(
            "Periods from 2 to 31 March",
            spans,
            since_us=MONDAY,
            until_us=MONDAY + 30 * DAY_US,
            marks_us=[MONDAY + 6 * DAY_US],
            legend=[("ck-c1", "Kept"), ("ck-c-bad", "Overdue"), ("ck-c-gone", "Destroyed")],
            ticks=(days[0], days[15], days[29]),
        ),
    )


def entrant(*roles: str, name: str = "Līga Bērziņa") -> Entrant:
    given = frozenset(roles or ("viewer", "investigator", "officer", "admin"))
    return Entrant(name=name, roles=given, address="192.0.2.7", session=7)  # type: ignore[arg-type]


class Sink:
    def __init__(self, *, root: str = "/consentkit") -> None:
        self.texts = Texts(("en", "lv", "ru", "et", "lt"), domain="admin")
        self.assets = Assets.load()
        settings = Settings.from_mapping({"site": {"operator": "SIA Piemērs"}}, base=Path.cwd())
        templates = Templates(folders=(Path(__file__).parent / "pages",))
        self.framer = Framer(settings, self.texts, self.assets, mount=root, templates=templates)

    def page(
        self, language: str = "en", *, person: Entrant | None = None, path: str = "/", query: str = "a=b"
    ) -> str:
        say = self.texts[language]
        return self.framer.render(
            "kitchen_sink.html",
            say,
            sink_view(Writing(say)),
            path=path,
            query=query,
            entrant=person,
            look=Look("incident", "12", "why"),
            notice="saved",
        )


_sink = Sink()


async def _page(request: Request) -> Response:
    html = _sink.page(request.query_params.get("lang", "en"), person=entrant())
    return HTMLResponse(html, headers={"Content-Security-Policy": POLICY})


async def _static(request: Request) -> Response:
    asset = _sink.assets.find(request.path_params["name"])
    if asset is None:
        return Response(status_code=404)
    return Response(asset.content, media_type=asset.content_type)


app = Starlette(
    routes=[Route("/consentkit/static/{name}", _static), Route("/consentkit/admin/", _page)],
)
