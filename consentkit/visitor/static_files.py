"""The static files under the mount: scripts and styles, kept by browsers as long as their content holds.

Owns what a cache may keep. The files and their names are `web.assets`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

    from consentkit.web.assets import Assets

_IMMUTABLE: Final = "public, max-age=31536000, immutable"  # a year, the longest (RFC 9111 §5.2.2.1, RFC 8246)


class StaticFiles:
    """Answer for the static files.

    Args:
        assets: what there is.
    """

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    async def get(self, request: Request) -> Response:
        """Return a file by its hashed name, or 404.

        A page that a cache kept from another release names another hash: it gets the present file, which no
        cache keeps under that name.
        """
        name = request.path_params["name"]
        asset = self._assets.find(name)
        cache = _IMMUTABLE
        if asset is None:
            asset, cache = self._assets.find_other_version(name), "no-store"
        if asset is None:
            return Response(status_code=404, headers={"Cache-Control": "no-store"})
        headers = {
            "Cache-Control": cache,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Content-Type": asset.content_type,
        }
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.gzipped, headers={**headers, "Content-Encoding": "gzip"})
        return Response(asset.content, headers=headers)
