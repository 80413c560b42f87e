"""Reading lines of the combined format back into requests."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.combined import MAX_LINE_BYTES, LoggedRequest, UnreadableLine, parse_line, read_lines, unescape

if TYPE_CHECKING:
    from pathlib import Path

TIME = b"[23/Nov/2026:10:05:03 +0000]"


def line(
    request: bytes = b"GET / HTTP/1.1",
    *,
    client: bytes = b"192.0.2.7",
    numbers: bytes = b"200 12",
    referrer: bytes = b"-",
    agent: bytes = b"curl/8.5",
) -> bytes:
    return b'%b - - %b "%b" %b "%b" "%b"' % (client, TIME, request, numbers, referrer, agent)


@pytest.mark.parametrize(
    ("logged", "field", "expected"),
    [
        pytest.param(line(), "address", "192.0.2.7", id="ipv4"),
        pytest.param(line(client=b"2001:DB8:0::7"), "address", "2001:db8::7", id="ipv6-made-canonical"),
        pytest.param(line(b"GET /a?b=%20&c HTTP/1.1"), "target", b"/a?b=%20&c", id="query-untouched"),
        pytest.param(line(b"GET /a/../b//c HTTP/1.1"), "target", b"/a/../b//c", id="dots-untouched"),
        pytest.param(line(rb"GET /\"q\"\\ HTTP/1.1"), "target", b'/"q"\\', id="quotes-and-backslashes"),
        pytest.param(line(rb"GET /\xe4\xC3\xa4 HTTP/1.1"), "target", b"/\xe4\xc3\xa4", id="bytes-in-hex"),
        pytest.param(line(rb"GET /\xzz\q HTTP/1.1"), "target", rb"/\xzz\q", id="escapes-nobody-writes-stay"),
        pytest.param(line(b"OPTIONS * HTTP/1.1"), "target", b"*", id="asterisk-form"),
        pytest.param(line(b"M-SEARCH / HTTP/1.1"), "method", b"M-SEARCH", id="any-token-is-a-method"),
        pytest.param(line(b"get / HTTP/1.0"), "method", b"get", id="case-of-method-and-old-version"),
        pytest.param(line(numbers=b"304 -"), "status", 304, id="no-size"),
        pytest.param(line(numbers=b"- -"), "status", 0, id="no-status"),
        pytest.param(line(agent=b"-"), "user_agent", b"", id="no-agent"),
        pytest.param(line(agent=rb"a \"b\" [c] \t"), "user_agent", b'a "b" [c]', id="agent-with-quotes"),
        pytest.param(
            line(referrer=b"http://example.org/?a b"), "referrer", b"http://example.org/?a b", id="referrer"
        ),
        pytest.param(line() + b' "extra" 0.003', "user_agent", b"curl/8.5", id="further-fields"),
        pytest.param(line().replace(b" - - ", b" - john smith "), "status", 200, id="user-with-a-space"),
    ],
)
def test_a_field_comes_back_as_the_client_sent_it(logged: bytes, field: str, expected: object) -> None:
    assert getattr(parse_line(logged), field) == expected


@pytest.mark.parametrize(
    "logged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\xff\x00", id="junk"),
        pytest.param(line()[:-1], id="cut-before-the-last-quote"),
        pytest.param(line(b"-"), id="no-request"),
        pytest.param(line(b"GET /"), id="http-0.9"),
        pytest.param(line(rb"\x16\x03\x01\x02"), id="tls-handshake"),
        pytest.param(line(b"GET /a b HTTP/1.1"), id="space-in-the-target"),
        pytest.param(line(rb"GET /a\r\nX:y HTTP/1.1"), id="line-break-in-the-target"),
        pytest.param(line(b"G(T / HTTP/1.1"), id="method-that-is-no-token"),
        pytest.param(line(agent=rb"a\r\nHost: b"), id="line-break-in-the-agent"),
        pytest.param(line(referrer=rb"a\x00"), id="null-byte-in-the-referrer"),
        pytest.param(line(client=b"client.example.org"), id="name-in-place-of-an-address"),
        pytest.param(line(numbers=b"2000 1"), id="status-of-four-digits"),
        pytest.param(line(agent=b"a" * MAX_LINE_BYTES), id="line-too-long"),
    ],
)
def test_a_line_that_no_request_can_be_made_from_is_refused(logged: bytes) -> None:
    with pytest.raises(UnreadableLine):
        parse_line(logged)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_are_refused(logged: bytes) -> None:
    with contextlib.suppress(UnreadableLine):
        assert isinstance(parse_line(logged), LoggedRequest)


@given(st.binary(max_size=200))
def test_what_a_server_escapes_is_taken_back(sent: bytes) -> None:
    escaped = b"".join(
        b"\\" + bytes([byte]) if byte in b'"\\' else bytes([byte]) if 32 <= byte < 127 else b"\\x%02x" % byte
        for byte in sent
    )

    assert unescape(escaped) == sent


@pytest.mark.parametrize("piece", [b" [", b"\\", b'\\"', b'a" ', b'" "'], ids=repr)
def test_a_hostile_line_is_refused_in_linear_time(piece: bytes) -> None:
    hostile = line()[:-30] + piece * ((MAX_LINE_BYTES - 200) // len(piece))
    started = time.process_time()

    with pytest.raises(UnreadableLine):
        parse_line(hostile)

    assert time.process_time() - started < 0.5


def test_lines_are_read_one_by_one_and_overlong_ones_are_cut(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"first\r\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\n\nlast")

    first, overlong, empty, last = read_lines(log)

    assert (first, empty, last) == (b"first", b"", b"last")
    assert len(overlong) == MAX_LINE_BYTES + 1
