"""What caches may do with a page."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from consentkit.consent.cachepolicy import (
    fields_of,
    keep_private,
    kept_apart,
    may_be_shared,
    unix_time,
    with_vary,
    without_vary,
)

Headers = list[tuple[bytes, bytes]]


def header_lines(*lines: str) -> Headers:
    pairs = (line.partition(": ") for line in lines)
    return [(name.encode(), value.encode()) for name, _, value in pairs]


@pytest.mark.parametrize(
    ("lines", "shared"),
    [
        pytest.param([], False, id="nothing"),
        pytest.param(["cache-control: public"], True, id="public"),
        pytest.param(["Cache-Control: PUBLIC, max-age=0"], True, id="capitals"),
        pytest.param(["cache-control: max-age=60"], True, id="max-age"),
        pytest.param(["cache-control: max-age=0"], False, id="max-age 0"),
        pytest.param(["cache-control: max-age=00"], False, id="max-age 00"),
        pytest.param(['cache-control: max-age="60"'], True, id="quoted max-age"),
        pytest.param(["cache-control: s-maxage=60, max-age=0"], True, id="s-maxage"),
        pytest.param(["cache-control: immutable"], True, id="immutable"),
        pytest.param(["cache-control: private, max-age=60"], False, id="private"),
        pytest.param(["cache-control: public, no-store"], False, id="no-store"),
        pytest.param(["cache-control: max-age=60", "cache-control: private"], False, id="two lines"),
        pytest.param(['cache-control: private="set-cookie, x", max-age=60'], True, id="private for some fields"),
        pytest.param(['cache-control: ext="public, s-maxage=9"'], False, id="word inside quotes"),
        pytest.param(["cache-control: no-cache"], False, id="no-cache"),
        pytest.param(["etag: x"], True, id="etag"),
        pytest.param(["last-modified: x"], True, id="last-modified"),
        pytest.param(["etag: x", "cache-control: private"], True, id="etag of a private page"),
        pytest.param(["expires: Fri, 01 Jan 2100 00:00:00 GMT"], True, id="expires to come"),
        pytest.param(["expires: Thu, 01 Jan 1970 00:00:00 GMT"], False, id="expired"),
        pytest.param(["expires: 0"], False, id="expires is no date"),
        pytest.param(
            ["expires: Fri, 01 Jan 2100 00:00:00 GMT", "cache-control: max-age=0"], False, id="max-age wins"
        ),
        pytest.param(
            ["expires: Fri, 01 Jan 2100 00:00:00 GMT", "date: Fri, 01 Jan 2100 00:00:00 GMT"],
            False,
            id="date",
        ),
        pytest.param(["cdn-cache-control: max-age=60", "cache-control: private"], True, id="targeted"),
        pytest.param(["example-cdn-cache-control: max-age=60"], True, id="targeted at one network"),
        pytest.param(["cdn-cache-control: no-store"], False, id="targeted no-store"),
        pytest.param(["surrogate-control: max-age=60"], True, id="surrogate"),
        pytest.param(["x-litespeed-cache-control: public, max-age=60"], True, id="one server's own"),
        pytest.param(["x-litespeed-cache-control: no-cache"], False, id="one server's own, to keep nothing"),
        pytest.param(["edge-control: cache-maxage=1d", "cache-control: no-cache"], True, id="Edge-Control"),
        pytest.param(["edge-control: no-store"], False, id="Edge-Control, to keep nothing"),
        pytest.param(["cache-control: max-age=0, stale-while-revalidate=60"], True, id="while it is asked again"),
        pytest.param(["cache-control: stale-if-error=600"], True, id="while the app fails"),
        pytest.param(["cache-control: max-age=0, stale-while-revalidate=0"], False, id="no time stale"),
        pytest.param(["x-accel-expires: 60"], True, id="nginx"),
        pytest.param(["x-accel-expires: 0"], False, id="nginx off"),
    ],
)
def test_a_page_that_may_reach_others_is_told(lines: list[str], shared: bool) -> None:
    assert may_be_shared(fields_of(header_lines(*lines))) is shared


def test_expires_is_measured_by_the_clock_where_no_date_is_given() -> None:
    soon = formatdate(time.time() + 60, usegmt=True)
    past = formatdate(time.time() - 60, usegmt=True)
    assert may_be_shared({b"expires": [soon.encode()]})
    assert not may_be_shared({b"expires": [past.encode()]})


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        pytest.param([], ["cache-control: private", "vary: Cookie"], id="none"),
        pytest.param(
            ["Cache-Control: no-cache"], ["Cache-Control: no-cache, private", "vary: Cookie"], id="appended"
        ),
        pytest.param(["cache-control: Private"], ["cache-control: Private", "vary: Cookie"], id="private"),
        pytest.param(["cache-control: no-store"], ["cache-control: no-store", "vary: Cookie"], id="no-store"),
        pytest.param(
            ["cache-control: no-cache", "x: y", "cache-control: max-age=0"],
            ["cache-control: no-cache", "x: y", "cache-control: max-age=0, private", "vary: Cookie"],
            id="last line",
        ),
        pytest.param(
            ['cache-control: private="x"'],
            ['cache-control: private="x", private', "vary: Cookie"],
            id="for fields",
        ),
        pytest.param(["cache-control: "], ["cache-control: private", "vary: Cookie"], id="empty line"),
    ],
)
def test_private_joins_what_the_app_says(lines: list[str], kept: list[str]) -> None:
    given = header_lines(*lines)
    assert keep_private(given, vary=(b"Cookie",)) == header_lines(*kept)
    assert given == header_lines(*lines)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        pytest.param([], ["vary: Cookie, Sec-GPC"], id="none"),
        pytest.param(["Vary: Accept-Encoding"], ["Vary: Accept-Encoding, Cookie, Sec-GPC"], id="appended"),
        pytest.param(["vary: cookie, SEC-gpc"], ["vary: cookie, SEC-gpc"], id="present"),
        pytest.param(["vary: Sec-GPC", "vary: x"], ["vary: Sec-GPC", "vary: x, Cookie"], id="over lines"),
        pytest.param(["vary: *"], ["vary: *"], id="anything"),
    ],
)
def test_vary_lists_each_name_once(lines: list[str], kept: list[str]) -> None:
    assert with_vary(header_lines(*lines), (b"Cookie", b"Sec-GPC")) == header_lines(*kept)


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        pytest.param(["vary: Cookie, accept-encoding, X"], ["vary: Cookie, X"], id="among others"),
        pytest.param(["x: y", "vary: Accept-Encoding"], ["x: y"], id="alone"),
        pytest.param(["vary: Accept-Encoding", "vary: Cookie"], ["vary: Cookie"], id="on a line of its own"),
        pytest.param(["vary: *"], ["vary: *"], id="anything"),
    ],
)
def test_a_name_is_taken_out_of_vary(lines: list[str], kept: list[str]) -> None:
    assert without_vary(header_lines(*lines), b"Accept-Encoding") == header_lines(*kept)


@pytest.mark.parametrize(
    ("lines", "added"),
    [
        pytest.param([], True, id="nothing said"),
        pytest.param(["Cache-Control: public, max-age=60"], True, id="public"),
        pytest.param(["cache-control: no-cache"], True, id="asked again each time"),
        pytest.param(['cache-control: private="x"'], True, id="private for some fields"),
        pytest.param(["cache-control: private"], False, id="private"),
        pytest.param(["Cache-Control: max-age=0, PRIVATE"], False, id="private, in capitals"),
        pytest.param(["cache-control: no-store"], False, id="kept by nobody"),
        pytest.param(["vary: *"], False, id="never the same"),
        pytest.param(["vary: sec-fetch-dest"], False, id="said already"),
    ],
)
def test_a_page_is_kept_apart_where_a_cache_may_hand_it_on(lines: list[str], added: bool) -> None:
    given = header_lines(*lines)
    changed = kept_apart(given)
    assert (changed != given) is added
    assert not added or changed[-1] == (b"vary", b"Sec-Fetch-Dest")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param(b"Sun, 06 Nov 1994 08:49:37 GMT", 784111777, id="preferred form"),
        pytest.param(b"Sunday, 06-Nov-94 08:49:37 GMT", 784111777, id="old form"),
        pytest.param(b"Sun Nov  6 08:49:37 1994", 784111777, id="asctime"),
        pytest.param(b"yesterday", None, id="no date"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"Sun, 99 Nov 1994 08:49:37 GMT", None, id="no such day"),
    ],
)
def test_http_dates_are_read_as_utc(text: bytes, seconds: int | None) -> None:
    assert unix_time(text) == seconds
