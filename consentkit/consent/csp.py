"""The narrowing Content-Security-Policy: it takes refused services away, and gives an app no policy.

Owns the text of that second policy. Two policies hold both (CSP Level 3 §4.2), so a second can only tighten:
what an app's own policy asks for, as a nonce, it goes on asking for. Which responses get it is `page`'s
decision, what browsers report of it `cspreport`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consentkit.consent.choice import Consent
    from consentkit.consent.declared import Service

Mode: TypeAlias = Literal["report", "enforce"]
Field: TypeAlias = "tuple[bytes, bytes]"

REPORT_PATH: Final = "/csp-report"  # below the mount
_GROUP: Final = "consentkit-csp"
_NAMES: Final = {
    "report": b"content-security-policy-report-only",
    "enforce": b"content-security-policy",
}

# What a page may do by itself is the app's own policy to say; script-src stands for its -elem and -attr forms too.
_OF_SCRIPTS: Final = "'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
_OF_OTHERS: Final = "'self' data: blob:"

# A visitor's combination of categories and services; most sites see a handful.
_REMEMBERED: Final = 256


class Narrowing:
    """Make the fields that keep a page from services which its visitor does not allow.

    Undecided counts as refused: nothing optional may be loaded before it is agreed to.

    Args:
        mode: ``report`` or ``enforce``.
        services: all declared ones.
        hosts: always allowed.
        mount: of the pages to which browsers report.
    """

    def __init__(self, mode: Mode, services: Sequence[Service], hosts: Sequence[str], *, mount: str) -> None:
        self._name = _NAMES[mode]
        self._services = services
        self._hosts = tuple(hosts)
        self._mount = mount
        self._fields: dict[tuple[object, ...], tuple[Field, ...]] = {}

    def fields(
        self, consent: Consent, *, root_path: str, is_secure: bool, embedded: frozenset[str] = frozenset()
    ) -> tuple[Field, ...]:
        """Return the fields for a page.

        Args:
            consent: the visitor's.
            root_path: ASGI ``root_path`` of the site.
            is_secure: the page came over https; browsers take a reporting endpoint there alone.
            embedded: ids of services for which the page has a placeholder: that waits for the visitor, who may
                then load it for this page alone, so the policy lets it.
        """
        key = (consent.granted, consent.services, embedded, root_path, is_secure)
        known = self._fields.get(key)
        if known is None:
            if len(self._fields) >= _REMEMBERED:
                self._fields.clear()
            allowed = consent.services | embedded
            services = [each for each in self._services if each.id in allowed or consent.allows(each.category)]
            known = self._fields[key] = self._make(
                services, f"{quote(root_path)}{self._mount}", is_secure=is_secure
            )
        return known

    def _make(self, services: Iterable[Service], mount: str, *, is_secure: bool) -> tuple[Field, ...]:
        hosts = list(dict.fromkeys([*self._hosts, *(host for each in services for host in each.hosts)]))
        # A host without a scheme stands for https alone, and a websocket is asked for by connect-src.
        sockets = [f"wss://{host}" for host in hosts]
        policy = "; ".join(
            (
                " ".join(("script-src", _OF_SCRIPTS, *hosts)),
                " ".join(("connect-src", _OF_OTHERS, *hosts, *sockets)),
                " ".join(("img-src", _OF_OTHERS, *hosts)),
                " ".join(("frame-src", _OF_OTHERS, *hosts)),
                f"report-uri {mount}{REPORT_PATH}",
            )
        )
        if not is_secure:
            return ((self._name, policy.encode("ascii")),)
        endpoint = f'{_GROUP}="{mount}{REPORT_PATH}"'
        return (
            (self._name, f"{policy}; report-to {_GROUP}".encode("ascii")),
            (b"reporting-endpoints", endpoint.encode("ascii")),
        )
