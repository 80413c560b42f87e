from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent import sweep
from consentkit.consent.choice import Choice, ChoiceSigner
from consentkit.consent.gate import Gate, Keys
from consentkit.consent.names import CookieNames
from consentkit.consent.policy import Policy, PolicyState
from consentkit.consent.registry import Registry
from consentkit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

Headers: TypeAlias = list[tuple[bytes, bytes]]

SETTINGS = Settings.from_mapping(
    {
        "site": {"operator": "SIA Piemērs", "contact": "privacy@example.lv"},
        "consent": {
            "cookies": [
                {
                    "name": "theme",
                    "category": "preferences",
                    "purpose": "Light or dark",
                    "lifetime_days": 365,
                },
                {"name": "size", "category": "preferences", "purpose": "Text size", "on_refusal": "session"},
                {
                    "name": "_s_*",
                    "category": "statistics",
                    "purpose": "Counts",
                    "lifetime_days": 30,
                    "path": "/shop",
                },
                {"name": "ad", "category": "marketing", "purpose": "Adverts", "domain": "example.lv"},
            ]
        },
    },
    base=Path("/srv/site"),
)
REGISTRY = Registry.build(SETTINGS)
SIGNER = ChoiceSigner(b"k" * 32)
POLICY = Policy(PolicyState(1, "h", {}), REGISTRY.categories, 184)


def choice_cookie(granted: str, denied: str = "") -> bytes:
    choice = Choice(frozenset(granted.split()), frozenset(denied.split()), 1, int(time.time()))
    return b"consentkit=" + SIGNER.write(choice).encode()


REFUSED = choice_cookie("", "preferences statistics marketing")
ACCEPTED = choice_cookie("preferences statistics marketing")
UNDECIDED = b""


def pass_through(
    request: Headers,
    response: Headers,
    *,
    kind: str = "http",
    blocks: bool = False,
    is_debug: bool = False,
    keys: Callable[[], Keys | None] = lambda: Keys(SIGNER, POLICY),
    scheme: str = "http",
) -> tuple[Headers, Headers]:
    """Return the headers that the app saw, and those that left."""
    seen: list[Headers] = []
    sent: list[Message] = []
    starts = {
        "http": "http.response.start",
        "websocket": "websocket.accept",
        "denial": "websocket.http.response.start",
    }

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope["headers"])
        await send({"type": starts[kind], "status": 200, "headers": list(response)})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http" if kind == "http" else "websocket",
        "method": "GET",
        "scheme": scheme,
        "path": "/",
        "headers": [(b"host", b"www.example.lv"), *request],
    }
    gate = Gate(
        app,
        registry=REGISTRY,
        keys=keys,
        names=CookieNames("consentkit", has_prefix=True),
        blocks_undeclared=blocks,
        is_debug=is_debug,
    )

    async def serve() -> None:
        await gate(scope, receive, send)

    asyncio.run(serve())
    return seen[0][1:], sent[0]["headers"]


@pytest.mark.parametrize("answer", [UNDECIDED, REFUSED], ids=["undecided", "refused"])
@pytest.mark.parametrize("kind", ["http", "websocket", "denial"])
def test_a_cookie_that_is_not_granted_never_leaves(answer: bytes, kind: str) -> None:
    response = [
        (b"set-cookie", b"theme=dark"),
        (b"Set-Cookie", b"_s_1=x; Path=/"),
        (b"set-cookie", b"session=abc"),
    ]
    _, left = pass_through([(b"cookie", answer)] if answer else [], response, kind=kind)
    assert left == [(b"set-cookie", b"session=abc")]


@pytest.mark.parametrize("answer", [UNDECIDED, REFUSED], ids=["undecided", "refused"])
def test_a_cookie_that_is_not_granted_never_reaches_the_app(answer: bytes) -> None:
    seen, _ = pass_through([(b"cookie", b"; ".join(filter(None, [answer, b"a=1", b"theme=dark", b"_s_9=2"])))], [])
    assert seen == [(b"cookie", b"; ".join(filter(None, [answer, b"a=1"])))]


def test_all_passes_when_all_is_granted() -> None:
    request = [(b"cookie", ACCEPTED + b"; theme=dark; _s_9=2"), (b"x-other", b"\xff")]
    response = [
        (b"set-cookie", b"theme=dark; Max-Age=60"),
        (b"set-cookie", b"_s_1=1"),
        (b"x-a", b"1"),
        (b"x-a", b"2"),
    ]
    assert pass_through(request, response) == (request, response)


def test_one_category_passes_and_another_does_not() -> None:
    answer = choice_cookie("statistics", "preferences marketing")
    seen, left = pass_through(
        [(b"cookie", answer + b"; theme=dark; _s_9=2")],
        [(b"set-cookie", b"theme=x"), (b"set-cookie", b"_s_1=y")],
    )
    assert seen == [(b"cookie", answer + b"; _s_9=2")]
    assert left == [(b"set-cookie", b"_s_1=y")]


def test_cookies_in_several_fields_are_all_looked_at() -> None:
    seen, _ = pass_through([(b"cookie", b"theme=dark"), (b"cookie", b"a=1"), (b"cookie", REFUSED)], [])
    assert seen == [(b"cookie", b"a=1"), (b"cookie", REFUSED)]


@pytest.mark.parametrize("name", [b"Theme", b"themes", b"xtheme", b"_S_1"])
def test_names_are_compared_whole_and_by_case(name: bytes) -> None:
    field = (b"set-cookie", name + b"=1")
    assert pass_through([(b"cookie", REFUSED)], [field])[1] == [field]


