"""A form that brings a file: byte for byte, and nothing that browsers don't write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.admin.upload import file_bytes, read_parts
from consentkit.web.forms import BadForm

BOUNDARY = "----a-boundary"


def multipart(name: str, content: bytes, *, file_name: str = "receipt.json") -> bytes:
    head = (
        f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\nContent-Type: application/json'
    )
    return b"--%b\r\n%b\r\n\r\n%b\r\n--%b--\r\n" % (BOUNDARY.encode(), head.encode(), content, BOUNDARY.encode())


@given(st.binary(max_size=2000), st.text("abc\"';=<>./\\ ", max_size=20))
def test_a_file_comes_through_byte_for_byte(content: bytes, file_name: str) -> None:
    field = read_parts(multipart("receipt", content, file_name=file_name), BOUNDARY.encode())["receipt"]
    assert file_bytes(field) == content


@given(st.binary(max_size=500))
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(BadForm):
        read_parts(body, BOUNDARY.encode())


@pytest.mark.parametrize(
    "body",
    [
        multipart("receipt", b"x")[:-6],
        b"x" + multipart("receipt", b"x"),
        multipart("receipt", b"x").replace(b"name=", b"no="),
        multipart("receipt", b"x").replace(b"\r\n\r\n", b"\r\n"),
        b"--%b--\r\n" % BOUNDARY.encode() * 20,
        b"".join(b"--%b\r\n" % BOUNDARY.encode() for _ in range(50)),
    ],
    ids=["cut off", "begun late", "no name", "no blank line", "ended often", "many parts"],
)
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadForm) as caught:
        read_parts(body, BOUNDARY.encode())
    assert caught.value.status == 400
