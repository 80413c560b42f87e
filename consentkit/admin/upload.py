"""Reading a form that brings one small file.

Owns the multipart body and its bound. Only routes that take a file read it, and only of who may use them; all
other forms stay small and urlencoded.

Source: RFC 7578; the boundary, RFC 2046 §5.1.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from consentkit.web.forms import BadForm, read_form

if TYPE_CHECKING:
    from starlette.requests import Request

    from consentkit.admin.visit import Entrant, Route

MAX_FILE_BYTES: Final = 256_000

# Boundaries, heads and the few other fields of such a form.
_FRAMING_BYTES: Final = 8 * 1024
_MAX_PARTS: Final = 8
_BOUNDARY: Final = re.compile(
    r"""multipart/form-data *; *boundary="?([0-9A-Za-z'()+_,./:=?-]{1,70})"?""", re.IGNORECASE
)
_NAME: Final = re.compile(rb'content-disposition: *form-data; *name="([a-z][a-z0-9_-]{0,63})"', re.IGNORECASE)


async def read_post(request: Request, route: Route | None, entrant: Entrant | None) -> dict[str, str]:
    """Return the fields of a form; a file where its route takes one, of who may send it.

    Raises:
        BadForm: it can't be taken.
    """
    if route is None or entrant is None or not route.takes_file or not entrant.may(route.action):
        return await read_form(request)
    boundary = _BOUNDARY.fullmatch(request.headers.get("content-type", "").strip())
    if boundary is None:
        raise BadForm(415)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FILE_BYTES + _FRAMING_BYTES:
            raise BadForm(413)
    return read_parts(body, boundary[1].encode())


def read_parts(body: bytes, boundary: bytes) -> dict[str, str]:
    """Return the parts of a multipart body by name, the last of several.

    A file is among them as text that `file_bytes` turns back; its own name is not looked at.

    Raises:
        BadForm: it is cut off or not written as browsers write it.
    """
    begin, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary, _MAX_PARTS + 1)
    if begin or not parts or parts.pop().rstrip() != b"--":
        raise BadForm(400)
    fields = {}
    for part in parts:
        head, blank, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not blank or name is None:
            raise BadForm(400)
        if len(content) > MAX_FILE_BYTES:
            raise BadForm(413)
        fields[name[1].decode()] = content.decode("utf-8", "surrogateescape")
    return fields


def file_bytes(field: str) -> bytes:
    """Return the bytes of a file that came in a field."""
    return field.encode("utf-8", "surrogateescape")
