"""What passes the gate: for each state, kind of cookie, direction and mode, and nothing else is touched."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consentkit.consent import setcookie
from tests.consent.gating import ALL, REGISTRY, Headers, choice_cookie, make_gate, pass_through

STATES = {
    "granted": choice_cookie(ALL),
    "denied": choice_cookie("", ALL),
    "undecided": b"",
    "unreadable": b"consentkit=v1.p1s1m1.1.1763884800.AAAA",
}

# Kind of cookie: what the app sets, and the pair that a browser sends.
KINDS = {
    "necessary": (b"basket=1; Max-Age=60", b"basket=1"),
    "optional": (b"theme=dark; Max-Age=60; Path=/", b"theme=dark"),
    "optional by glob": (b"_s_1=2; Path=/shop", b"_s_1=2"),
    "kept for the session": (b"size=2; Max-Age=60; Path=/", b"size=2"),
    "deletion": (b"theme=; Max-Age=0; Path=/", b"theme="),
    "undeclared": (b"unheard=1; Max-Age=60", b"unheard=1"),
    "undeclared deletion": (b"unheard=; Max-Age=0", b"unheard="),
}

# How a cookie fares: "passes" as it is, is "dropped", or lasts for the "session", as long as it was declared for.
#
#   kind                      state             to the app          out, undeclared="report"  out, ="block"
TABLE = """
    necessary             |   granted         | passes            | passes                  | passes
    necessary             |   denied          | passes            | passes                  | passes
    necessary             |   undecided       | passes            | passes                  | passes
    necessary             |   unreadable      | passes            | passes                  | passes
    optional              |   granted         | passes            | passes                  | passes
    optional              |   denied          | dropped           | dropped                 | dropped
    optional              |   undecided       | dropped           | dropped                 | dropped
    optional              |   unreadable      | dropped           | dropped                 | dropped
    optional by glob      |   granted         | passes            | passes                  | passes
    optional by glob      |   denied          | dropped           | dropped                 | dropped
    optional by glob      |   undecided       | dropped           | dropped                 | dropped
    optional by glob      |   unreadable      | dropped           | dropped                 | dropped
    kept for the session  |   granted         | passes            | session                 | session
    kept for the session  |   denied          | passes            | session                 | session
    kept for the session  |   undecided       | passes            | session                 | session
    kept for the session  |   unreadable      | passes            | session                 | session
    deletion              |   granted         | passes            | passes                  | passes
    deletion              |   denied          | dropped           | passes                  | passes
    deletion              |   undecided       | dropped           | passes                  | passes
    deletion              |   unreadable      | dropped           | passes                  | passes
    undeclared            |   granted         | passes            | passes                  | dropped
    undeclared            |   denied          | passes            | passes                  | dropped
    undeclared            |   undecided       | passes            | passes                  | dropped
    undeclared            |   unreadable      | passes            | passes                  | dropped
    undeclared deletion   |   granted         | passes            | passes                  | passes
    undeclared deletion   |   denied          | passes            | passes                  | passes
    undeclared deletion   |   undecided       | passes            | passes                  | passes
    undeclared deletion   |   unreadable      | passes            | passes                  | passes
