"""Privacy signals: what is optional stays denied, and only what was granted under the signal counts."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from consentkit.consent.seen import Seen
from consentkit.consent.visit import VISIT, Visit
from tests.consent.gating import ALL, Headers, Passage, choice_cookie, pass_through

GPC = (b"sec-gpc", b"1")
HTML = (b"content-type", b"text/html")


def consent_of(passage: Passage) -> Visit:
    visit = passage.scope[VISIT]
    assert isinstance(visit, Visit)
    return visit


def test_a_signal_denies_what_is_optional_and_asks_nothing() -> None:
    passage = pass_through([GPC, (b"cookie", b"theme=dark; a=1")], [(b"set-cookie", b"theme=dark")])
    visit = consent_of(passage)
    assert visit.has_signal
    assert visit.consent.decided
    assert visit.consent.categories == {"preferences": False, "statistics": False, "marketing": False}
    assert passage.seen == [GPC, (b"cookie", b"a=1")]
    assert passage.left == []


@pytest.mark.parametrize("value", [b"0", b"", b"true", b" 1", b"1 ", b"01", b"1, 1", b"?1"])
def test_only_the_value_one_is_the_signal(value: bytes) -> None:
    visit = consent_of(pass_through([(b"sec-gpc", value)]))
    assert not visit.has_signal
    assert not visit.consent.decided


@pytest.mark.parametrize(
    ("under_signal", "now", "passes"),
    [
        pytest.param(False, False, True, id="granted without it, and it is off"),
        pytest.param(False, True, False, id="granted without it, and it is on: suspended"),
        pytest.param(True, True, True, id="granted with it, and it is on"),
        pytest.param(True, False, True, id="granted with it, and it is off"),
    ],
)
def test_a_grant_counts_under_the_signal_when_it_was_given_under_it(
    *, under_signal: bool, now: bool, passes: bool
) -> None:
    request: Headers = [(b"cookie", choice_cookie(ALL, under_signal=under_signal)), *([GPC] if now else [])]
    passage = pass_through(request, [(b"set-cookie", b"theme=dark")])
    assert bool(passage.left) is passes
    assert consent_of(passage).is_suspended is not passes


def test_what_is_only_suspended_is_not_deleted() -> None:
    passage = pass_through([GPC, (b"cookie", choice_cookie(ALL) + b"; theme=dark")], [HTML])
    assert passage.set_cookies == []
    assert passage.seen[1:] == [(b"cookie", choice_cookie(ALL))]


def test_a_service_that_was_allowed_alone_is_suspended_too() -> None:
    cookie = choice_cookie("", ALL, services=frozenset({"video"}))
    passage = pass_through([GPC, (b"cookie", cookie)], [(b"set-cookie", b"vid=1")])
    assert passage.left == []
    assert consent_of(passage).is_suspended


def test_a_category_without_an_answer_is_denied_while_the_signal_is_on() -> None:
    cookie = choice_cookie("statistics", under_signal=True)
    visit = consent_of(pass_through([GPC, (b"cookie", cookie)]))
    assert visit.consent.decided
    assert visit.consent.granted == {"statistics"}


def test_pages_shown_under_a_signal_are_counted_by_day_and_nothing_else_is() -> None:
    seen = Seen()
    pass_through([GPC], [HTML], seen=seen)
    pass_through([GPC], [(b"content-type", b"image/png")], seen=seen)
    pass_through([], [HTML], seen=seen)
    (day, pages) = next(iter(seen.counts.signals.items()))
    assert len(day) == len("2026-11-23")
    assert pages == 1
    assert len(seen.counts.signals) == 1


def do_not_track(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return (b"dnt", b"1") in headers


def test_a_site_adds_a_signal_of_its_own_in_one_place() -> None:
    heard = pass_through([(b"dnt", b"1"), (b"cookie", choice_cookie(ALL))], signals=[do_not_track])
    assert consent_of(heard).consent.granted == frozenset()
    assert consent_of(heard).has_signal
    ignored = pass_through([(b"dnt", b"1"), (b"cookie", choice_cookie(ALL))])
    assert consent_of(ignored).consent.granted == frozenset(ALL.split())
