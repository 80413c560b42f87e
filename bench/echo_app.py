"""A wrapped site that answers with the status it is asked for, so that a log's own statuses can be replayed.

    uvicorn bench.echo_app:app --no-access-log --no-proxy-headers

Settings come from CONSENTKIT_CONFIG; their `trusted_proxies` must list the loopback, from which a replay
comes. It trusts its callers, so it is for the loopback alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench.playback import SERVABLE_STATUSES, STATUS_FIELD
from consentkit import ConsentKit

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_STATUS_FIELD = STATUS_FIELD.lower()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer an "http" scope with the status in X-Replay-Status, else 200, and a short text."""
    if scope["type"] != "http":
        return
    asked = dict(scope["headers"]).get(_STATUS_FIELD, b"200")
    status = int(asked) if asked.isdigit() and int(asked) in SERVABLE_STATUSES else 200
    has_body = status not in {204, 304} and scope["method"] != "HEAD"
    body = b"ok" if has_body else b""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))] if has_body else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = ConsentKit(os.environ.get("CONSENTKIT_CONFIG")).wrap(echo)
