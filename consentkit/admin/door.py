"""What all answers of the admin area go through: the entry in the audit, then the page.

Owns the order of the two. Which answer it is, the application and the pages say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import anyio.to_thread

from consentkit import audit
from consentkit.admin import replies
from consentkit.admin.answer import Data, Download, Entry, SeeOther
from consentkit.admin.identity import Identity

if TYPE_CHECKING:
    import msgspec
    from starlette.responses import Response

    from consentkit.admin.answer import Answer
    from consentkit.admin.asking import Asking
    from consentkit.admin.cookie import SessionCookie
    from consentkit.admin.frame import Framer
    from consentkit.admin.office import Office
    from consentkit.audit import Actor, Look

NOBODY: Final = Identity()

_MAX_REFRESHED: Final = 1024


class Door:
    """Send answers of one installation.

    Args:
        office: has the audit.
        framer: renders pages.
        cookie: carries our sessions.
        is_ours: people sign in here, and not by the site's own means.
    """

    def __init__(self, office: Office, framer: Framer, cookie: SessionCookie, *, is_ours: bool) -> None:
        self.office = office
        self.cookie = cookie
        self.is_ours = is_ours
        self._framer = framer
        self._shown: dict[tuple[int, str], None] = {}

    async def record(
        self,
        actor: Actor,
        action: str,
        asking: Asking,
        *,
        identity: Identity = NOBODY,
        detail: dict[str, object] | None = None,
        rows: int = 0,
        look: Look | None = None,
    ) -> None:
        """Write down what is about to be answered, with where it was asked from and by which roles.

        Raises:
            StorageError: it can't be made durable; then nothing may be shown.
        """
        where: dict[str, object] = {"address": asking.address} if asking.address else {}
        if identity.entrant is not None:
            where["roles"] = sorted(identity.entrant.roles)
        await anyio.to_thread.run_sync(
            lambda: audit.record(
                self.office.control, actor, action, look=look, detail={**where, **(detail or {})}, rows=rows
            )
        )

    async def answer(self, answer: Answer, asking: Asking, identity: Identity) -> Response:
        """Write the entry of an answer, then make what is sent.

        Raises:
            StorageError: the entry can't be made durable.
        """
        entry = answer.entry
        if isinstance(entry, Entry) and identity.entrant is not None and self._is_news(entry, asking, identity):
            await self.record(
                identity.entrant.actor,
                entry.action,
                asking,
                identity=identity,
                detail=dict(entry.detail),
                rows=entry.rows,
                look=entry.look,
            )
        if isinstance(answer, SeeOther):
            return self.see_other(asking, answer.path, notice=answer.notice)
        if isinstance(answer, Data):
            return replies.data(answer.value)
        if isinstance(answer, Download):
            return replies.download(answer.content, file_name=answer.file_name, content_type=answer.content_type)
        return await self.page(asking, answer.template, answer.view, status=answer.status, identity=identity)

    async def page(
        self,
        asking: Asking,
        template: str,
        view: msgspec.Struct,
        *,
        status: int = 200,
        identity: Identity = NOBODY,
    ) -> Response:
        """Return a page in its frame."""
        text = await anyio.to_thread.run_sync(
            lambda: self._framer.render(
                template,
                asking.say,
                view,
                path=asking.path,
                query=asking.query,
                root_path=asking.root_path,
                entrant=identity.entrant,
                look=identity.look,
                notice=asking.request.query_params.get("notice", ""),
            )
        )
        return replies.html(text, status=status)

    def see_other(self, asking: Asking, path: str, *, notice: str = "") -> Response:
        """Return the way to another page of the admin area."""
        if notice:
            path += f"{'&' if '?' in path else '?'}{urlencode({'notice': notice})}"
        return replies.see_other(asking.root + path)

    def with_session(self, response: Response, session_id: str, asking: Asking) -> Response:
        """Give the browser a session's id; an empty one takes it away."""
        field = self.cookie.write(session_id, path=asking.root, is_secure=asking.is_secure)
        response.raw_headers.append((b"set-cookie", field.encode("latin-1")))
        return response

    def _is_news(self, entry: Entry, asking: Asking, identity: Identity) -> bool:
        """Tell whether an answer is to be written down: what a page left open asks for again shows nobody's data.

        A page is asked for anew every half a minute by its own script. Where it shows no row it is recorded as
        it was opened, once.
        """
        if entry.rows or entry.look is not None or asking.method != "GET":
            return True
        number = identity.session.number if identity.session is not None else 0
        key = (number, f"{entry.action} {asking.here}")
        if asking.is_refresh and number and key in self._shown:
            return False
        if len(self._shown) >= _MAX_REFRESHED:
            del self._shown[next(iter(self._shown))]
        self._shown[key] = None
        return True
