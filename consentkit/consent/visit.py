"""Reading from a request what its visitor allows.

Owns which of the cookies that came are the choice, what a privacy signal does to it, and which cookies are
refused. A choice's own text is `choice`'s, what follows for headers is `gate`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consentkit.consent.choice import Choice, ChoiceSigner, Consent, agreed
from consentkit.consent.cookieheader import names_of, values_of
from consentkit.consent.signals import GPC_FIELD, GPC_ON

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Scope

    from consentkit.consent.names import CookieNames
    from consentkit.consent.policy import Policy
    from consentkit.consent.registry import Registry
    from consentkit.consent.signals import Signal

# Keys of the scope: what was found out about the request, and who renders our pages.
VISIT: Final = "consentkit"
PAGES: Final = "consentkit.pages"


class Visit:
    """What the gate found out about one request; the visitor's pages read it.

    Attributes:
        consent: what the visitor allows.
        choice: the valid choice behind it, if any.
        refused: names of the cookies that are hidden from the app.
        is_secure: the request came over https or wss.
        has_signal: the browser refuses for its user.
        is_suspended: the choice grants something, but was made without the signal that comes now.
        has_rivals: several cookies came that each could be the choice, and differ.
    """

    __slots__ = (
        "_fields",
        "_id_name",
        "choice",
        "consent",
        "has_rivals",
        "has_signal",
        "is_secure",
        "is_suspended",
        "refused",
    )

    def __init__(self, consent: Consent, fields: list[bytes], id_name: bytes, *, is_secure: bool) -> None:
        self.consent = consent
        self.choice: Choice | None = None
        self.refused: tuple[bytes, ...] = ()
        self.is_secure = is_secure
        self.has_signal = False
        self.is_suspended = False
        self.has_rivals = False
        self._fields = fields
        self._id_name = id_name

    # Most requests end without a question for these, so they are read when they are asked for.

    @property
    def has_cookies(self) -> bool:
        """Whether any cookie came."""
        return bool(self._fields)

    @property
    def sent(self) -> tuple[bytes, ...]:
        """Names of all cookies that came, the hidden ones too; without values."""
        return tuple(names_of(self._fields))

    @property
    def consent_id(self) -> bytes:
        """Value of the id cookie, unchecked; empty if none came, the last of several."""
        return ([value for field in self._fields for value in values_of(field, self._id_name)] or [b""])[-1]


class Keys:
    """What the gate needs that exists only once consentkit has started."""

    __slots__ = ("policy", "signer")

    def __init__(self, signer: ChoiceSigner, policy: Policy) -> None:
        self.signer = signer
        self.policy = policy


class VisitReader:
    """Read visits.

    Args:
        registry: what each cookie is for.
        keys: returns signer and policy, or None before the start has succeeded: then nothing is granted.
        names: of consentkit's own cookies.
        signals: by which a browser refuses, beside Global Privacy Control.
        deny_only: optional cookies are off for everybody, whatever was chosen before.
    """

    def __init__(
        self,
        registry: Registry,
        keys: Callable[[], Keys | None],
        names: CookieNames,
        signals: Sequence[Signal] = (),
        *,
        deny_only: bool = False,
    ) -> None:
        self._registry = registry
        self._keys = keys
        self._signals = tuple(signals)
        self._plain_name = names.choice(is_secure=False).encode()
        self._secure_name = names.choice(is_secure=True).encode()
        self._id_name = names.consent_id.encode()
        optional, services = registry.categories, registry.service_categories
        self._signalled = Consent(frozenset(), frozenset(optional), optional, declared=services)
        undecided = Consent(frozenset(), frozenset(), optional, declared=services)
        self._deny_only = deny_only
        self._unasked = self._signalled if deny_only else undecided

    def read(self, scope: Scope) -> Visit:
        """Read the choice from a request, and tell which of its cookies are refused."""
        fields: list[bytes] = []
        has_signal = False
        for name, value in scope["headers"]:
            if name == b"cookie":
                fields.append(value)
            elif name == GPC_FIELD and value == GPC_ON:
                has_signal = True
        is_secure = scope.get("scheme") in ("https", "wss")
        visit = Visit(self._unasked, fields, self._id_name, is_secure=is_secure)
        if fields:
            self._read_choice(visit, fields)
        if self._deny_only:
            visit.consent = self._signalled
        if has_signal or (self._signals and any(signal(scope["headers"]) for signal in self._signals)):
            self._heed_signal(visit)
        if fields and not visit.consent.allows_all:
            visit.refused = tuple(self._refused(fields, visit.consent))
        return visit

    def _refused(self, fields: list[bytes], consent: Consent) -> list[bytes]:
        find, allows = self._registry.find, consent.allows_cookie
        return [
            name
            for name in names_of(fields)
            if (declared := find(name)) is not None and declared.on_refusal == "drop" and not allows(declared)
        ]

    def _read_choice(self, visit: Visit, fields: list[bytes]) -> None:
        own = self._secure_name if visit.is_secure else self._plain_name
        texts = values_of(fields[0], own)
        for field in fields[1:]:
            texts += values_of(field, own)
        keys = self._keys()
        if keys is None or not texts:
            return
        read = keys.signer.read
        if len(texts) == 1:
            visit.choice = read(texts[0])
        else:
            visit.choice = agreed([choice for text in texts if (choice := read(text)) is not None])
            visit.has_rivals = len(set(texts)) > 1
        visit.consent = keys.policy.consent(visit.choice)

    def _heed_signal(self, visit: Visit) -> None:
        """Deny what is optional, but for what was granted while the signal was on."""
        visit.has_signal = True
        choice, consent = visit.choice, visit.consent
        if choice is None or not choice.under_signal:
            visit.is_suspended = bool(consent.granted or consent.services)
            visit.consent = self._signalled
        elif not consent.decided:
            optional, services = self._registry.categories, self._registry.service_categories
            denied = frozenset(optional) - consent.granted
            visit.consent = Consent(consent.granted, denied, optional, consent.services, services)


def host_of(scope: Scope) -> str:
    """Return the request's host without its port, lower case; empty where there is none."""
    for name, value in scope["headers"]:
        if name == b"host":
            host: str = value.decode("latin-1").lower()
            return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return ""
