"""Reading one cookie's values by name finds what reading all pairs finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.cookieheader import pairs, values_of


@pytest.mark.parametrize(
    ("field", "values"),
    [
        pytest.param(b"ck=1", [b"1"], id="alone"),
        pytest.param(b"a=2; ck = 1 ;b=3", [b"1"], id="among others, with spaces"),
        pytest.param(b"ck=1; ck=2", [b"1", b"2"], id="twice"),
        pytest.param(b"ck=a=b", [b"a=b"], id="an equals sign in the value"),
        pytest.param(b"xck=1; ckx=2; a=ck; ck", [], id="only inside of others"),
        pytest.param(b"a=ck; ck=1", [b"1"], id="after a value that is the name"),
        pytest.param(b"", [], id="empty"),
    ],
)
def test_values_are_those_of_the_whole_name(field: bytes, values: list[bytes]) -> None:
    assert values_of(field, b"ck") == values


@given(parts=st.lists(st.text("ck=; \t", max_size=8)))
def test_values_by_name_are_those_among_all_pairs(parts: list[str]) -> None:
    field = ";".join(parts).encode()
    assert values_of(field, b"ck") == [value for name, value in pairs(field) if name == b"ck"]
