from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent import setcookie


@pytest.mark.parametrize(
    ("field", "name"),
    [
        (b"a=1", b"a"),
        (b" a =1; Path=/", b"a"),
        (b"__Host-a=b=c; Secure", b"__Host-a"),
        (b"=1", b""),
        (b"lonely; Path=/", b""),
        (b"", b""),
    ],
    ids=["plain", "spaces", "prefix", "empty name", "no equals", "empty"],
)
def test_the_name_is_what_a_browser_takes_for_it(field: bytes, name: bytes) -> None:
    assert setcookie.name_of(field) == name


@pytest.mark.parametrize(
    ("field", "deletes"),
    [
        (b"a=1", False),
        (b"a=; Max-Age=0", True),
        (b"a=; max-age=-5", True),
        (b"a=; Max-Age=10", False),
        (b"a=; Max-Age=ten", False),
        (b"a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
        (b"a=; Expires=Thu, 01-Jan-1970 00:00:00 GMT", True),
        (b"a=; Expires=Thu, 01 Jan 2099 00:00:00 GMT", False),
        (b"a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", False),
        (b"a=; Max-Age=0; Expires=Thu, 01 Jan 2099 00:00:00 GMT", True),
        (b"a=; Max-Age=60; Max-Age=0", True),
        (b"a=; Expires=yesterday", False),
        (b"a=Max-Age=0", False),
    ],
)
def test_deletions_are_those_of_a_browser(field: bytes, *, deletes: bool) -> None:
    assert setcookie.is_deletion(field) is deletes


def test_a_session_cookie_keeps_all_but_its_lifetime() -> None:
    field = b"theme=dark; Path=/; Max-Age=31536000; expires=Thu, 01 Jan 2099 00:00:00 GMT; SameSite=Lax"
    assert setcookie.as_session(field) == b"theme=dark; Path=/; SameSite=Lax"


def test_a_cut_lifetime_stands_in_place_of_the_old_one() -> None:
    cut = setcookie.with_lifetime(b"a=1; Max-Age=999999; Path=/", 60)
    assert cut.startswith(b"a=1; Path=/; Max-Age=60; Expires=")
    assert setcookie.remaining_seconds(cut) == 60


@pytest.mark.parametrize(
    ("field", "seconds", "is_cut"),
    [
        pytest.param(b"a=1; Max-Age=60; Path=/", 60, False, id="as long as declared"),
        pytest.param(b"a=1; Max-Age=61; Path=/", 60, True, id="longer"),
        pytest.param(b"a=1; Path=/; Expires=Thu, 01 Jan 2099 00:00:00 GMT", 60, True, id="longer, by a date"),
        pytest.param(b"a=1; Path=/", 0, False, id="until the browser closes"),
        pytest.param(b"a=1; Max-Age=61; Path=/", 0, True, id="longer than until the browser closes"),
        pytest.param(b"a=; Max-Age=0; Path=/", 0, False, id="a deletion"),
    ],
)
def test_a_lifetime_is_cut_where_it_is_longer_than_declared(field: bytes, seconds: int, *, is_cut: bool) -> None:
    left = setcookie.within(field, seconds)
    assert (left != field) is is_cut
    remaining = setcookie.remaining_seconds(left)
    assert remaining is None or remaining <= seconds
    assert left.startswith(field[:2])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_error(field: bytes) -> None:
    setcookie.name_of(field)
    setcookie.is_deletion(field)
    assert setcookie.remaining_seconds(setcookie.as_session(field)) is None
