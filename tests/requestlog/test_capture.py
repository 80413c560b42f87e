"""When a record is written, and how every kind of answer ends."""

from __future__ import annotations

import asyncio
import http as http_codes
import time
import tracemalloc

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.requestlog.calls import DISCONNECT, END, START, Log, ask, request, saying

# --- which message is the last one


def body(*, more: bool, size: int = 3, kind: str = "http.response.body") -> Message:
    return {"type": kind, "body": b"x" * size, "more_body": more}


@pytest.mark.parametrize(
    ("messages", "status", "size"),
    [
        pytest.param([START, END], 200, 5, id="one body"),
        pytest.param([START, body(more=True), body(more=True), body(more=False)], 200, 9, id="streamed"),
        pytest.param([START, {"type": "http.response.body"}], 200, 0, id="no body"),
        pytest.param([{**START, "status": 304}, {"type": "http.response.body"}], 304, 0, id="304"),
        pytest.param([{**START, "status": http_codes.HTTPStatus.CREATED}, END], 201, 5, id="status as an enum"),
        pytest.param(
            [
                {**START, "trailers": True},
                END,
                {"type": "http.response.trailers", "headers": [], "more_trailers": True},
                {"type": "http.response.trailers", "headers": []},
            ],
            200,
            5,
            id="trailers",
        ),
        pytest.param([START, {"type": "http.response.pathsend", "path": "/f"}], 200, 0, id="pathsend"),
        pytest.param(
            [
                START,
                {"type": "http.response.zerocopysend", "file": 0, "count": 7, "more_body": True},
                {"type": "http.response.zerocopysend", "file": 0, "count": 8},
            ],
            200,
            15,
            id="zerocopysend",
        ),
        pytest.param(
            [{"type": "http.response.early_hint", "links": [b"</s.css>; rel=preload"]}, START, END],
            200,
            5,
            id="103 before",
        ),
        pytest.param([{"type": "http.response.push", "path": "/s.css"}, START, END], 200, 5, id="push"),
        pytest.param([START, END, {"type": "http.response.unknown"}], 200, 5, id="a message after the end"),
    ],
)
def test_the_record_is_there_before_the_last_message_is_passed_on(
    messages: list[Message], status: int, size: int, log: Log
) -> None:
    sent: list[tuple[Message, int]] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append((message, len(log.records())))

    asyncio.run(log.around(saying(*messages))(request(), receive, send))
    assert [message for message, _ in sent] == messages
    (record,) = log.records()
    assert (record.status, record.bytes_sent, record.outcome) == (status, size, "complete")
    is_after = messages[-1]["type"] == "http.response.unknown"
    assert [count for _, count in sent] == [0] * (len(sent) - 1 - is_after) + [1] * (1 + is_after)


def test_messages_are_handed_on_as_they_are(log: Log) -> None:
    messages: list[Message] = [{**START, "extra": object()}, END]
    sent = ask(log.around(saying(*messages)))
    assert all(one is other for one, other in zip(sent, messages, strict=True))


def test_of_a_head_request_the_method_is_kept(log: Log) -> None:
    ask(log.around(saying(START, END)), request(method="HEAD"))
    assert log.last().method == "HEAD"


def test_an_app_that_waits_for_the_body_gets_it_as_the_server_gives_it(log: Log) -> None:
    """The server answers "Expect: 100-continue" when the body is asked for: so it must be the app that asks."""
    asked: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(await receive())
        await saying(START, END)(scope, receive, send)

    upload: Message = {"type": "http.request", "body": b"form", "more_body": False}
    headers = [(b"expect", b"100-continue")]
    ask(log.around(app), request(method="POST", headers=headers), upload)
    assert asked == [upload]
    assert (log.last().method, log.last().status) == ("POST", 200)


