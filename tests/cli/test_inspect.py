"""`consentkit inspect` without a browser: an application visited in its own process, and what is said of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from consentkit.inspection.markup import pages_to_open, read_page

Run = Callable[..., subprocess.CompletedProcess[str]]

SITE = """
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
from consentkit import ConsentKit

async def home(request):
    response = HTMLResponse({page!r})
    for name in {cookies!r}:
        response.set_cookie(name, "secret-value", max_age=40 * 86400)
    return response

app = ConsentKit().wrap(Starlette(routes=[Route("/", home), Route("/more", home)]))
"""
PAGE = '<!doctype html><html lang="en"><head><title>x</title></head><body><a href="/more">More</a>{}</body></html>'


@pytest.fixture
def visit(consentkit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Visit an application that sets cookies and has something in its page."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, cookies: tuple[str, ...] = (), markup: str = "") -> subprocess.CompletedProcess[str]:
        Path("site_to_visit.py").write_text(SITE.format(page=PAGE.format(markup), cookies=cookies), "utf-8")
        return consentkit("inspect", "--app", "site_to_visit:app", *arguments)

    return run


def report() -> dict[str, list[dict[str, object]]]:
    (path,) = Path().glob("inspect-*.json")
    text = path.read_text("utf-8")
    assert "secret-value" not in text + path.with_suffix(".html").read_text("utf-8")
    found: dict[str, list[dict[str, object]]] = json.loads(text)
    return found


def test_a_good_site_passes_and_each_visitor_met_what_was_agreed(visit: Run, config: Path) -> None:
    done = visit(cookies=("visits",), markup="<template><img src='https://tracker.example.net/a.png'></template>")
    assert (done.returncode, done.stderr) == (0, "")
    assert {one["name"]: one["verdicts"] for one in report()["rows"]} == {
        "__Host-consentkit": {"refusing": "necessary", "withdrawn": "necessary", "accepting": "necessary"},
        "consentkit_id": {"accepting": "necessary"},
        "visits": {"accepting": "agreed"},  # set for 40 days, which the gate cuts to the 30 that are declared
    }
    assert not (config.parent / "data").exists()  # these visits leave nothing in the site's log


def test_what_nobody_declared_is_named(visit: Run) -> None:
    done = visit(cookies=("odd",), markup="<img src='https://tracker.example.net/a.png'>")
    assert done.returncode == 1
    found = {(str(one["kind"]), str(one["what"])): one["visitors"] for one in report()["findings"]}
    assert set(found) == {("undeclared", "odd"), ("undeclared", "tracker.example.net")}
    assert len(found["undeclared", "odd"]) == 5  # type: ignore[arg-type]
    assert "odd (cookie of localhost) is declared nowhere" in done.stdout


def test_a_site_without_a_banner_asks_nobody(visit: Run, config: Path) -> None:
    text = config.read_text("utf-8").replace("[[consent", '[consent]\ninject = "off"\n[[consent', 1)
    config.write_text(text, "utf-8")
    assert visit().returncode == 1
    assert "banner" in {one["kind"] for one in report()["findings"]}


def test_findings_are_objects_a_line_where_asked(visit: Run) -> None:
    lines = visit("--json", cookies=("odd",)).stdout.splitlines()
    assert {json.loads(line)["what"] for line in lines} == {"odd"}


def test_a_second_report_of_a_day_replaces_none(visit: Run) -> None:
    visit()
    visit()
    assert len(list(Path().glob("inspect-*.html"))) == 2
    visit("--output", "named.html")
    assert Path("named.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give the URL"),
        (["ftp://www.example.com/"], "must be an address"),
        (["https://user:pw@www.example.com/"], "must be an address"),
        (["--app", "no_such_module:app"], "no application is called"),
        (["http://127.0.0.1:9/", "--browser", "/no/such/chromium"], "no Chromium starts"),
    ],
    ids=["nothing", "no web address", "with a password", "no module", "no browser"],
)
def test_wrong_use_is_told_with_the_way_out(consentkit: Run, arguments: list[str], said: str) -> None:
    done = consentkit("inspect", *arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_page_is_read_as_a_browser_loads_it() -> None:
    page = read_page(
        "https://www.example.com/a/",
        """<link rel=stylesheet href=//cdn.example.net/s.css><link rel=canonical href=https://canon.example.net>
        <script src=x.js></script><img srcset="https://a.example.net/1.png 1x, https://b.example.net/2.png 2x">
        <template><iframe src=https://frame.example.net></iframe></template><a href=/b?q=1#c>b</a>
        <div id=consentkit hidden><button data-action=reject></button></div>""",
    )
    assert page.loads == [
        "https://cdn.example.net/s.css",
        "https://www.example.com/a/x.js",
        "https://a.example.net/1.png",
        "https://b.example.net/2.png",
    ]
    assert (page.links, page.actions, page.has_banner) == (["https://www.example.com/b?q=1#c"], {"reject"}, False)


def test_pages_of_the_site_are_opened_but_not_what_ends_the_visit() -> None:
    links = [
        f"https://www.example.com{path}" for path in ("/b", "/b?x=1", "/sign-out", "/f.pdf", "/consentkit/x", "/c")
    ]
    links += ["https://www.example.net/d", "http://www.example.com/e", "https://[bad/"]
    chosen = pages_to_open("https://www.example.com/", links, count=3, mount="/consentkit")
    assert chosen == ["https://www.example.com/b", "https://www.example.com/c"]