"""
ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in TABLE.strip().splitlines()]
CASES = [pytest.param(*row, id=f"{row[0]}, {row[1]}") for row in ROWS]


def test_the_table_is_complete() -> None:
    assert {(kind, state) for kind, state, *_ in ROWS} == {(kind, state) for kind in KINDS for state in STATES}


@pytest.mark.parametrize("transport", ["http", "websocket", "denial"])
@pytest.mark.parametrize(("kind", "state", "inward", "reported", "blocked"), CASES)
def test_what_passes(kind: str, state: str, inward: str, reported: str, blocked: str, transport: str) -> None:
    field, pair = KINDS[kind]
    sent = b"; ".join(filter(None, [STATES[state], pair]))
    for blocks, outward in ((False, reported), (True, blocked)):
        passage = pass_through(
            [(b"cookie", sent)],
            [(b"x-first", b"1"), (b"Set-Cookie", field), (b"x-last", b"2")],
            kind=transport,
            blocks=blocks,
        )
        kept = sent if inward == "passes" else STATES[state]
        assert passage.seen == ([(b"cookie", kept)] if kept else [])
        out = {"passes": [field], "dropped": [], "session": [setcookie.as_session(field)]}[outward]
        assert passage.left == [(b"x-first", b"1"), *((b"Set-Cookie", one) for one in out), (b"x-last", b"2")]


def test_a_service_that_is_allowed_alone_passes_with_its_cookies_alone() -> None:
    cookie = choice_cookie("", ALL, services=frozenset({"video"}))
    passage = pass_through(
        [(b"cookie", cookie + b"; vid=1; ad=2")], [(b"set-cookie", b"vid=3"), (b"set-cookie", b"ad=4")]
    )
    assert passage.seen == [(b"cookie", cookie + b"; vid=1")]
    assert passage.left == [(b"set-cookie", b"vid=3")]


# Any bytes, with what cookies are made of more often than chance would have it.
TEXT = st.lists(
    st.sampled_from([b";", b"=", b" ", b"\t", b",", b'"', b"theme", b"_s_", b"__Host-x", b"Max-Age=0", b"\xff"])
    | st.binary(max_size=6),
    max_size=12,
).map(b"".join)
FIELD_NAMES = st.sampled_from(
    [b"cookie", b"Cookie", b"set-cookie", b"Set-Cookie", b"content-type", b"x"]
) | st.binary(min_size=1, max_size=12)
FIELDS = st.lists(st.tuples(FIELD_NAMES, TEXT), max_size=8)


def is_refused(pair: bytes) -> bool:
    """Tell whether the registry names a cookie that may not pass; said anew here, in the plainest way."""
    name, equals, _ = pair.partition(b"=")
    declared = REGISTRY.find(name.strip(b" \t")) if equals else None
    return declared is not None and declared.category != "necessary"


@given(request=FIELDS, response=FIELDS, kind=st.sampled_from(["http", "websocket", "denial"]))
@example(request=[(b"cookie", b";" * 400 + b"a=1"), (b"cookie", b"b=2,theme=3")], response=[], kind="http")
@example(request=[], response=[(b"set-cookie", b"a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT")] * 2, kind="http")
def test_whatever_the_registry_does_not_name_as_refused_passes_byte_for_byte(
    request: Headers, response: Headers, kind: str
) -> None:
    request = [(name.lower(), value) for name, value in request]  # as ASGI has them
    if any(is_refused(pair) for name, value in request if name == b"cookie" for pair in value.split(b";")):
        return
    if any(REGISTRY.find(setcookie.name_of(value)) for name, value in response if name.lower() == b"set-cookie"):
        return
    response = [(name, value) for name, value in response if name.lower() != b"consentkit-exempt"]
    passage = pass_through(request, response, kind=kind)
    assert passage.seen == request
    assert passage.left == response


@given(pairs=st.lists(TEXT.map(lambda text: text.replace(b";", b"")), max_size=10))
def test_of_a_cookie_field_only_the_refused_pairs_are_missing_and_the_rest_is_in_order(pairs: list[bytes]) -> None:
    field = b";".join([b"theme=1", *pairs])
    kept = [pair for pair in pairs if not is_refused(pair)]
    expected = b";".join(kept).lstrip(b" \t")
    seen = pass_through([(b"cookie", field)]).seen
    assert seen == ([(b"cookie", expected)] if kept else [])


def test_a_refused_cookie_behind_many_others_is_hidden_too() -> None:
    field = b"; ".join([b"a%d=1" % number for number in range(1000)] + [b"theme=dark"])
    assert pass_through([(b"cookie", field)]).seen == [(b"cookie", field.removesuffix(b"; theme=dark"))]


def test_a_value_without_a_name_is_no_cookie_of_that_name() -> None:
    assert pass_through([(b"cookie", b"theme; theme=dark")]).seen == [(b"cookie", b"theme")]


def test_the_apps_own_message_is_not_changed_so_that_it_can_be_sent_again() -> None:
    # `pass_through` asserts it: an app may keep one start for all of its responses.
    passage = pass_through([], [(b"set-cookie", b"theme=1"), (b"x", b"y")])
    assert passage.left == [(b"x", b"y")]


def test_headers_that_can_be_read_but_once_are_read_once() -> None:
    sent = []

    async def app(_scope: object, _receive: object, send: object) -> None:
        fields = [(b"set-cookie", b"theme=1"), (b"x", b"y")]
        await send({"type": "http.response.start", "status": 200, "headers": iter(fields)})  # type: ignore[operator]

    async def collect(message: object) -> None:
        sent.append(message)

    async def serve() -> None:
        scope = {"type": "http", "method": "GET", "headers": []}
        await make_gate(app)(scope, None, collect)  # type: ignore[arg-type]

    asyncio.run(serve())
    assert sent[0]["headers"] == [(b"x", b"y")]  # type: ignore[index]
