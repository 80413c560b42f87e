"""The composition root: the only place that knows every room.

Owns the order of a request's way. What is opened at start and closed at stop is `running`'s.

    server → capture → gate → visitor's pages or the admin area under the mount, or inject → the app
"""

from __future__ import annotations

import logging
import os
import time
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from consentkit.consent.csp import Narrowing
from consentkit.consent.cspreport import ReportDesk
from consentkit.consent.gate import Gate
from consentkit.consent.inject import Inject
from consentkit.consent.names import CookieNames
from consentkit.consent.registry import Registry
from consentkit.consent.seen import Seen
from consentkit.consent.showings import Showings
from consentkit.consent.sightings import Sightings, met
from consentkit.entrance import Later, Mount, Site
from consentkit.errors import ConsentKitError, SettingsError
from consentkit.requestlog.address import TrustedProxies, resolve_forwarding
from consentkit.requestlog.capture import Capture
from consentkit.requestlog.redact import Redactor
from consentkit.requestlog.truncate import truncate_address
from consentkit.running import Running
from consentkit.settings import Settings, read_secrets
from consentkit.status import WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import anyio
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from consentkit.admin.identity import Authenticate
    from consentkit.consent.inventory import Met
    from consentkit.consent.signals import Signal
    from consentkit.control import Control
    from consentkit.crypto import Keyring

logger = logging.getLogger("consentkit")

# Between two attempts to start where the server has no lifespan: each would cost a request its time.
_RETRY_SECONDS: Final = 5.0

# Of each setting that names a database: the module that speaks to it, and the extra that brings it.
_DRIVERS: Final = (("url", "psycopg", "postgresql"), ("requests_url", "clickhouse_driver", "clickhouse"))


