"""The page of deletions, and the cookies that nobody has described: what the public sees of files."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from consentkit.archive.published import Deletions, Destroyed, Published, Remembered
from consentkit.consent.inventory import Inventory, Sighting
from consentkit.consent.registry import Registry
from consentkit.settings import Settings
from consentkit.visitor.cookies_page import CookiesPage
from consentkit.visitor.deletions_page import DeletionsPage
from consentkit.visitor.shell import Shell
from consentkit.visitor.undescribed import MAX_NAMES, Undescribed
from tests.visitor.markup import Markup

LANGUAGES = ("lv", "ru", "en", "et", "lt")
NOW = datetime(2026, 11, 23, 14, tzinfo=UTC)
HASH = "0123456789abcdef" * 4


@pytest.fixture
def page(shell: Shell) -> DeletionsPage:
    return DeletionsPage(shell, mount="/consentkit", retention_days=90)


def gone(*periods: str, early: bool = False) -> tuple[Destroyed, ...]:
    return tuple(
        Destroyed(period=one, at=datetime(2026, 11, 20, 0, 1, tzinfo=UTC), early=early, certificate=HASH)
        for one in periods
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_with_and_without_deletions(page: DeletionsPage, language: str) -> None:
    for deletions in (Deletions(), Deletions(destroyed=gone("2026-08-22"), next_due=NOW, unlisted=3)):
        markup = Markup(page.render_deletions(language, deletions, now=NOW))
        assert markup.is_nested
        assert markup.find("html", lang=language)
        assert bool(markup.find("table")) is bool(deletions.destroyed)


def test_where_nothing_was_destroyed_the_page_says_so(page: DeletionsPage) -> None:
    text = Markup(page.render_deletions("en", Deletions())).text
    assert "Nothing was destroyed yet." in text
    assert "No record gets older than 90 days." in text


def test_each_deletion_stands_with_its_time_and_certificate(page: DeletionsPage) -> None:
    deletions = Deletions(destroyed=(*gone("2026-08-22"), *gone("2026-08-21", early=True)))
    markup = Markup(page.render_deletions("en", deletions, now=NOW))
    assert "August 22, 2026 November 20, 2026, 00:01 0123456789ab" in markup.text
    assert markup.text.count("before its day") == 1
    assert markup.find("code", title=HASH)
    assert "The last deletion was on November 20, 2026." in markup.text


def test_hours_stand_with_their_time(page: DeletionsPage) -> None:
    text = Markup(page.render_deletions("lt", Deletions(destroyed=gone("2026-08-22T07")), now=NOW)).text
    assert "2026-08-22, 07:00–07:59" in text


@pytest.mark.parametrize(
    ("asked", "shown", "links"),
    [
        ("", "2026-08-22", ["2026-07"]),
        ("2026-07", "2026-07-01", ["2026-06", "2026-08"]),
        ("2026-06", "2026-06-30", ["2026-07"]),
        ("2020-01", "2026-08-22", ["2026-07"]),
        ("<script>", "2026-08-22", ["2026-07"]),
        ("9" * 10_000, "2026-08-22", ["2026-07"]),
    ],
    ids=["newest", "between", "oldest", "unknown", "hostile", "long"],
)
def test_a_month_is_shown_at_a_time(page: DeletionsPage, asked: str, shown: str, links: list[str]) -> None:
    deletions = Deletions(destroyed=gone("2026-08-22", "2026-07-01", "2026-06-30"))
    markup = Markup(page.render_deletions("lt", deletions, month=asked, now=NOW))
    assert shown in markup.text
    addresses = [link["href"] or "" for link in markup.find("a")]
    assert [url[-7:] for url in addresses if "month=" in url] == links
    assert len(markup.find("th", scope="row")) == 1


@pytest.mark.parametrize(
    ("due", "said"),
    [
        (NOW + timedelta(days=1), "The next is due on November 24, 2026."),
        (NOW - timedelta(hours=23), "The next is due on November 22, 2026."),
        (NOW - timedelta(hours=25), "A deletion was due on November 22, 2026 and is not yet done."),
    ],
    ids=["to come", "just due", "late"],
)
def test_what_is_late_is_not_hidden(page: DeletionsPage, due: datetime, said: str) -> None:
    assert said in Markup(page.render_deletions("en", Deletions(next_due=due), now=NOW)).text


def test_what_is_not_listed_is_counted(page: DeletionsPage) -> None:
    text = Markup(page.render_deletions("en", Deletions(unlisted=7))).text
    assert "7 older deletions are not listed any more." in text


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    path, reads = tmp_path / "file", []

    def load() -> str:
        reads.append(1)
        return path.read_text()

    remembered = Remembered(path, load, "nothing")
    assert remembered.read() == "nothing"
    path.write_text("one")
    assert [remembered.read(), remembered.read()] == ["one", "one"]
    draft = tmp_path / "draft"
    draft.write_text("two")
    draft.replace(path)
    assert remembered.read() == "two"
    path.unlink()
    assert remembered.read() == "nothing"
    assert len(reads) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format":"other"}', b"\xff"])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "published").mkdir()
    (tmp_path / "published/deletions.json").write_bytes(content)
    assert Published(tmp_path).deletions() == Deletions()


def met(directory: Path, **names: dict[str, int]) -> None:
    day = date(2026, 11, 23)
    kinds = {kind: {name: Sighting(day, day, count) for name, count in of.items()} for kind, of in names.items()}
    (directory / "inventory.json").write_bytes(msgspec.json.encode(Inventory(last=day, days=1, names=kinds)))


def test_cookies_that_nobody_declared_stand_by_name(tmp_path: Path, shell: Shell, settings: Settings) -> None:
    registry = Registry.build(settings)
    pages, undescribed = CookiesPage(shell, registry, settings), Undescribed(tmp_path, registry)
    assert "Not yet described" not in pages.render_cookies("en", undescribed=undescribed.names())
    met(tmp_path, undeclared={"cart": 3, "theme": 9, "visits_1": 2}, brought={"_ga": 5})
    text = Markup(pages.render_cookies("en", undescribed=undescribed.names())).text
    assert "Not yet described" in text
    assert "_ga cart" in text
    assert "visits_1" not in text  # declared by now


def test_what_a_browser_may_have_invented_is_no_message_to_the_public(tmp_path: Path, registry: Registry) -> None:
    invented = ["buy.at.example", "hello world", "<b>", "ш", "a" * 41, "x=y"]
    met(tmp_path, brought=dict.fromkeys(invented, 99), undeclared={"own.cookie": 1, "\u202eevil<b>": 1})
    assert Undescribed(tmp_path, registry).names() == ("\\u202eevil<b>", "own.cookie")


def test_many_names_are_cut_to_the_most_frequent(tmp_path: Path, registry: Registry) -> None:
    met(tmp_path, undeclared={f"c{n:03}": n + 1 for n in range(200)})
    names = Undescribed(tmp_path, registry).names()
    assert len(names) == MAX_NAMES
    assert names[0] == "c150"


def test_names_are_escaped_on_the_page(shell: Shell, registry: Registry, settings: Settings) -> None:
    page = CookiesPage(shell, registry, settings).render_cookies("en", undescribed=["<script>alert(1)</script>"])
    assert not Markup(page).find("script")
    assert json.dumps("<script>") not in page
