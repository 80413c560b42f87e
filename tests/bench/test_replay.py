"""A replay, from the file to what a real server receives."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import uvicorn

from bench.combined import LoggedRequest
from bench.playback import WrongUse, parse_site, request_message
from bench.replay import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

LOG = rb"""
192.0.2.1 - - [23/Nov/2026:10:05:03 +0000] "GET /a/../b//c?x=1&x=%2F&y HTTP/1.1" 200 12 "-" "curl/8.5"
2001:DB8::1 - - [23/Nov/2026:10:05:04] "GET /%7euser/%C3%A4 HTTP/1.0" 404 5 "http://example.org/a" "A \"1\""
this line is broken
198.51.100.7 - - [23/Nov/2026:10:05:05 +0000] "HEAD /head HTTP/1.1" 304 - "-" "-"
198.51.100.7 - - [23/Nov/2026:10:05:06 +0000] "POST /form? HTTP/1.1" 303 0 "-" "agent"
198.51.100.7 - - [23/Nov/2026:10:05:06 +0000] "GET /same HTTP/1.1" 500 1 "-" "agent"
198.51.100.7 - - [23/Nov/2026:10:05:06 +0000] "GET /same HTTP/1.1" 500 1 "-" "agent"
""".lstrip()

EXPECTED = Counter(
    [
        ("GET", b"/a/../b//c?x=1&x=%2F&y", b"192.0.2.1", b"curl/8.5", b""),
        ("GET", b"/%7euser/%C3%A4", b"2001:db8::1", b'A "1"', b"http://example.org/a"),
        ("HEAD", b"/head", b"198.51.100.7", b"", b""),
        ("POST", b"/form", b"198.51.100.7", b"agent", b""),
        ("GET", b"/same", b"198.51.100.7", b"agent", b""),
        ("GET", b"/same", b"198.51.100.7", b"agent", b""),
    ]
)


class Recorder:
    """A site that notes what reaches it and answers with the status asked for."""

    def __init__(self) -> None:
        self.received: Counter[tuple[str, bytes, bytes, bytes, bytes]] = Counter()
        self.hosts: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields = dict(scope["headers"])
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        names = (b"x-forwarded-for", b"user-agent", b"referer")
        address, agent, referrer = (fields.get(name, b"") for name in names)
        self.received[(scope["method"], scope["raw_path"] + query, address, agent, referrer)] += 1
        self.hosts.add(fields[b"host"])
        status = int(fields.get(b"x-replay-status", b"200"))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"" if status == 304 else b"ok"})


@contextmanager
def serving(site: Recorder) -> Iterator[int]:
    config = uvicorn.Config(site, port=0, lifespan="off", ws="none", log_config=None, proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(LOG)
    return path


@pytest.mark.server
def test_each_line_reaches_the_site_once_and_byte_for_byte(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Recorder()
    with serving(site) as port:
        code = main([str(log), f"http://localhost:{port}/", "--json", "--connections", "3"])

    report = json.loads(capsys.readouterr().out)
    assert code == 0
    assert site.received == EXPECTED
    assert site.hosts == {b"localhost:%d" % port}
    assert report["answered"] == {"200": 6}
    assert (report["lines"], report["unusable"]["count"], report["unusable"]["first_lines"]) == (7, 1, [3])


@pytest.mark.server
def test_the_logs_own_statuses_can_be_asked_for(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Recorder()) as port:
        main([str(log), f"http://127.0.0.1:{port}", "--json", "--send-status"])

    answered = json.loads(capsys.readouterr().out)["answered"]
    assert answered == {"200": 1, "303": 1, "304": 1, "404": 1, "500": 2}


@pytest.mark.server
def test_a_limit_ends_the_replay_early(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Recorder()
    with serving(site) as port:
        main([str(log), f"http://127.0.0.1:{port}", "--limit", "2"])

    assert site.received.total() == 2
    assert "2 answers of 2 lines" in capsys.readouterr().out


@pytest.mark.server
def test_time_that_is_up_ends_a_replay_with_an_error(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Recorder()) as port:
        code = main([str(log), f"http://127.0.0.1:{port}", "--timeout", "0", "--json"])

    assert code == 1
    assert json.loads(capsys.readouterr().out)["in_time"] is False


def test_a_site_that_is_down_is_an_error_and_nothing_is_tried_again(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(log), "http://127.0.0.1:1", "--json"])

    assert code == 1
    assert sum(json.loads(capsys.readouterr().out)["unanswered"].values()) == 6


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://192.0.2.1:8000", id="remote-address"),
        pytest.param("http://www.example.org", id="remote-name"),
        pytest.param("http://127.0.0.1.example.org", id="name-that-looks-like-loopback"),
        pytest.param("http://localhost@example.org", id="user-that-looks-like-loopback"),
        pytest.param("https://127.0.0.1", id="tls"),
        pytest.param("http://127.0.0.1/path", id="path"),
        pytest.param("http://127.0.0.1:99999", id="port-out-of-range"),
        pytest.param("127.0.0.1:8000", id="no-scheme"),
    ],
)
def test_only_the_root_of_a_site_on_the_loopback_is_taken(
    url: str, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WrongUse):
        parse_site(url)

    assert main([str(log), url]) == 2
    assert "replay:" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://127.0.0.2:8000", "http://[::1]:8000/", "http://localhost:8000"])
def test_the_loopback_is_taken_in_each_spelling(url: str) -> None:
    assert parse_site(url).port == 8000


def test_a_log_that_is_not_there_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.log"), "http://127.0.0.1:8000"]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_request_holds_what_the_line_held_and_no_more() -> None:
    request = LoggedRequest(
        address="192.0.2.1", method=b"PUT", target=b"/\xe4", status=204, referrer=b"", user_agent=b"a\xe4"
    )

    message = request_message(request, b"127.0.0.1:8000", send_status=True)

    assert message == (
        b"PUT /\xe4 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nX-Forwarded-For: 192.0.2.1\r\nUser-Agent: a\xe4\r\n"
        b"X-Replay-Status: 204\r\nContent-Length: 0\r\n\r\n"
    )
