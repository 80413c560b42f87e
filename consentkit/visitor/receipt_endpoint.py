"""The visitor's own record over HTTP: as a page, and as the signed file.

Owns who gets it (whoever sends the id cookie, which this path alone gets), and that a crowd of askers keeps
nobody's choice waiting. The page is `receipt_page`'s, the file `consent.receipt`'s.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.to_thread
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consentkit.consent.consentid import read_consent_id
from consentkit.consent.gate import VISIT, Visit
from consentkit.consent.receipt import read_receipt
from consentkit.errors import ConsentKitError
from consentkit.visitor.responses import PAGE_HEADERS, wants_json
from consentkit.web import origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from consentkit.consent.receipt import Record
    from consentkit.visitor.pagemarkup import PageMarkup
    from consentkit.visitor.receipt_page import ReceiptPage

logger = logging.getLogger("consentkit")

_HOST_FORM: Final = re.compile(r"[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")

# A receipt takes the database for some milliseconds: one at a time a worker, and no queue of strangers.
_WAITING: Final = 16

_VARY: Final = "Cookie, Accept, Accept-Language"


class ReceiptReader(Protocol):
    """Whatever makes receipts; blocks until it is made."""

    def __call__(self, consent_id: str, host: str) -> bytes | None:
        """Return the receipt under an id, None where nothing is kept, or raise ConsentKitError."""


class _Busy(ConsentKitError):
    """Refuse one more who waits."""


class ReceiptEndpoint:
    """Answer for the receipt.

    Args:
        page: renders it.
        markup: knows a request's language.
        read: makes a visitor's receipt.
        refuse: returns the page for a request that can't be served, by its status.
    """

    def __init__(
        self,
        page: ReceiptPage,
        markup: PageMarkup,
        read: ReceiptReader,
        refuse: Callable[[Request, int], Response],
    ) -> None:
        self._page = page
        self._markup = markup
        self._read = read
        self._refuse = refuse
        self._limiter: anyio.CapacityLimiter | None = None
        self._asking = 0

    @property
    def routes(self) -> tuple[Route, ...]:
        """Where it is served."""
        return (
            Route("/receipt", self.get, methods=["GET"]),
            Route("/receipt.json", self.get_file, methods=["GET"]),
        )

    async def get(self, request: Request) -> Response:
        """Return the record in words; the file where a script asks for JSON."""
        if wants_json(request):
            return await self.get_file(request)
        try:
            file = await self._receipt(request)
        except ConsentKitError as exc:
            return self._unavailable(request, exc)
        page = self._page.render_receipt(
            self._markup.language(request.scope, None),
            record=_record(file),
            next_url=origin.next_path(request, request.query_params.get("next", "")),
            mount_path=request.scope["root_path"],
        )
        return HTMLResponse(page, headers={**PAGE_HEADERS, "Vary": _VARY})

    async def get_file(self, request: Request) -> Response:
        """Return the signed file, to be kept; 404 where there is nothing to sign."""
        try:
            file = await self._receipt(request)
        except ConsentKitError as exc:
            return self._unavailable(request, exc)
        if file is None:
            return self._refuse(request, 404)
        name = f"consentkit-receipt-{read_receipt(file).receipt.made[:10]}.json"
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{name}"',
            "Vary": _VARY,
            "X-Content-Type-Options": "nosniff",
        }
        return Response(file, media_type="application/json", headers=headers)

    async def _receipt(self, request: Request) -> bytes | None:
        visit: Visit = request.scope[VISIT]
        consent_id = read_consent_id(visit.consent_id)
        if not consent_id:
            return None
        if self._asking >= _WAITING:
            raise _Busy("too many ask for their receipts at once")
        limiter = self._limiter = self._limiter or anyio.CapacityLimiter(1)
        read = partial(self._read, consent_id, _host(request))
        self._asking += 1
        try:
            return await anyio.to_thread.run_sync(read, limiter=limiter)
        finally:
            self._asking -= 1

    def _unavailable(self, request: Request, fault: ConsentKitError) -> Response:
        logger.error("a receipt can't be given: %s", fault)
        response = self._refuse(request, 503)
        response.headers["Retry-After"] = "60"
        return response


def _record(file: bytes | None) -> Record | None:
    return None if file is None else read_receipt(file).receipt


def _host(request: Request) -> str:
    """Return the host that the request names, if it is one."""
    host = request.headers.get("host", "")
    return host.lower() if _HOST_FORM.fullmatch(host) else ""
