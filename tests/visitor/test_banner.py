from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from consentkit.consent.registry import Registry
from consentkit.settings import Settings
from consentkit.visitor.banner import Banner, State
from consentkit.web.assets import Assets
from consentkit.web.texts import Texts
from tests.visitor.markup import Markup

LANGUAGES = ("lv", "ru", "en", "et", "lt")
STATES: tuple[State, ...] = ("ask", "answered", "shared", "notice")


def body_of(banner: Banner, language: str = "en", state: State = "ask", next_url: str = "/a?b=c") -> Markup:
    insertion = banner.fragment(language, state=state, next_url=next_url, nonce=None, revision=7)
    return Markup(insertion.body.decode("ascii"))


def head_of(banner: Banner, state: State = "ask", nonce: str | None = None, root_path: str = "") -> Markup:
    insertion = banner.fragment("en", state=state, next_url="/", nonce=nonce, root_path=root_path)
    return Markup(insertion.head.decode("ascii"))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_markup_is_whole_and_ascii(banner: Banner, language: str, state: State) -> None:
    markup = body_of(banner, language, state)
    assert markup.is_nested
    assert markup.find("div", id="consentkit", role="region", lang=language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_ticked_for_who_has_not_decided(banner: Banner, language: str) -> None:
    boxes = body_of(banner, language).find("input", type="checkbox")
    assert [box["name"] for box in boxes] == ["preferences", "statistics", "marketing"]
    assert not any("checked" in box for box in boxes)


def test_every_answer_has_its_hook_once(banner: Banner) -> None:
    markup = body_of(banner)
    for action in ("accept", "reject", "settings", "save"):
        assert len(markup.find(data_action=action)) == 1


def test_accept_reject_and_settings_are_one_class(banner: Banner) -> None:
    markup = body_of(banner)
    classes = [markup.find(data_action=action)[0]["class"] for action in ("accept", "reject", "settings")]
    assert classes == ["ck-button"] * 3


def test_without_script_answers_are_posted_and_settings_are_a_page(banner: Banner) -> None:
    markup = body_of(banner)
    (form,) = markup.find("form", id="consentkit-answer")
    assert (form["method"], form["action"]) == ("post", "/consentkit/choice")
    assert markup.find("button", data_action="accept", name="decision", value="accept")
    assert markup.find("button", data_action="reject", name="decision", value="reject")
    (link,) = markup.find("a", data_action="settings")
    assert link["href"] == "/consentkit/settings?lang=en&next=%2Fa%3Fb%3Dc"


def test_every_form_comes_back_to_the_page_in_its_language(banner: Banner) -> None:
    markup = body_of(banner, "et")
    forms = len(markup.find("form"))
    assert len(markup.find("input", name="next", value="/a?b=c")) == forms
    assert len(markup.find("input", name="lang", value="et")) == forms


def test_the_first_button_of_the_settings_form_saves(banner: Banner) -> None:
    body = banner.fragment("en", state="ask", next_url="/", nonce=None).body.decode()
    dialog = Markup(body[body.index("<dialog") :].split("</dialog>")[0])
    own = [button for button in dialog.find("button") if "form" not in button]
    assert own[0]["value"] == "save"


@pytest.mark.parametrize(("state", "is_hidden"), [("ask", False), ("answered", True), ("shared", True)], ids=str)
def test_the_banner_is_hidden_once_answered_and_in_shared_pages(
    banner: Banner, state: State, is_hidden: bool
) -> None:
    markup = body_of(banner, state=state)
    assert ("hidden" in markup.find(id="consentkit")[0]) is is_hidden
    (way_back,) = markup.find("nav")
    assert ("hidden" in way_back) is not is_hidden


def test_shared_markup_is_the_same_for_every_page(banner: Banner) -> None:
    def shared(next_url: str) -> bytes:
        return banner.fragment("en", state="shared", next_url=next_url, nonce=None).body

    assert shared("/one") == shared("/two?a=b")
    assert b"/one" not in shared("/one")


def test_only_shared_pages_load_the_early_script(banner: Banner) -> None:
    assert len(head_of(banner, "shared").find("script")) == 2
    assert head_of(banner, "ask").find("script", type="module")
    assert len(head_of(banner, "ask").find("script")) == 1


def test_the_script_is_told_where_and_what(banner: Banner) -> None:
    (root,) = body_of(banner).find(id="consentkit")
    assert root["data-mount"] == "/consentkit"
    assert root["data-cookie"] == "__Host-consentkit consentkit"
    assert root["data-revision"] == "7"
    assert (root["data-categories"] or "").split() == ["preferences", "statistics", "marketing"]


def test_a_nonce_stands_in_every_tag_that_may_need_it(banner: Banner) -> None:
    markup = head_of(banner, "shared", nonce="r4nd0m+/=")
    assert [attributes["nonce"] for _, attributes in markup.elements] == ["r4nd0m+/="] * 3
    assert all("nonce" not in attributes for _, attributes in head_of(banner).elements)


def test_addresses_begin_with_the_root_path(banner: Banner) -> None:
    insertion = banner.fragment("en", state="ask", next_url="/", nonce=None, root_path="/shop & more")
    assert insertion.body.count(b'action="/shop%20%26%20more/consentkit/choice"') == 2
    assert b'src="/shop%20%26%20more/consentkit/static/consentkit.' in insertion.head


@pytest.mark.parametrize("state", STATES)
def test_no_script_or_style_is_written_into_the_page(banner: Banner, state: State) -> None:
    insertion = banner.fragment("en", state=state, next_url="/", nonce=None)
    markup = Markup((insertion.head + insertion.body).decode())
    assert all(script["src"] for script in markup.find("script"))
    assert not markup.find("style")
    attributes = {name for _, found in markup.elements for name in found}
    assert not {name for name in attributes if name.startswith("on") or name == "style"}


@example_settings(deadline=None)
@given(
    next_url=st.text(max_size=2_100),
    nonce=st.none() | st.text(max_size=50),
    root_path=st.text(max_size=50),
)
def test_nothing_from_a_request_breaks_out_of_its_place(
    settings: Settings,
    registry: Registry,
    texts: Texts,
    assets: Assets,
    next_url: str,
    nonce: str | None,
    root_path: str,
) -> None:
    banner = _kept(settings, registry, texts, assets)
    plain = banner.fragment("lv", state="ask", next_url="/", nonce=None)
    made = banner.fragment("lv", state="ask", next_url=next_url, nonce=nonce, root_path=root_path)
    for one, other in ((plain.head, made.head), (plain.body, made.body)):
        expected, found = Markup(one.decode("ascii")), Markup(other.decode("ascii"))
        assert [tag for tag, _ in found.elements] == [tag for tag, _ in expected.elements]
        assert found.text == expected.text
        for (_, wanted), (_, got) in zip(expected.elements, found.elements, strict=True):
            assert set(got) - {"nonce"} == set(wanted)


_banners: dict[int, Banner] = {}


def _kept(settings: Settings, registry: Registry, texts: Texts, assets: Assets) -> Banner:
    return _banners.setdefault(id(settings), Banner(settings, registry, texts, assets, mount="/consentkit"))


def test_an_address_too_long_to_take_back_is_left_out(banner: Banner) -> None:
    body = banner.fragment("en", state="ask", next_url="/" + "x" * 10_000, nonce=None).body
    assert b"xxxx" not in body


def test_an_operators_name_is_text_and_nothing_else(texts: Texts, assets: Assets, tmp_path: object) -> None:
    settings = Settings.from_mapping(
        {
            "site": {"operator": '<script src="//x">&{operator}'},
            "consent": {
                "cookies": [{"name": "a", "category": "statistics", "purpose": "<b>", "lifetime_days": 1}]
            },
        },
        base=tmp_path,  # type: ignore[arg-type]
        environ={},
    )
    banner = Banner(settings, Registry.build(settings), texts, assets, mount="/consentkit")
    body = banner.fragment("en", state="ask", next_url="/", nonce=None).body.decode()
    assert "<script" not in body
    assert '<script src="//x">&{operator} uses cookies' in html.unescape(body)


@pytest.fixture
def quiet_banner(texts: Texts, assets: Assets, tmp_path: object) -> Banner:
    settings = Settings.from_mapping({}, base=tmp_path, environ={})  # type: ignore[arg-type]
    return Banner(settings, Registry.build(settings), texts, assets, mount="/consentkit")


@pytest.mark.parametrize("state", STATES)
def test_a_site_with_necessary_cookies_alone_gives_notice_and_asks_nothing(
    quiet_banner: Banner, state: State
) -> None:
    markup = body_of(quiet_banner, state=state)
    assert "This site uses only cookies that it cannot work without." in markup.text
    assert not markup.find("dialog")
    assert not markup.find(data_action="accept")
    assert not markup.find("input", type="checkbox")


def test_only_declared_purposes_are_named(texts: Texts, assets: Assets, tmp_path: object) -> None:
    settings = Settings.from_mapping(
        {"consent": {"cookies": [{"name": "v", "category": "statistics", "purpose": "x", "lifetime_days": 1}]}},
        base=tmp_path,  # type: ignore[arg-type]
        environ={},
    )
    banner = Banner(settings, Registry.build(settings), texts, assets, mount="/consentkit")
    text = body_of(banner).text
    assert "If you agree, this site uses cookies on your device to understand how the site is used." in text
    assert "advertising" not in text
    assert "remember your choices" not in text


def test_another_language_than_the_sites_gets_the_default(banner: Banner) -> None:
    assert body_of(banner, "fi").find(id="consentkit", lang="lv")