class ConsentKit:
    """consentkit for one site.

    Settings are checked here, so that a bad file fails at import on every server; files, threads and
    processes are opened by `start`.

    Args:
        settings: path of the settings file, or settings already made; None = `CONSENTKIT_CONFIG` if that is
            set, else the defaults.
        debug: tell in a response header which cookies were dropped.
        signals: by which a browser refuses for its user, beside Global Privacy Control, which always counts.
        authenticate: the site's own sign-in for the admin area: takes the request and returns, or is awaited for,
            `consentkit.Staff` or None; None = people and passwords are kept here.

    Raises:
        SettingsError: names the key, the fault and what is allowed.
    """

    def __init__(
        self,
        settings: Settings | str | Path | None = None,
        *,
        debug: bool = False,
        signals: Sequence[Signal] = (),
        authenticate: Authenticate | None = None,
    ) -> None:
        self.settings = settings if isinstance(settings, Settings) else Settings.load(settings)
        _require_drivers(self.settings)
        self._debug = debug
        self._signals = tuple(signals)
        self.registry = Registry.build(self.settings)
        consent = self.settings.consent
        self._names = CookieNames(consent.cookie, has_prefix=not consent.cookie_domain)
        self._seen = Seen()
        self._sightings = Sightings(self.registry)
        showings = Showings()
        secrets = read_secrets(os.environ)
        self._running = Running(
            self.settings,
            self.registry,
            secrets,
            seen=self._seen,
            met=self._met,
            showings=showings,
            status=self._status,
        )
        from consentkit.visitor.app import Visitor  # noqa: PLC0415 - brings Starlette's routing along
        from consentkit.visitor.links import PersonLinks  # noqa: PLC0415 - likewise

        self._visitor = Visitor(
            self.settings,
            self.registry,
            keys=lambda: self._running.keys,
            record=self._running.record,
            names=self._names,
            reports=ReportDesk(self.registry.services, self._seen),
            showings=showings,
            receipt=self._running.receipt,
            links=PersonLinks(self._opened),
            has_secret=bool(secrets),
        )
        self._authenticate = authenticate
        self._admin = Later(self._open_admin)
        self._starting: anyio.Lock | None = None
        self._failed_at = -_RETRY_SECONDS
        self._wrapped: list[tuple[Capture, Inject]] = []
        self._trusted = TrustedProxies(self.settings.requestlog.trusted_proxies)

    @property
    def is_started(self) -> bool:
        """Whether `start` has succeeded and `stop` was not called since."""
        return self._running.keys is not None

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return the application that does what this kit promises, and asks `app` for the rest."""
        consent, log = self.settings.consent, self.settings.requestlog
        inject = Inject(app, self._visitor.markup, enabled=consent.inject == "auto")
        gate = Gate(
            Mount(self._visitor, inject, self.settings.site.mount, admin=self._admin),
            registry=self.registry,
            keys=lambda: self._running.keys,
            names=self._names,
            seen=self._seen,
            sightings=self._sightings,
            signals=self._signals,
            narrowing=self._narrowing(),
            cookie_domain=consent.cookie_domain,
            blocks_undeclared=consent.undeclared == "block",
            deny_only=consent.deny_only,
            is_debug=self._debug,
        )
        capture = Capture(
            gate,
            spool=lambda: self._running.spool,
            redactor=Redactor(log.keep_query_keys, redact_paths=log.redact_paths),
            forwarding=partial(resolve_forwarding, trusted=self._trusted),
            exclude_paths=log.exclude_paths,
            kept_address=truncate_address if log.truncate_ip_after_days == 0 else str,
        )
        self._wrapped.append((capture, inject))
        return Site(self, capture, app)

    def template_context(self, request: Request) -> dict[str, object]:
        """Return what templates use: ``consent``, ``consent_banner()`` and the rest.

        Give it to Starlette's ``Jinja2Templates(context_processors=[kit.template_context])``.
        """
        return self._visitor.template_functions.context(request)

    async def start(self) -> None:
        """Open keys, policy and spool, and start the ingester. Does nothing if it is done.

        Raises:
            KeyUnavailable: the keys do not open.
            StorageError: the data directory can't be made, or was never written and can't be.
        """
        import anyio.to_thread  # noqa: PLC0415 - brings asyncio along, which a process without a server has not

        if self._starting is None:
            self._starting = anyio.Lock()
        async with self._starting:
            if not self.is_started:
                await anyio.to_thread.run_sync(self._running.open)

    async def stop(self) -> None:
        """Close what `start` opened, in reverse; wait until the ingester has applied what is spooled."""
        import anyio.to_thread  # noqa: PLC0415 - as in `start`

        if self.is_started:
            await anyio.to_thread.run_sync(self._running.close)

    async def try_start(self) -> None:
        """Start where no lifespan did; a failure is logged, and the site goes on with nothing granted."""
        if time.monotonic() - self._failed_at < _RETRY_SECONDS:
            return
        try:
            await self.start()
        except ConsentKitError as exc:
            self._failed_at = time.monotonic()
            logger.error("consentkit can't start, no optional cookie passes: %s", exc)

    def _open_admin(self) -> ASGIApp:
        if self._authenticate is not None:
            return self._make_admin()
        from consentkit.admin.doorway import Doorway  # noqa: PLC0415 - brings Starlette and Jinja along

        return Doorway(self.settings, Later(self._make_admin))

    def _make_admin(self) -> ASGIApp:
        from consentkit.admin.app import Admin  # noqa: PLC0415 - brings SQLAlchemy, Argon2 and the archive along

        return Admin(
            self.settings,
            self.registry,
            opened=self._opened,
            names=self._names,
            authenticate=self._authenticate,
        )

    def _opened(self) -> tuple[Keyring, Control] | None:
        keyring = self._running.keyring if self.is_started else None
        return None if keyring is None else (keyring, self._running.open_control())

    def _narrowing(self) -> Narrowing | None:
        consent, mount = self.settings.consent, self.settings.site.mount
        if consent.csp == "off":
            return None
        return Narrowing(consent.csp, self.registry.services, consent.csp_hosts, mount=mount)

    def _met(self) -> Met:
        return met(self._seen, self._sightings)

    def _status(self) -> WorkerStatus:
        return WorkerStatus(
            is_proxied_by_server=self._trusted.is_preempted,
            unrecorded=sum(capture.unrecorded for capture, _ in self._wrapped),
            pages_without_banner=sum(inject.encoded for _, inject in self._wrapped),
        )


class ConsentKitMiddleware:
    """Wrap an app by ``app.add_middleware(ConsentKitMiddleware, kit=kit)``.

    `ConsentKit.wrap` is the better way, for it alone sees every cookie: a middleware added after this one
    stands outside of it. That is told at start.

    Args:
        app: the next ASGI application; the framework gives it.
        kit: the kit; or else
        settings: what `ConsentKit` takes.
    """

    def __init__(
        self, app: ASGIApp, *, kit: ConsentKit | None = None, settings: Settings | str | Path | None = None
    ) -> None:
        self._wrapped = (kit or ConsentKit(settings)).wrap(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            _warn_unless_outermost(scope)
        await self._wrapped(scope, receive, send)


def _require_drivers(settings: Settings) -> None:
    for key, driver, extra in _DRIVERS:
        if getattr(settings.storage, key) and find_spec(driver) is None:
            fault = "the driver of its database is not installed"
            raise SettingsError(f"storage.{key}", fault, f"pip install 'consentkit[{extra}]'")


def _warn_unless_outermost(scope: Mapping[str, object]) -> None:
    added = getattr(scope.get("app"), "user_middleware", None)
    if added and added[0].cls is not ConsentKitMiddleware:
        logger.warning(
            "ConsentKitMiddleware is not the outermost middleware: cookies set outside of it pass unseen;"
            " add it last, or use ConsentKit.wrap(app)"
        )
