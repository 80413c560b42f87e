"""Extensions of browsers: those that answer for their user find what they need, those that hide find nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.blocklists import BLOCKED_ADDRESSES, HIDDEN_CLASSES, HIDDEN_IDS, HIDDEN_WORDS, blocks
from tests.browser.looks import STATES
from tests.opening import OpenPage
from tests.serving import REPOSITORY

pytestmark = pytest.mark.browser

IS_ANSWERED = "document.getElementById('consentkit').hidden"


def marks(page: Page) -> str:
    [value] = [each.get("value", "") for each in page.context.cookies() if each.get("name") == "consentkit"]
    return value.split(".")[1]


def click(page: Page, action: str, within: str = "#consentkit") -> None:
    """Click by script, as an extension does, without the visitor's own hand."""
    page.evaluate("(selector) => document.querySelector(selector).click()", f"{within} [data-action={action}]")


@pytest.mark.parametrize("path", ["/", "/shared", "/loud"])
@pytest.mark.parametrize(("action", "kept"), [("accept", "p1s1m1"), ("reject", "p0s0m0")])
def test_an_extension_answers_by_the_hooks_alone(look: OpenPage, path: str, action: str, kept: str) -> None:
    page = look(f"{path}?lang=et")
    assert not page.evaluate(IS_ANSWERED)
    click(page, action)
    expect(page.locator("#consentkit")).to_be_hidden()
    assert page.evaluate(IS_ANSWERED)
    assert marks(page) == kept


@pytest.mark.parametrize("category", ["preferences", "statistics", "marketing"])
def test_an_extension_ticks_one_category_by_its_name_and_saves(look: OpenPage, category: str) -> None:
    page = look("/?lang=lt")
    click(page, "settings")
    boxes = page.evaluate(
        """() => [...document.querySelectorAll("#consentkit input[type=checkbox]")]
          .map(({name, checked}) => [name, checked])"""
    )
    assert boxes == [["preferences", False], ["statistics", False], ["marketing", False]]
    page.evaluate(
        """(name) => document.querySelector(`#consentkit input[type=checkbox][name=${name}]`).click()""", category
    )
    click(page, "save")
    expect(page.locator("#consentkit")).to_be_hidden()
    assert marks(page) == "".join(
        f"{name[0]}{int(name == category)}" for name in ("preferences", "statistics", "marketing")
    )


def test_an_extension_sees_on_the_next_page_that_nothing_is_asked(look: OpenPage) -> None:
    page = look("/?lang=en")
    click(page, "reject")
    expect(page.locator("#consentkit")).to_be_hidden()
    page.goto("/loud?lang=en")
    assert page.evaluate(IS_ANSWERED)


def is_hidden(name: str, named: frozenset[str]) -> bool:
    return name.casefold() in named or any(word in name.casefold() for word in HIDDEN_WORDS)


@pytest.mark.parametrize("state", STATES)
def test_no_list_hides_an_element_of_ours(look: OpenPage, state: str) -> None:
    page = STATES[state].show(look, "en")
    ids, classes, tags = page.evaluate(
        """() => {
          const ours = [...document.querySelectorAll(".ck, .ck *")];
          return [ours.map(({id}) => id).filter(Boolean), ours.flatMap(({classList}) => [...classList]),
            ours.map(({localName}) => localName)];
        }"""
    )
    assert classes
    assert [name for name in ids if is_hidden(name, HIDDEN_IDS)] == []
    assert [name for name in classes if is_hidden(name, HIDDEN_CLASSES)] == []
    assert [name for name in tags if "-" in name] == []


def test_no_list_hides_what_a_style_sheet_of_ours_is_for() -> None:
    sheets = [REPOSITORY / "static" / name for name in ("consentkit.css", "page.css")]
    classes = {name for sheet in sheets for name in re.findall(r"\.(ck[\w-]*)", sheet.read_text("utf-8"))}
    assert len(classes) > 20
    assert sorted(name for name in classes if is_hidden(name, HIDDEN_CLASSES)) == []


@pytest.mark.parametrize("file", sorted(path.name for path in (REPOSITORY / "static").glob("*.[cj]s*")))
def test_no_list_blocks_a_file_of_ours(file: str) -> None:
    name = Path(file)
    address = f"https://www.example.org/consentkit/static/{name.stem}.0123456789abcdef{name.suffix}"
    assert [rule for rule in BLOCKED_ADDRESSES if blocks(rule, address)] == []


@pytest.mark.parametrize("path", ["/consentkit/choice", "/consentkit/heads.json", "/consentkit/keys.json"])
def test_no_list_blocks_what_a_script_of_ours_asks_for(path: str) -> None:
    assert [rule for rule in BLOCKED_ADDRESSES if blocks(rule, f"https://www.example.org{path}")] == []


@pytest.mark.parametrize(
    ("rule", "address"),
    [
        ("/cookieconsent/*", "https://www.example.org/cookieconsent/main.js"),
        ("/css/modules/consent.css^", "https://www.example.org/css/modules/consent.css"),
        ("-Consent-Banner.", "https://www.example.org/my-consent-banner.js"),
    ],
)
def test_the_rules_are_read_as_the_lists_mean_them(rule: str, address: str) -> None:
    assert blocks(rule, address)
    assert not blocks(rule, "https://www.example.org/consentkit/static/consentkit.js")
