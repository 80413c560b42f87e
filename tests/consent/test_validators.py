"""Validators: ours outside, the app's inside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.validators import Conditions, for_the_app, of_not_modified, original_of, our_tag

NOW, OLD = "1f2e3d4c", "00000000"
Headers = list[tuple[bytes, bytes]]


def asked(*lines: tuple[bytes, bytes], keeps_foreign: bool = False) -> Conditions:
    return for_the_app(list(lines), hashes=lambda: frozenset({NOW}), keeps_foreign=keeps_foreign)


@pytest.mark.parametrize(
    ("etag", "last_modified", "tag"),
    [
        pytest.param(b'"abc"', None, b'W/"abc.ck-1f2e3d4c"', id="strong"),
        pytest.param(b'W/"abc"', None, b'W/"W/abc.ck-1f2e3d4c"', id="weak"),
        pytest.param(b'""', None, b'W/".ck-1f2e3d4c"', id="empty"),
        pytest.param(b'"a.ck-00000000"', None, b'W/"a.ck-00000000.ck-1f2e3d4c"', id="looks like ours"),
        pytest.param(b'"W/abc"', None, b'W/"=W/abc.ck-1f2e3d4c"', id="strong that looks weak"),
        pytest.param(b'"@5"', None, b'W/"=@5.ck-1f2e3d4c"', id="looks like a date"),
        pytest.param(b'"\xc4\x81"', None, b'W/"\xc4\x81.ck-1f2e3d4c"', id="not ASCII"),
        pytest.param(b"abc", None, None, id="without quotes"),
        pytest.param(b'"a"b"', None, None, id="quote inside"),
        pytest.param(b"abc", b"Sun, 06 Nov 1994 08:49:37 GMT", None, id="malformed beside a date"),
        pytest.param(None, b"Sun, 06 Nov 1994 08:49:37 GMT", b'W/"@784111777.ck-1f2e3d4c"', id="date"),
        pytest.param(None, b"long ago", None, id="no date"),
        pytest.param(None, None, None, id="nothing"),
    ],
)
def test_our_tag_holds_the_apps_validator_and_the_markup(
    etag: bytes | None, last_modified: bytes | None, tag: bytes | None
) -> None:
    assert our_tag(etag, last_modified, NOW) == tag


@given(opaque=st.binary(max_size=20), weak=st.booleans())
def test_each_tag_of_the_app_comes_back_byte_for_byte(opaque: bytes, weak: bool) -> None:
    etag = b'%b"%b"' % (b"W/" if weak else b"", opaque)
    tag = our_tag(etag, None, NOW)
    assert tag is None or original_of(tag) == (etag, NOW)


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param(b'"abc"', id="the app's"),
        pytest.param(b'"abc.ck-1f2e3d4c"', id="strong"),
        pytest.param(b'W/"abc.ck-1F2E3D4C"', id="capitals"),
        pytest.param(b'W/"abc.ck-1f2e3d"', id="short"),
        pytest.param(b'W/"@x.ck-1f2e3d4c"', id="no time"),
        pytest.param(b'W/"@99999999999999.ck-1f2e3d4c"', id="time beyond all dates"),
        pytest.param(b"*", id="any"),
    ],
)
def test_other_tags_are_not_ours(tag: bytes) -> None:
    assert original_of(tag) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(b'W/"abc.ck-1f2e3d4c"', b'"abc"', id="present markup"),
        pytest.param(b'W/"abc.ck-00000000"', None, id="old markup"),
        pytest.param(b'W/"a.ck-00000000", W/"b.ck-1f2e3d4c" ,W/"W/c.ck-1f2e3d4c"', b'"b", W/"c"', id="several"),
        pytest.param(b'"foreign"', None, id="page without markup"),
        pytest.param(b'"foreign", W/"abc.ck-1f2e3d4c"', b'"abc"', id="both"),
        pytest.param(b"*", None, id="any"),
        pytest.param(b'W/"unclosed.ck-1f2e3d4c', None, id="unclosed"),
        pytest.param(b", ".join(b'W/"%d.ck-1f2e3d4c"' % n for n in range(40)), None, id="too many"),
    ],
)
def test_a_navigation_asks_the_app_about_present_markup_alone(value: bytes, shown: bytes | None) -> None:
    headers = asked((b"if-none-match", value), (b"accept", b"*/*")).headers
    given_on = dict(headers).get(b"if-none-match")
    if value.count(b",") > 32:
        assert given_on is not None
        assert given_on.count(b",") == 31
    else:
        assert given_on == shown
    assert (b"accept", b"*/*") in headers


def test_tags_over_several_lines_are_one_list() -> None:
    conditions = asked((b"if-none-match", b'W/"a.ck-1f2e3d4c"'), (b"if-none-match", b'W/"b.ck-1f2e3d4c"'))
    assert conditions.headers == [(b"if-none-match", b'"a", "b"')]


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        pytest.param([(b"if-none-match", b'"abc"')], [(b"if-none-match", b'"abc"')], id="foreign"),
        pytest.param([(b"if-none-match", b"*")], [(b"if-none-match", b"*")], id="any"),
        pytest.param([(b"if-none-match", b'W/"abc.ck-00000000"')], [], id="old markup"),
        pytest.param(
            [(b"if-none-match", b'"x", W/"abc.ck-1f2e3d4c"')], [(b"if-none-match", b'"x", "abc"')], id="both"
        ),
        pytest.param([(b"if-modified-since", b"x")], [(b"if-modified-since", b"x")], id="date"),
        pytest.param(
            [(b"if-none-match", b'W/"abc.ck-00000000"'), (b"if-modified-since", b"x")],
            [],
            id="date beside old markup",
        ),
    ],
)
def test_what_may_be_no_page_keeps_its_validators(lines: Headers, shown: Headers) -> None:
    assert asked(*lines, keeps_foreign=True).headers == shown


def test_a_date_behind_our_tag_becomes_if_modified_since() -> None:
    date = b"Sun, 06 Nov 1994 08:49:37 GMT"
    tag = our_tag(None, date, NOW)
    assert tag is not None
    conditions = asked((b"if-modified-since", b"Mon, 01 Jan 2024 00:00:00 GMT"), (b"if-none-match", tag))
    assert conditions.headers == [(b"if-modified-since", date)]


def test_a_navigation_has_no_date_of_its_own() -> None:
    assert asked((b"if-modified-since", b"Sun, 06 Nov 1994 08:49:37 GMT")).headers == []


def test_a_range_of_an_injected_page_is_answered_whole() -> None:
    ours = asked((b"range", b"bytes=5-"), (b"if-range", b'W/"abc.ck-1f2e3d4c"'))
    foreign = [(b"range", b"bytes=5-"), (b"if-range", b'"abc"')]
    assert ours.headers == []
    assert asked(*foreign).headers == foreign


def test_if_match_with_our_tag_does_not_stop_a_page_from_being_read() -> None:
    assert asked((b"if-match", b'W/"abc.ck-00000000"')).headers == []
    assert asked((b"if-match", b'"abc"')).headers == [(b"if-match", b'"abc"')]


@pytest.mark.parametrize(
    ("sent", "app", "client"),
    [
        pytest.param(b'W/"abc.ck-1f2e3d4c"', [(b"ETag", b'"abc"')], b'W/"abc.ck-1f2e3d4c"', id="strong"),
        pytest.param(b'W/"abc.ck-1f2e3d4c"', [(b"etag", b'W/"abc"')], b'W/"abc.ck-1f2e3d4c"', id="weakened"),
        pytest.param(b'W/"abc.ck-1f2e3d4c"', [], b'W/"abc.ck-1f2e3d4c"', id="untold"),
        pytest.param(
            b'W/"a.ck-1f2e3d4c", W/"b.ck-1f2e3d4c"',
            [(b"etag", b'"b"')],
            b'W/"b.ck-1f2e3d4c"',
            id="one of two",
        ),
        pytest.param(b'W/"a.ck-1f2e3d4c", W/"b.ck-1f2e3d4c"', [], None, id="untold of two"),
        pytest.param(b'"x", W/"a.ck-1f2e3d4c"', [(b"etag", b'"x"')], b'"x"', id="foreign"),
        pytest.param(
            b'W/"@784111777.ck-1f2e3d4c"',
            [(b"last-modified", b"Sun, 06 Nov 1994 08:49:37 GMT")],
            b'W/"@784111777.ck-1f2e3d4c"',
            id="date",
        ),
    ],
)
def test_a_304_names_the_tag_that_the_client_holds(sent: bytes, app: Headers, client: bytes | None) -> None:
    conditions = asked((b"if-none-match", sent), keeps_foreign=True)
    headers = dict(of_not_modified([*app, (b"content-length", b"9"), (b"x", b"y")], conditions.tags))
    assert headers.get(b"etag") == client
    assert headers.keys().isdisjoint({b"ETag", b"last-modified", b"content-length"})
    assert headers[b"x"] == b"y"
    assert headers[b"vary"] == b"Sec-Fetch-Dest, Accept-Encoding"


@given(value=st.binary(max_size=60))
def test_no_header_value_breaks_the_translation(value: bytes) -> None:
    for keeps_foreign in (False, True):
        lines = ((name, value + b".ck-") for name in (b"if-none-match", b"if-range", b"if-match"))
        conditions = asked(*lines, keeps_foreign=keeps_foreign)
        assert all(name != b"if-match" for name, _ in conditions.headers)
