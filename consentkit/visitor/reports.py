"""The endpoint to which browsers report what the narrowing policy kept out.

Owns what is taken: from this site's own pages, small, and not too often. What is counted of it is
`consent.cspreport`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from consentkit.consent.cspreport import CONTENT_TYPES, MAX_REPORT_BYTES
from consentkit.web import origin

if TYPE_CHECKING:
    from starlette.requests import Request

    from consentkit.consent.cspreport import ReportDesk


class ReportEndpoint:
    """Answer ``POST {mount}/csp-report``; nobody reads the answer but who tests a site.

    Args:
        desk: counts the hosts in a report.
    """

    def __init__(self, desk: ReportDesk) -> None:
        self._desk = desk

    async def post(self, request: Request) -> Response:
        """Take a report, or say by the status why not."""
        return Response(status_code=await self._status(request), headers={"Cache-Control": "no-store"})

    async def _status(self, request: Request) -> int:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in CONTENT_TYPES:
            return 415
        if origin.is_cross_site(request):
            return 403
        if not self._desk.has_room():
            return 429
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_REPORT_BYTES:
                return 413
        try:
            self._desk.take(body)
        except ValueError:
            return 400
        return 204
