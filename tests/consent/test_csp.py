"""The narrowing policy: it takes refused services away and nothing else, and its reports count hosts alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.choice import Consent
from consentkit.consent.csp import Mode, Narrowing
from consentkit.consent.cspreport import ReportDesk, blocked_hosts
from consentkit.consent.page import EMBEDDED
from consentkit.consent.seen import Seen
from tests.consent.gating import ALL, REGISTRY, Headers, Passage, choice_cookie, pass_through

HTML = (b"content-type", b"text/html; charset=utf-8")
GRANTED, DENIED = choice_cookie(ALL), choice_cookie("", ALL)
POLICY = b"content-security-policy"
REPORT_ONLY = b"content-security-policy-report-only"


def narrowing(mode: Mode = "enforce", hosts: tuple[str, ...] = ("cdn.example.org",)) -> Narrowing:
    return Narrowing(mode, REGISTRY.services, hosts, mount="/consentkit")


def answered(cookie: bytes, response: Headers, *, mode: Mode = "enforce", **more: object) -> Passage:
    request = [(b"cookie", cookie)] if cookie else []
    return pass_through(request, response, narrowing=narrowing(mode), **more)  # type: ignore[arg-type]


def sources(policy: bytes | None, directive: str) -> list[str]:
    assert policy is not None
    found = {name: values for name, *values in (part.split() for part in policy.decode().split(";"))}
    return found[directive]


DIRECTIVES = ("script-src", "connect-src", "img-src", "frame-src")


@pytest.mark.parametrize("directive", DIRECTIVES)
@pytest.mark.parametrize(
    ("cookie", "allowed"),
    [(GRANTED, True), (DENIED, False), (b"", False)],
    ids=["granted", "denied", "undecided"],
)
def test_hosts_of_a_service_are_allowed_when_it_is_granted_and_of_necessary_ones_always(
    cookie: bytes, directive: str, *, allowed: bool
) -> None:
    found = sources(answered(cookie, [HTML]).field(POLICY), directive)
    assert ("video.example.net" in found) is allowed
    assert "*.pay.example.net" in found
    assert "cdn.example.org" in found
    assert {"'self'", "data:", "blob:"} <= set(found)


def test_a_service_that_is_allowed_alone_has_its_hosts() -> None:
    cookie = choice_cookie("", ALL, services=frozenset({"video"}))
    assert "video.example.net" in sources(answered(cookie, [HTML]).field(POLICY), "frame-src")


def test_a_service_that_waits_in_a_placeholder_can_be_loaded_once() -> None:
    passage = answered(DENIED, [HTML], state={EMBEDDED: {"video"}})
    assert "video.example.net" in sources(passage.field(POLICY), "frame-src")


def test_inline_code_stays_the_apps_own_affair() -> None:
    own = (b"content-security-policy", b"script-src 'nonce-abc' 'strict-dynamic'")
    passage = answered(DENIED, [HTML, own])
    policies = [value for name, value in passage.left if name == POLICY]
    assert policies[0] == own[1], "the app's policy stands as it was, before ours"
    assert {"'unsafe-inline'", "'unsafe-eval'"} <= set(sources(policies[1], "script-src"))
    assert b"nonce" not in policies[1]
    assert b"default-src" not in policies[1]


def test_report_reports_and_blocks_nothing() -> None:
    passage = answered(DENIED, [HTML], mode="report")
    assert passage.field(POLICY) is None
    assert b"report-uri /consentkit/csp-report" in (passage.field(REPORT_ONLY) or b"")


def test_over_https_reports_have_an_endpoint_by_name() -> None:
    passage = answered(b"", [HTML], scheme="https")
    assert passage.field(b"reporting-endpoints") == b'consentkit-csp="/consentkit/csp-report"'
    assert (passage.field(POLICY) or b"").endswith(b"report-to consentkit-csp")


@pytest.mark.parametrize(
    "response",
    [
        pytest.param([(b"content-type", b"application/json")], id="no page"),
        pytest.param([HTML, (b"content-disposition", b"attachment")], id="to be saved"),
        pytest.param([HTML, (b"cache-control", b"public, max-age=60")], id="shared"),
        pytest.param([HTML, (b"cache-control", b"s-maxage=60")], id="kept by a network"),
        pytest.param([HTML, (b"etag", b'"1"')], id="revalidated"),
        pytest.param([HTML, (b"last-modified", b"Thu, 01 Jan 2026 00:00:00 GMT")], id="revalidated by date"),
    ],
)
def test_what_a_cache_could_give_to_another_has_no_policy_of_one_visitor(response: Headers) -> None:
    assert answered(DENIED, response).left == response


def test_a_page_with_a_visitors_policy_is_this_visitors_alone() -> None:
    passage = answered(DENIED, [HTML])
    assert passage.field(b"cache-control") == b"private"
    assert passage.field(b"vary") == b"Cookie, Sec-GPC"


def test_without_the_setting_no_page_is_touched() -> None:
    assert pass_through([(b"cookie", GRANTED)], [HTML]).left == [HTML]


def test_a_strange_root_path_can_not_end_the_header() -> None:
    consent = Consent(frozenset(), frozenset(), REGISTRY.categories)
    fields = narrowing().fields(consent, root_path='/a"; script-src *\r\nx: y', is_secure=True)
    text = b"".join(value for _, value in fields)
    assert b"\r" not in text
    assert b"script-src *" not in text


def old_report(blocked: object) -> bytes:
    return json.dumps({"csp-report": {"blocked-uri": blocked, "document-uri": "https://example.com/a"}}).encode()


def new_report(*blocked: object) -> bytes:
    return json.dumps([{"type": "csp-violation", "body": {"blockedURL": each}} for each in blocked]).encode()


@pytest.mark.parametrize(
    ("body", "hosts"),
    [
        pytest.param(old_report("https://video.example.net/v/1?who=me"), ["video.example.net"], id="report-uri"),
        pytest.param(
            new_report("https://a.example.net/x", "wss://b.example.net"),
            ["a.example.net", "b.example.net"],
            id="report-to",
        ),
        pytest.param(new_report(*["https://a.example.net/"] * 3), ["a.example.net"], id="several of one"),
        pytest.param(old_report("inline"), [], id="no host"),
        pytest.param(old_report("data"), [], id="a scheme"),
        pytest.param(old_report(7), [], id="no text"),
        pytest.param(old_report("https://[::1/"), [], id="no address"),
        pytest.param(old_report("https://<script>/"), [], id="no name"),
        pytest.param(b"[]", [], id="nothing"),
        pytest.param(b'[{"type": "deprecation", "body": {"x": 1}}]', [], id="of something else"),
    ],
)
def test_of_a_report_the_hosts_are_read(body: bytes, hosts: list[str]) -> None:
    assert blocked_hosts(body) == hosts


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"7", b"[7]", b'{"csp-report": 7}', b"\xff"])
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="no report"):
        blocked_hosts(body)


@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda text: json.dumps([{"body": text}]).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        hosts = blocked_hosts(body)
    except ValueError:
        return
    assert all(len(host) <= 128 for host in hosts)


def test_invented_hosts_do_not_push_out_those_of_services() -> None:
    seen = Seen()
    desk = ReportDesk(REGISTRY.services, seen)
    desk.take(old_report("https://video.example.net/1"))
    desk.take(old_report("https://cdn.pay.example.net/1"))
    for number in range(5_000):
        desk.take(old_report(f"https://invented-{number}.example.org/"))
    counts = seen.counts.blocked_hosts
    assert counts["video.example.net"] == 1
    assert counts["*.pay.example.net"] == 1
    assert len(counts) <= 256 + 2


def test_reports_are_taken_at_a_bounded_rate() -> None:
    desk = ReportDesk((), Seen())
    assert 100 <= sum(desk.has_room() for _ in range(1_000)) <= 110
