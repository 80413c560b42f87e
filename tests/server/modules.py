"""A site that tells which modules its worker has loaded."""

from __future__ import annotations

import sys

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from consentkit import ConsentKit


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    modules = sorted({name.partition(".")[0] for name in sys.modules})
    await JSONResponse(modules)(scope, receive, send)


app = ConsentKit().wrap(site)