def test_a_stream_of_hours_is_one_record_at_its_end_and_takes_no_memory(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 0
    before_end: list[int] = []
    grown: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal now_ns
        await send(START)
        chunk = body(more=True, size=1000)
        tracemalloc.start()
        for number in range(20_000):
            now_ns += 1_000_000_000
            await send(chunk)
            if number == 100:
                tracemalloc.reset_peak()
                grown.append(tracemalloc.get_traced_memory()[0])
        grown.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        before_end.append(len(log.records()))
        await send(body(more=False, size=0))

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        return

    monkeypatch.setattr(time, "perf_counter_ns", lambda: now_ns)
    asyncio.run(log.around(app)(request(), receive, send))
    assert before_end == [0]
    assert (log.last().bytes_sent, log.last().duration_us) == (20_000_000, 20_000 * 1_000_000)
    assert grown[1] - grown[0] < 20_000


# --- what ends otherwise


@pytest.mark.parametrize(
    ("messages", "status"),
    [([], 0), ([START], 200), ([START, body(more=True)], 200)],
    ids=["before its start", "after its start", "within its body"],
)
@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError, OSError], ids=lambda e: e.__name__)
def test_an_app_that_raises_is_recorded_and_its_error_goes_on(
    messages: list[Message], status: int, error: type[BaseException], log: Log
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await saying(*messages)(scope, receive, send)
        raise error

    with pytest.raises(error):
        ask(log.around(app))
    (record,) = log.records()
    assert (record.status, record.outcome) == (status, "app_error")


def test_an_app_that_raises_after_its_last_message_has_answered(log: Log) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await saying(START, END)(scope, receive, send)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(log.around(app))
    assert [record.outcome for record in log.records()] == ["complete"]


def test_an_app_that_returns_without_an_answer_is_recorded(log: Log) -> None:
    assert ask(log.around(saying())) == []
    assert (log.last().status, log.last().outcome) == (0, "app_error")


@pytest.mark.parametrize("ends", [True, False], ids=["the app ends its answer", "the app stops"])
def test_a_client_that_is_told_to_be_gone_is_recorded_as_gone(log: Log, *, ends: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(more=True))
        assert await receive() == DISCONNECT
        if ends:
            await send(body(more=False))

    ask(log.around(app), None, DISCONNECT)
    (record,) = log.records()
    assert record.outcome == "client_gone"


@pytest.mark.parametrize("refused_at", [1, 2], ids=["at the start", "within the body"])
def test_a_client_that_is_gone_when_something_is_sent_is_recorded_as_gone(refused_at: int, log: Log) -> None:
    count = 0

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        nonlocal count
        count += 1
        if count == refused_at:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        asyncio.run(log.around(saying(START, body(more=True), END))(request(), receive, send))
    (record,) = log.records()
    assert record.outcome == "client_gone"


# --- websockets

CONNECT: Message = {"type": "websocket.connect"}
ACCEPT: Message = {"type": "websocket.accept", "headers": []}


@pytest.mark.parametrize(
    ("messages", "status", "size"),
    [
        pytest.param([ACCEPT, {"type": "websocket.send"}, {"type": "websocket.close"}], 101, 0, id="accept"),
        pytest.param([{"type": "websocket.close", "code": 1008}], 403, 0, id="close before accept"),
        pytest.param(
            [
                {"type": "websocket.http.response.start", "status": 401, "headers": []},
                body(more=True, kind="websocket.http.response.body"),
                body(more=False, kind="websocket.http.response.body"),
            ],
            401,
            6,
            id="denial",
        ),
    ],
)
def test_a_websocket_is_one_record_when_it_is_answered(
    messages: list[Message], status: int, size: int, log: Log
) -> None:
    scope = request(type="websocket", scheme="wss")
    del scope["method"]
    assert ask(log.around(saying(*messages)), scope, CONNECT) == messages
    (record,) = log.records()
    assert (record.status, record.outcome, record.bytes_sent) == (status, "complete", size)
    assert (record.method, record.scheme) == ("", "wss")


def test_a_websocket_whose_client_leaves_before_the_answer_is_gone(log: Log) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert [(await receive())["type"] for _ in range(2)] == ["websocket.connect", "websocket.disconnect"]

    left: Message = {"type": "websocket.disconnect", "code": 1006}
    ask(log.around(app), request(type="websocket", scheme="wss"), CONNECT, left)
    (record,) = log.records()
    assert (record.status, record.outcome) == (0, "client_gone")
