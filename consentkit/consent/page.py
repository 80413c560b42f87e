"""What the gate adds to a page: expired cookies, and the policy that takes refused services away.

Owns which pages get it. Only a document that is this visitor's alone does: what a cache keeps for others, or
revalidates later, would carry one visitor's choice to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.consent import setcookie, sweep
from consentkit.consent.cachepolicy import fields_of, keep_private, may_be_shared
from consentkit.consent.documents import is_html_document
from consentkit.consent.visit import host_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Scope

    from consentkit.consent.cachepolicy import Fields, Headers
    from consentkit.consent.csp import Narrowing
    from consentkit.consent.registry import Registry
    from consentkit.consent.visit import Visit

# Key of the request's state: ids of services for which the page has a placeholder.
EMBEDDED: Final = "consentkit_embedded"

_VARY: Final = (b"Cookie", b"Sec-GPC")
_SWEPT_METHODS: Final = frozenset({"GET", "POST"})


class PageHeaders:
    """Add to the headers of pages.

    Args:
        registry: what each cookie is for.
        tell: called with the declaration of a cookie that can't be deleted.
        narrowing: makes the policy; None = none is sent.
        cookie_domain: of our choice cookie; empty = host-only.
    """

    def __init__(
        self,
        registry: Registry,
        tell: Callable[[str], None],
        *,
        narrowing: Narrowing | None = None,
        cookie_domain: str = "",
    ) -> None:
        self._registry = registry
        self._sweeper = sweep.Sweeper(registry, tell)
        self._narrowing = narrowing
        self._cookie_domain = cookie_domain

    def complete(self, headers: Headers, scope: Scope, visit: Visit, own_name: bytes) -> tuple[Headers, bool]:
        """Return a response's headers with what its page gets, and whether it is a page.

        Args:
            headers: as they would leave; not changed.
            scope: the request, with the app's state.
            visit: what its visitor allows.
            own_name: of the choice cookie.
        """
        fields = fields_of(headers)
        if not is_html_document(fields):
            return headers, False
        added: Headers = []
        if scope["method"] in _SWEPT_METHODS and _is_swept(fields):
            added = [(b"set-cookie", field) for field in self._expirations(scope, visit, fields, own_name)]
        if self._narrowing is not None and _is_own(fields):
            headers = keep_private(headers, vary=_VARY)
            added += self._narrowing.fields(
                visit.consent,
                root_path=scope.get("root_path", ""),
                is_secure=visit.is_secure,
                embedded=frozenset(scope.get("state", {}).get(EMBEDDED, ())),
            )
        return ([*headers, *added] if added else headers), True

    def _expirations(self, scope: Scope, visit: Visit, fields: Fields, own_name: bytes) -> list[bytes]:
        if not (visit.refused or visit.has_rivals):
            return []
        host = host_of(scope)
        found: list[bytes] = []
        if visit.has_rivals:
            found = sweep.rivals(own_name, host=host, own_domain=self._cookie_domain)
        if visit.choice is not None and not visit.is_suspended:
            set_here = {setcookie.name_of(value) for value in fields.get(b"set-cookie", ())}
            names = [name for name in visit.refused if name not in set_here and self._is_denied(name, visit)]
            found += self._sweeper.expirations(visit.choice, names, host=host, is_secure=visit.is_secure)
        return found[: sweep.MAX_FIELDS]

    def _is_denied(self, name: bytes, visit: Visit) -> bool:
        declared = self._registry.find(name)
        return declared is not None and visit.consent.answer(declared.category) is False


def _is_swept(fields: Fields) -> bool:
    said = b",".join(fields.get(b"cache-control", ())).lower()
    return b"private" in said or b"no-store" in said or not may_be_shared(fields)


def _is_own(fields: Fields) -> bool:
    """Tell whether no cache gives a page to another, nor to the same visitor once the choice has changed."""
    said = b",".join(fields.get(b"cache-control", ())).lower()
    return b"no-store" in said or not may_be_shared(fields)
