from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.requestlog import headertext
from consentkit.requestlog.headertext import clean_text, is_host, referrer_host

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (X11; Linux x86_64)", id="plain"),
        pytest.param(b"", "", id="empty"),
        pytest.param(b"a\r\nHost: b", "a??Host: b", id="line break"),
        pytest.param(b"a\x1b[31mb\x00\x7f", "a?[31mb??", id="terminal escape"),
        pytest.param("P\u0101rl\u016bks".encode(), "P\u0101rl\u016bks", id="UTF-8"),
        pytest.param(b"caf\xe9 1", "caf\xe9 1", id="Latin-1"),
        pytest.param("a\u202eb\u2066c\u061cd".encode(), "a?b?c?d", id="direction"),
        pytest.param("a\u200bb\ufeffc\u200dd".encode(), "a?b?c?d", id="zero width"),
        pytest.param("a\u2028b\u2029c\x85d".encode(), "a?b?c?d", id="separators"),
        pytest.param("a\xa0b\u3000c".encode(), "a?b?c", id="other spaces"),
        pytest.param("a\u3164b\u1160c\u2800d".encode(), "a?b?c?d", id="invisible letters"),
        pytest.param("a\ufe0fb\u034fc\U000e0101d".encode(), "a?b?c?d", id="variation selectors"),
        pytest.param("a\u05d0b\u0628c\u0663d".encode(), "a?b?c?d", id="right to left"),
        pytest.param("a\ue000b\U000e0041c\uffffd".encode(), "a?b?c?d", id="private, tag, no character"),
        pytest.param(b"\xed\xa0\x80", "\xed??", id="surrogate"),
    ],
)
def test_text_is_kept_but_for_what_breaks_or_disguises_a_line(raw: bytes, expected: str) -> None:
    assert clean_text(raw, 512) == expected.replace("?", "\ufffd")


@pytest.mark.parametrize(
    ("raw", "max_bytes", "expected"),
    [
        pytest.param(b"x" * 9, 4, "xxxx", id="ASCII"),
        pytest.param("ab\N{EURO SIGN}".encode(), 4, "ab", id="within a character"),
        pytest.param("ab\N{EURO SIGN}".encode(), 5, "ab\N{EURO SIGN}", id="after a character"),
        pytest.param(b"\x00" * 9, 7, "\ufffd\ufffd", id="replacements take three bytes each"),
        pytest.param(b"caf\xe9", 4, "caf", id="Latin-1 takes two"),
        pytest.param(b"caf\xe9", 5, "caf\xe9", id="Latin-1 at the end"),
    ],
)
def test_text_takes_no_more_bytes_than_its_cap(raw: bytes, max_bytes: int, expected: str) -> None:
    assert clean_text(raw, max_bytes) == expected


@given(raw=st.one_of(st.binary(max_size=100), st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace"))))
def test_any_bytes_become_visible_text(raw: bytes) -> None:
    text = clean_text(raw, 48)
    assert len(text.encode("utf-8")) <= 48
    assert text.isprintable()
    assert not {unicodedata.category(character) for character in text} & HIDDEN
    assert not {unicodedata.bidirectional(character) for character in text} & {"R", "AL", "AN", "RLO", "LRO"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(b"https://www.Example.org/a?b#c", "www.example.org", id="path goes"),
        pytest.param(b"https://example.org", "example.org", id="host alone"),
        pytest.param(b"http://example.org:8080/", "example.org:8080", id="port stays"),
        pytest.param(b"https://user:secret@example.org/", "example.org", id="user and password go"),
        pytest.param(b"https://a@b@example.org/", "example.org", id="two at signs"),
        pytest.param(b"https://example.org?token=x", "example.org", id="query without path"),
        pytest.param(
            b"https://example.org\\@evil.example.com/", "example.org", id="backslash, as browsers read it"
        ),
        pytest.param(b"https://[2001:DB8::1]:80/", "[2001:db8::1]:80", id="IPv6"),
        pytest.param(b"android-app://com.example.app/", "com.example.app", id="app"),
        pytest.param(b"https://xn--piemrs-u6a.example/", "xn--piemrs-u6a.example", id="IDN"),
        pytest.param(b"/relative", "", id="relative"),
        pytest.param(b"about:blank", "", id="no authority"),
        pytest.param(b"java script://example.org/", "", id="no scheme"),
        pytest.param("https://piemērs.example/".encode(), "", id="not ASCII"),
        pytest.param(b"https://exa mple.org/", "", id="space"),
        pytest.param(b"https://example.org:99999/", "", id="no port"),
        pytest.param(b"https://[2001:db8::1::]/", "", id="no IPv6"),
        pytest.param(b"https://a..b/", "", id="empty label"),
        pytest.param(b"https://" + b"a" * 254 + b"/", "", id="too long"),
        pytest.param(b"https://" + b"x" * 2040 + b"@example.org/", "", id="host beyond the cap"),
        pytest.param(b"", "", id="empty"),
    ],
)
def test_of_a_referrer_only_the_host_is_kept(raw: bytes, expected: str) -> None:
    assert referrer_host(raw) == expected


def test_an_origin_that_is_known_is_not_taken_for_a_longer_one() -> None:
    assert referrer_host(b"https://shop.example/a") == "shop.example"
    assert referrer_host(b"https://shop.example.evil.example/a") == "shop.example.evil.example"
    assert referrer_host(b"https://shop.examplex") == "shop.examplex"
    assert referrer_host(b"https://shop.example") == "shop.example"


def test_of_referrers_no_more_than_origins_is_remembered_and_not_too_many() -> None:
    for number in range(3000):
        referrer_host(b"https://user:secret@h%d.example/token?x=secret" % number)
        referrer_host(b"https://h%d.example?x=secret/" % number)
        referrer_host(b"https://h%d.example/token?x=secret" % number)
    assert len(headertext._origins) <= 1024
    assert not any(b"secret" in origin or b"token" in origin for origin in headertext._origins)


@given(raw=st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda rest: b"https://" + rest)))
def test_any_referrer_gives_a_host_or_nothing(raw: bytes) -> None:
    host = referrer_host(raw)
    assert host == "" or is_host(host.encode("ascii"))


@pytest.mark.parametrize("raw", [b"", b":80", b"a:", b"a:b", b"-a", b"[::1", b"a\n", b"a/b", b"[v1.x]", b"a,b"])
def test_what_is_no_host_is_not_taken_for_one(raw: bytes) -> None:
    assert not is_host(raw)


@pytest.mark.parametrize("unit", [b"a", b"\x00", b"\xff", b"a.", b"@", "\u202e".encode(), b"https://a@"])
def test_64_kilobytes_take_no_longer_than_the_cap_allows(unit: bytes) -> None:
    raw = b"https://" + unit * (65536 // len(unit))
    started = time.process_time()
    for _ in range(10):
        clean_text(raw, 512)
        referrer_host(raw)
        is_host(raw)
    # Measured: 2 ms for the ten; what grew with the square of the length would take minutes.
    assert time.process_time() - started < 1
