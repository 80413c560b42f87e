"""Reading forms: small, urlencoded, UTF-8.

Owns how much a form may hold. What its fields mean is left to the room that made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.requests import Request

_MAX_FORM_BYTES: Final = 16 * 1024
_MAX_FIELDS: Final = 64


class BadForm(Exception):
    """End a request whose form can't be taken.

    Attributes:
        status: HTTP status of the answer.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"form refused with {status}")


async def read_form(request: Request) -> dict[str, str]:
    """Return a small urlencoded form; the last of several values of a name counts.

    Raises:
        BadForm: it is too large, of another type, or not UTF-8.
    """
    if (
        request.headers.get("content-type", "").partition(";")[0].strip().lower()
        != "application/x-www-form-urlencoded"
    ):
        raise BadForm(415)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            raise BadForm(413)
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError as exc:
        raise BadForm(400) from exc