def test_deletions_always_pass() -> None:
    field = (b"set-cookie", b"theme=; Max-Age=0; Path=/")
    assert pass_through([(b"cookie", REFUSED)], [field])[1] == [field]


def test_a_preference_may_be_kept_for_the_session() -> None:
    _, left = pass_through([(b"cookie", REFUSED)], [(b"set-cookie", b"size=2; Max-Age=99; Path=/")])
    assert left == [(b"set-cookie", b"size=2; Path=/")]


def test_a_longer_lifetime_than_declared_is_cut() -> None:
    _, left = pass_through([(b"cookie", ACCEPTED)], [(b"set-cookie", b"_s_1=2; Max-Age=99999999")])
    assert left[0][1].startswith(b"_s_1=2; Max-Age=2592000; Expires=")


@pytest.mark.parametrize(("blocks", "expected"), [(False, 1), (True, 0)], ids=["report", "block"])
def test_an_undeclared_cookie_passes_or_not_as_the_settings_say(*, blocks: bool, expected: int) -> None:
    _, left = pass_through([(b"cookie", ACCEPTED)], [(b"set-cookie", b"unheard=1")], blocks=blocks)
    assert len(left) == expected


def test_before_the_start_nothing_is_granted() -> None:
    seen, left = pass_through(
        [(b"cookie", ACCEPTED + b"; theme=1")], [(b"set-cookie", b"theme=2")], keys=lambda: None
    )
    assert seen == [(b"cookie", ACCEPTED)]
    assert left == []


def test_on_https_only_the_prefixed_choice_counts() -> None:
    plain, prefixed = ACCEPTED, b"__Host-" + ACCEPTED
    response = [(b"set-cookie", b"theme=2")]
    assert pass_through([(b"cookie", plain)], response, scheme="https")[1] == []
    assert pass_through([(b"cookie", prefixed)], response, scheme="https")[1] == response


def test_a_second_choice_beside_ours_can_only_take_away() -> None:
    _, left = pass_through([(b"cookie", REFUSED + b"; " + ACCEPTED)], [(b"set-cookie", b"theme=2")])
    assert left == []


def test_a_forged_choice_grants_nothing() -> None:
    forged = REFUSED.replace(b"p0s0m0", b"p1s1m1")
    assert pass_through([(b"cookie", forged)], [(b"set-cookie", b"theme=2")])[1] == []


def test_in_debug_a_header_tells_what_was_dropped() -> None:
    _, left = pass_through([(b"cookie", REFUSED)], [(b"set-cookie", b"theme=2")], is_debug=True)
    assert left == [(b"consentkit-dropped", b"theme;category=preferences")]


def test_the_word_by_which_a_page_is_exempt_does_not_leave() -> None:
    assert pass_through([], [(b"ConsentKit-Exempt", b"1"), (b"x", b"y")])[1] == [(b"x", b"y")]


HTML = (b"content-type", b"text/html; charset=utf-8")


def test_a_refused_cookie_that_still_comes_is_expired_on_the_next_page() -> None:
    _, left = pass_through([(b"cookie", REFUSED + b"; _s_1=2")], [HTML])
    assert (b"set-cookie", b"_s_1=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/shop") in left
    assert (b"set-cookie", b"_s_1=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/") in left
    assert any(b"Domain=example.lv" in value for _, value in left)


@pytest.mark.parametrize(
    ("answer", "response"),
    [(UNDECIDED, [HTML]), (REFUSED, [HTML, (b"cache-control", b"public, max-age=60")]), (REFUSED, [])],
    ids=["undecided", "a page that caches share", "no page"],
)
def test_nothing_is_expired_without_a_refusal_or_where_a_cache_would_keep_it(
    answer: bytes, response: Headers
) -> None:
    assert pass_through([(b"cookie", answer + b"; theme=2")], response)[1] == response


def test_expirations_are_bounded_and_likeliest_first() -> None:
    names = [b"_s_%d" % number for number in range(50)]
    fields = sweep.expirations(names, REGISTRY, host="a.b.example.lv", is_secure=True)
    assert len(fields) <= sweep.MAX_FIELDS
    assert sum(map(len, fields)) <= sweep.MAX_BYTES
    assert [field.partition(b"=")[0] for field in fields[:3]] == names[:3]


def test_a_host_bound_cookie_is_expired_without_a_domain() -> None:
    for field in sweep.expirations([b"__Host-x"], REGISTRY, host="www.example.lv", is_secure=True):
        assert b"Domain" not in field
        assert b"Secure" in field


@pytest.mark.parametrize("name", [b"", b"a\r\nX: y", b"a;b", b"a\x7f"])
def test_a_name_that_could_break_a_header_is_never_written_back(name: bytes) -> None:
    assert sweep.expirations([name], REGISTRY, host="example.lv", is_secure=True) == []


names = st.binary(max_size=12).filter(lambda name: REGISTRY.find(name.strip(b" \t").partition(b"=")[0]) is None)


@given(parts=st.lists(names, max_size=8), rest=st.binary(max_size=30))
def test_what_the_registry_does_not_refuse_passes_byte_for_byte(parts: list[bytes], rest: bytes) -> None:
    field = b";".join(part.replace(b";", b"") for part in parts)
    if any(REGISTRY.find(part.partition(b"=")[0].strip(b" \t")) for part in field.split(b";")):
        return
    request, response = [(b"cookie", field), (b"x", rest)], [(b"x", rest), (b"set-cookie", b"un=" + rest)]
    seen, left = pass_through(request, response)
    assert seen == request
    assert left == response
