"""One request of one member of staff, as its page sees it.

Owns what a handler is given. Who it is and whether he may was settled before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio
import anyio.to_thread
import msgspec

from consentkit.admin.answer import Answer
from consentkit.admin.roles import Action, Role, may
from consentkit.audit import Actor, Look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from consentkit.admin.office import Office
    from consentkit.archive.search import Archive
    from consentkit.web.texts import Catalogue

P = ParamSpec("P")
R = TypeVar("R")


class Entrant(msgspec.Struct, frozen=True, kw_only=True):
    """Who has signed in.

    Attributes:
        name: of the person.
        roles: one or more.
        address: where the request comes from.
        session: number of the session; 0 where the site signs people in by itself.
        confirmed_us: when the password was last given, microseconds since 1970 UTC.
    """

    name: str
    roles: frozenset[Role]
    address: str
    session: int = 0
    confirmed_us: int = 0

    def may(self, action: Action) -> bool:
        """Tell whether one of the roles allows an action."""
        return may(self.roles, action)

    @property
    def actor(self) -> Actor:
        """Who acts, for the audit."""
        return Actor(self.name, "admin")


class Visit:
    """One request.

    Args:
        request: with the path under the admin area.
        entrant: who asks.
        say: speaks the reader's language.
        office: what there is to look at.
        look: why personal data is looked at, as said within the last hour; None where it was not.
        form: a POST's fields; empty for a GET.
        limiter: how many may work in threads at a time.
    """

    def __init__(
        self,
        request: Request,
        *,
        entrant: Entrant,
        say: Catalogue,
        office: Office,
        look: Look | None,
        form: Mapping[str, str],
        limiter: anyio.CapacityLimiter,
    ) -> None:
        self.request = request
        self.entrant = entrant
        self.say = say
        self.office = office
        self.look = look
        self.form = form
        self._limiter = limiter

    @property
    def query(self) -> Mapping[str, str]:
        """The address's query; the last of several values of a name."""
        return self.request.query_params

    @property
    def archive(self) -> Archive:
        """The kept request log, as this look may see it: what is restricted is left out but for its own case."""
        return self.office.archive.for_case(self.look.case if self.look else "")

    async def work(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run what blocks in a thread, a few at a time, so that the site goes on."""
        return await anyio.to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._limiter)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One address of the admin area and what it needs.

    Attributes:
        path: under the admin area, in Starlette's form, as ``/incidents/{number:int}``.
        method: ``GET`` or ``POST``; only POST changes anything.
        action: what is done, of `roles.ACTIONS`.
        handler: answers.
        needs_look: purpose and case must have been said within the last hour.
        needs_confirmation: the password must have been given within the last few minutes.
        takes_file: its form brings a small file, as `upload` reads it.
    """

    path: str
    action: Action
    handler: Callable[[Visit], Awaitable[Answer]]
    method: str = "GET"
    needs_look: bool = False
    needs_confirmation: bool = False
    takes_file: bool = False
