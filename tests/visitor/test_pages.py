from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from consentkit.consent.registry import Registry
from consentkit.settings import Settings
from consentkit.visitor.embed import Embeds
from consentkit.visitor.error_page import ErrorPage
from consentkit.visitor.settings_page import Asker, SettingsPage
from consentkit.visitor.shell import Shell
from consentkit.web.texts import Texts
from tests.visitor.markup import Markup

LANGUAGES = ("lv", "ru", "en", "et", "lt")
UNDECIDED: dict[str, bool | None] = {"preferences": None, "statistics": None, "marketing": None}
NOBODY = Asker(consent_state=UNDECIDED)


def sending(*names: bytes) -> Asker:
    """Somebody who has not answered, and whose browser sends these cookies."""
    return Asker(consent_state=UNDECIDED, sent_cookies=names)


@pytest.fixture(scope="session")
def settings_page(shell: Shell, registry: Registry, settings: Settings) -> SettingsPage:
    return SettingsPage(shell, registry, settings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_settings_page_is_whole_and_in_one_language(settings_page: SettingsPage, language: str) -> None:
    markup = Markup(settings_page.render_settings(language, NOBODY))
    assert markup.is_nested
    assert markup.find("html", lang=language)
    assert not markup.find("script")
    assert not markup.find("style")


def test_nothing_is_ticked_but_what_was_granted(settings_page: SettingsPage) -> None:
    state = {"preferences": False, "statistics": True, "marketing": None}
    markup = Markup(settings_page.render_settings("en", Asker(consent_state=state)))
    ticked = [box["name"] for box in markup.find("input", type="checkbox") if "checked" in box]
    assert ticked == ["statistics"]


def test_accept_reject_and_save_stand_in_forms_of_their_own(settings_page: SettingsPage) -> None:
    page = settings_page.render_settings("en", NOBODY, next_url="/shop?a=1&b=2")
    markup = Markup(page)
    forms = markup.find("form", method="post", action="/consentkit/choice")
    assert len(forms) == 3
    assert [button["value"] for button in markup.find("button", name="decision")] == ["save", "accept", "reject"]
    assert markup.find("button", value="save", form="choices")
    assert len(markup.find("input", name="next", value="/shop?a=1&b=2")) == 3


def test_each_declared_cookie_is_described(settings_page: SettingsPage) -> None:
    text = Markup(settings_page.render_settings("lv", NOBODY)).text
    assert "theme Atceras gaišo vai tumšo izskatu SIA Piemērs 365 dienas" in text
    assert "90 dienu" in text


def test_cookies_of_this_request_are_listed_with_category_and_a_way_to_remove_them(
    settings_page: SettingsPage,
) -> None:
    page = settings_page.render_settings("en", sending(b"theme", b"visits_9", b"stranger"))
    markup = Markup(page)
    assert [box["value"] for box in markup.find("input", name="name")] == ["theme", "visits_9", "stranger"]
    assert len(markup.find("form", action="/consentkit/remove")) == 3
    assert "Not yet described" in markup.text


@example_settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5))
def test_any_cookie_name_is_shown_safely_and_comes_back_unchanged(
    settings_page: SettingsPage, names: list[bytes]
) -> None:
    plain = Markup(settings_page.render_settings("en", sending(b"x")))
    markup = Markup(settings_page.render_settings("en", sending(*names)))
    returned = [unquote_to_bytes(box["value"] or "") for box in markup.find("input", name="name")]
    assert returned == list(dict.fromkeys(names))
    assert len(markup.find("a")) == len(plain.find("a"))
    assert not set(markup.text) & set("\x00\x07\x1b\u202e\u200b")


def test_no_more_names_are_listed_than_a_browser_can_send(settings_page: SettingsPage) -> None:
    names = [b"n%d" % number for number in range(5_000)]
    markup = Markup(settings_page.render_settings("en", sending(*names)))
    assert len(markup.find("input", name="name")) == 200


def test_the_page_says_what_was_saved_what_went_wrong_and_that_a_signal_is_honoured(
    settings_page: SettingsPage,
) -> None:
    asker = Asker(consent_state=UNDECIDED, gpc=True)
    page = settings_page.render_settings("en", asker, saved=True, errors=["It went wrong."])
    text = Markup(page).text
    assert "Saved: optional cookies are off." in text
    assert "Global Privacy Control" in text
    assert "It went wrong." in text


def test_the_language_switch_names_each_language_in_itself(settings_page: SettingsPage) -> None:
    markup = Markup(settings_page.render_settings("et", NOBODY, next_url="/a b"))
    links = [link for link in markup.find("a") if "hreflang" in link]
    assert [link["hreflang"] for link in links] == list(LANGUAGES)
    assert [link["hreflang"] for link in links if link.get("aria-current")] == ["et"]
    assert links[0]["href"] == "/consentkit/settings?lang=lv&next=%2Fa+b"
    for name in ("Latviešu", "Русский", "English", "Eesti", "Lietuvių"):
        assert name in markup.text


def test_pages_lie_under_the_root_path(settings_page: SettingsPage) -> None:
    markup = Markup(settings_page.render_settings("en", NOBODY, root_path="/shop"))
    assert len(markup.find("form", action="/shop/consentkit/choice")) == 3
    assert all((link["href"] or "").startswith("/shop/consentkit/static/") for link in markup.find("link"))


@pytest.mark.parametrize("status", [400, 403, 404, 413, 429, 503])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_has_a_page_with_a_way_on(shell: Shell, language: str, status: int) -> None:
    markup = Markup(ErrorPage(shell).render_error(language, status=status, next_url="/shop"))
    assert markup.is_nested
    assert markup.find("h1")
    assert markup.find("a", href="/shop")
    ways = markup.find("a", href=f"/consentkit/settings?lang={language}&next=%2Fshop")
    assert len(ways) == (1 if status == 404 else 2)  # one stands in the foot of every page


@pytest.fixture(scope="session")
def embeds(registry: Registry, texts: Texts) -> Embeds:
    return Embeds(registry, texts, mount="/consentkit")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_placeholder_names_the_provider_and_waits(embeds: Embeds, language: str) -> None:
    made = embeds.placeholder(language, service="video", content="<iframe></iframe>", url="https://v.example.net/")
    markup = Markup(str(made))
    assert markup.is_nested
    assert "Example Video Limited" in markup.text
    assert markup.find("template", data_consent="marketing", data_service="video")
    assert "hidden" in markup.find("button", data_action="embed-once")[0]
    assert markup.find("a", href="https://v.example.net/")
    assert markup.find("svg", width="560", height="315")


def test_a_placeholders_form_allows_its_service_alone_and_keeps_the_rest(embeds: Embeds) -> None:
    markup = Markup(str(embeds.placeholder("en", service="video", content="", next_url="/film")))
    fields = {box["name"]: box["value"] for box in markup.find("input", type="hidden")}
    assert fields["service"] == "video"
    assert "marketing" not in fields
    assert fields["keep"] == "on"
    assert fields["next"] == "/film"
    assert markup.find("button", name="decision", value="save")


def test_a_link_that_is_no_web_address_is_left_out(embeds: Embeds) -> None:
    made = embeds.placeholder("en", service="video", content="", url="javascript:alert(1)")
    assert not Markup(str(made)).find("a")


def test_an_undeclared_service_has_no_placeholder(embeds: Embeds) -> None:
    assert embeds.placeholder("en", service="other", content="") is None
