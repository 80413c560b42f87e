"""A site written by someone who knows nothing of consentkit: bare, and wrapped by one line."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.websockets import WebSocket

from consentkit import ConsentKit

FOLDER = Path(os.environ.get("FOREIGN_SITE", "."))
PAGE = "<!doctype html><html lang=en><head><title>A page</title></head><body><p>A page</p></body></html>"
templates = Jinja2Templates(FOLDER)
done: list[str] = []


async def page(request: Request) -> Response:
    return HTMLResponse(PAGE, headers=dict(request.query_params))


async def fragment(request: Request) -> Response:
    return HTMLResponse("<li>one</li>")


async def template(request: Request) -> Response:
    return templates.TemplateResponse(request, "list.html", {"numbers": range(200)})


async def text(request: Request) -> Response:
    return PlainTextResponse("Labdien! " * 200)


async def data(request: Request) -> Response:
    return JSONResponse({"path": request.url.path, "root": request.scope["root_path"], "words": ["ķ"] * 300})


async def binary(request: Request) -> Response:
    return FileResponse(FOLDER / "data.bin")


async def download(request: Request) -> Response:
    return FileResponse(FOLDER / "page.html", filename="ķekars.html")


async def xhtml(request: Request) -> Response:
    return Response(PAGE, media_type="application/xhtml+xml")


async def stream(request: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for number in range(100):
            yield b"chunk %d\n" % number

    return StreamingResponse(chunks(), media_type="application/octet-stream")


async def events(request: Request) -> Response:
    async def chunks() -> AsyncIterator[str]:
        for number in range(5):
            yield f"id: {number}\ndata: <body>\n\n"

    return StreamingResponse(chunks(), media_type="text/event-stream")


async def cookies(request: Request) -> Response:
    response = JSONResponse(sorted(name for name in request.cookies if "consentkit" not in name))
    response.set_cookie("theme", "dark", max_age=3600, samesite="strict")
    response.set_cookie("visits", '"a,b; c"', httponly=True, path="/shop")
    response.raw_headers += [
        (b"Set-Cookie", b"theme=second; expires=Fri, 01 Jan 2100 00:00:00 GMT; Max-Age=60"),
        (b"set-cookie", b"unknown=\xe4\xb8; Priority=High; partitioned"),
        (b"set-cookie", b"visits=; Max-Age=0"),
    ]
    return response


async def strange_headers(request: Request) -> Response:
    response = Response(b"\x00\xff", 299)
    response.raw_headers += [
        (b"X-Twice", b"1"),
        (b"x-twice", b"2"),
        (b"X-Latin", b"\xe9\xff"),
        (b"X-Empty", b""),
        (b"Vary", b"Origin"),
        (b"vary", b"X-Other"),
        (b"Link", b"</a>; rel=preload, </b,c>; rel=next"),
    ]
    return response


async def session(request: Request) -> Response:
    request.session["count"] = int(request.session.get("count", 0)) + 1
    return JSONResponse(request.session)


async def upload(request: Request) -> Response:
    async with request.form() as form:
        sent = {
            name: len(await part.read()) if isinstance(part, UploadFile) else part for name, part in form.items()
        }
    return JSONResponse(sent, 201, headers={"Location": "/file/1"})


async def echo(request: Request) -> Response:
    return Response(await request.body(), headers={"X-Method": request.method})


async def redirect(request: Request) -> Response:
    return RedirectResponse("/page?next=ā")


async def nothing(request: Request) -> Response:
    return Response(status_code=204)


async def teapot(request: Request) -> Response:
    raise HTTPException(418, "short and stout", headers={"X-Spout": "left"})


async def broken(request: Request) -> Response:
    raise RuntimeError("the site's own fault")


async def background(request: Request) -> Response:
    return JSONResponse(done, background=BackgroundTask(done.append, "task"))


async def talk(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol="chat.v2", headers=[(b"set-cookie", b"visits=1"), (b"x-socket", b"yes")])
    await websocket.send_json(sorted(websocket.query_params.items()))
    async for message in websocket.iter_bytes():
        if message == b"end":
            break
        await websocket.send_bytes(message[::-1])
    await websocket.close(4001, "good bye")


async def denied(websocket: WebSocket) -> None:
    await websocket.send_denial_response(JSONResponse({"error": "members only"}, 403))


ROUTES: list[BaseRoute] = [
    Route("/page", page),
    Route("/fragment", fragment),
    Route("/template", template),
    Route("/text", text),
    Route("/json", data),
    Route("/data.bin", binary),
    Route("/download", download),
    Route("/xhtml", xhtml),
    Route("/stream", stream),
    Route("/events", events),
    Route("/cookies", cookies),
    Route("/headers", strange_headers),
    Route("/session", session),
    Route("/upload", upload, methods=["POST"]),
    Route("/echo", echo, methods=["POST", "PUT", "PATCH", "DELETE"]),
    Route("/redirect", redirect),
    Route("/nothing", nothing),
    Route("/teapot", teapot),
    Route("/broken", broken),
    Route("/background", background),
    WebSocketRoute("/talk", talk),
    WebSocketRoute("/denied", denied),
    Mount("/files", StaticFiles(directory=FOLDER, html=True)),
]
MIDDLEWARE = [
    Middleware(CORSMiddleware, allow_origins=["https://shop.example.lv"], allow_credentials=True),
    Middleware(SessionMiddleware, secret_key="only a test's"),
]

bare = Starlette(
    routes=[*ROUTES, Mount("/below", routes=ROUTES, middleware=[Middleware(GZipMiddleware)])],
    middleware=MIDDLEWARE,
)
wrapped = ConsentKit().wrap(bare)
