"""Deleting what is refused: which variants, in which order, how far, and when it is given up."""

from __future__ import annotations

import pytest

from consentkit.consent import sweep
from consentkit.consent.choice import Choice
from consentkit.consent.seen import Seen
from tests.consent.gating import ALL, REGISTRY, choice_cookie, make_gate, pass_through

HTML = (b"content-type", b"text/html")
CHOICE = Choice(frozenset(), frozenset(ALL.split()), 1, 1_763_884_800)


def attributes(field: bytes) -> set[str]:
    """Return what tells one variant from another."""
    parts = {part.strip() for part in field.decode().split(";")[1:]}
    return {part for part in parts if part.partition("=")[0] not in ("Max-Age", "Expires", "SameSite")}


def test_every_place_a_cookie_may_have_is_tried_likeliest_first() -> None:
    fields = sweep.expirations([b"_s_1"], REGISTRY, host="www.example.com", is_secure=True)
    assert [attributes(field) for field in fields] == [
        {*place, *partition}
        for partition in ((), ("Secure", "Partitioned"))
        for place in (
            ("Path=/shop",),
            ("Path=/",),
            ("Path=/shop", "Domain=example.com"),
            ("Path=/", "Domain=example.com"),
            ("Path=/shop", "Domain=www.example.com"),
            ("Path=/", "Domain=www.example.com"),
        )
    ]
    assert all(field.startswith(b"_s_1=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; ") for field in fields)


def test_a_declared_domain_comes_first() -> None:
    first = sweep.expirations([b"ad"], REGISTRY, host="www.example.com", is_secure=False)[0]
    assert attributes(first) == {"Path=/", "Domain=example.com"}


@pytest.mark.parametrize(
    ("name", "is_secure", "expected"),
    [
        pytest.param(b"__Host-x", True, [{"Path=/", "Secure"}, {"Path=/", "Secure", "Partitioned"}], id="__Host-"),
        pytest.param(b"__Host-x", False, [], id="__Host- over http"),
        pytest.param(b"__Secure-x", False, [], id="__Secure- over http"),
    ],
)
def test_prefixes_allow_what_a_browser_takes(name: bytes, expected: list[set[str]], *, is_secure: bool) -> None:
    fields = sweep.expirations([name], REGISTRY, host="www.example.com", is_secure=is_secure)
    assert [attributes(field) for field in fields] == expected


@pytest.mark.parametrize(
    "host",
    ["192.0.2.1", "[2001:db8::1]", "localhost", "", "a.b; Path=/x", "a.b\r\nX: y", "a..b", ".example.com"],
)
def test_a_host_without_parents_or_that_is_none_gets_no_domain(host: str) -> None:
    for field in sweep.expirations([b"theme"], REGISTRY, host=host, is_secure=True):
        assert b"Domain" not in field
        assert b"\r" not in field


def test_a_deep_host_costs_no_more_than_others() -> None:
    deep = ".".join(["a"] * 100) + ".example.com"
    fields = sweep.expirations([b"theme"], REGISTRY, host=deep, is_secure=False)
    assert len(fields) <= 7


def test_what_does_not_fit_into_one_page_goes_with_the_next() -> None:
    sweeper = sweep.Sweeper(REGISTRY, lambda _: None)
    names = [b"_s_%d" % number for number in range(9)]
    wanted = {
        (name, *sorted(attributes(field)))
        for name in names
        for field in sweep.expirations([name], REGISTRY, host="www.example.com", is_secure=True)
    }
    sent: set[tuple[object, ...]] = set()
    for _ in range(12):
        fields = sweeper.expirations(CHOICE, names, host="www.example.com", is_secure=True)
        assert len(fields) <= sweep.MAX_FIELDS
        assert sum(map(len, fields)) <= sweep.MAX_BYTES
        sent |= {(field.partition(b"=")[0], *sorted(attributes(field))) for field in fields}
    assert sent == wanted


def test_a_cookie_that_survives_all_variants_twice_is_told_and_left() -> None:
    told: list[str] = []
    sweeper = sweep.Sweeper(REGISTRY, told.append)
    sent = [
        field
        for _ in range(20)
        for field in sweeper.expirations(CHOICE, [b"_s_1"], host="www.example.com", is_secure=True)
    ]
    every = sweep.expirations([b"_s_1"], REGISTRY, host="www.example.com", is_secure=True)
    assert sent == every * 2
    assert set(told) == {"_s_*"}
    again = Choice(frozenset(), CHOICE.denied, 1, CHOICE.time + 1)
    assert sweeper.expirations(again, [b"_s_1"], host="www.example.com", is_secure=True) == every


def test_of_invented_names_and_visitors_only_so_many_are_remembered() -> None:
    sweeper = sweep.Sweeper(REGISTRY, lambda _: None)
    for number in range(5_000):
        sweeper.expirations(CHOICE, [b"_s_%d" % number], host="localhost", is_secure=False)
    assert len(sweeper._done) <= 4096


def test_an_undeletable_cookie_is_counted_by_its_declaration() -> None:
    seen = Seen()
    gate = make_gate(None, seen=seen)
    request = [(b"cookie", choice_cookie("", ALL) + b"; theme=1")]
    swept = [len(pass_through(request, [HTML], gate=gate).set_cookies) for _ in range(6)]
    assert swept == [3, 3, 0, 0, 0, 0]
    assert list(seen.counts.undeletable) == ["theme"]


@pytest.mark.parametrize(
    ("response", "is_swept"),
    [
        pytest.param([HTML], True, id="a page"),
        pytest.param([HTML, (b"etag", b'"1"'), (b"cache-control", b"private, no-cache")], True, id="private"),
        pytest.param([HTML, (b"etag", b'"1"')], False, id="may be kept"),
        pytest.param([HTML, (b"cache-control", b"max-age=60")], False, id="is kept"),
        pytest.param([(b"content-type", b"image/png")], False, id="no page"),
    ],
)
def test_only_pages_that_no_cache_shares_delete(response: list[tuple[bytes, bytes]], *, is_swept: bool) -> None:
    passage = pass_through([(b"cookie", choice_cookie("", ALL) + b"; theme=1")], response)
    assert bool(passage.set_cookies) is is_swept


def test_a_cookie_that_the_page_itself_deletes_is_left_to_it() -> None:
    own = (b"set-cookie", b"theme=; Max-Age=0; Path=/")
    passage = pass_through([(b"cookie", choice_cookie("", ALL) + b"; theme=1")], [HTML, own])
    assert passage.set_cookies == [own[1]]
