"""The composition root: the only place that knows every room.

Owns the order of a request's way, and what is opened at start and closed at stop.

    server → capture → gate → visitor's pages under the mount, or inject → the app
"""

from __future__ import annotations

import logging
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from consentkit.consent.choice import ChoiceSigner
from consentkit.consent.gate import Gate, Keys
from consentkit.consent.inject import Inject
from consentkit.consent.names import CookieNames
from consentkit.consent.policy import Policy, PolicyState, policy_hash, read_copy, write_copy
from consentkit.consent.registry import Registry, additions
from consentkit.crypto import Keyring
from consentkit.entrance import Mount, Site
from consentkit.errors import ConsentKitError, SettingsError, StorageError
from consentkit.requestlog.address import TrustedProxies, resolve_forwarding
from consentkit.requestlog.capture import Capture
from consentkit.requestlog.redact import Redactor
from consentkit.requestlog.spool import Spool
from consentkit.requestlog.truncate import truncate_address
from consentkit.settings import Settings, read_secrets
from consentkit.status import WorkerStatus
from consentkit.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import anyio
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from consentkit.archive.child import IngestKeeper
    from consentkit.consent.decision import Decision
    from consentkit.control import Control

logger = logging.getLogger("consentkit")

_BYTES_A_MEGABYTE: Final = 1024 * 1024

# Between two attempts to start where the server has no lifespan: each would cost a request its time.
_RETRY_SECONDS: Final = 5.0


class ConsentKit:
    """consentkit for one site.

    Settings are checked here, so that a bad file fails at import on every server; files, threads and
    processes are opened by `start`.

    Args:
        settings: path of the settings file, or settings already made; None = `CONSENTKIT_CONFIG` if that is
            set, else the defaults.
        debug: tell in a response header which cookies were dropped.

    Raises:
        SettingsError: names the key, the fault and what is allowed.
    """

    def __init__(self, settings: Settings | str | Path | None = None, *, debug: bool = False) -> None:
        self.settings = settings if isinstance(settings, Settings) else Settings.load(settings)
        _refuse_unbuilt(self.settings)
        self._secrets = read_secrets(os.environ)
        self._debug = debug
        self.registry = Registry.build(self.settings)
        consent = self.settings.consent
        self._names = CookieNames(consent.cookie, has_prefix=not consent.cookie_domain)
        from consentkit.visitor.app import Visitor  # noqa: PLC0415 - brings Starlette's routing along

        self._visitor = Visitor(
            self.settings,
            self.registry,
            keys=lambda: self._keys,
            record=self._record,
            names=self._names,
        )
        self._starting: anyio.Lock | None = None
        self._failed_at = -_RETRY_SECONDS
        self._keyring: Keyring | None = None
        self._control: Control | None = None
        self._keys: Keys | None = None
        self._spool: Spool | None = None
        self._keeper: IngestKeeper | None = None
        self._watch: Watch | None = None
        self._wrapped: list[tuple[Capture, Inject]] = []
        self._trusted = TrustedProxies(self.settings.requestlog.trusted_proxies)

    @property
    def is_started(self) -> bool:
        """Whether `start` has succeeded and `stop` was not called since."""
        return self._keys is not None

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return the application that does what this kit promises, and asks `app` for the rest."""
        consent, log = self.settings.consent, self.settings.requestlog
        inject = Inject(app, self._visitor.markup, enabled=consent.inject == "auto")
        gate = Gate(
            Mount(self._visitor, inject, self.settings.site.mount),
            registry=self.registry,
            keys=lambda: self._keys,
            names=self._names,
            blocks_undeclared=consent.undeclared == "block",
            is_debug=self._debug,
        )
        capture = Capture(
            gate,
            spool=lambda: self._spool,
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
                await anyio.to_thread.run_sync(self._open)

    async def stop(self) -> None:
        """Close what `start` opened, in reverse; wait until the ingester has applied what is spooled."""
        import anyio.to_thread  # noqa: PLC0415 - as in `start`

        if self.is_started:
            await anyio.to_thread.run_sync(self._close)

    async def try_start(self) -> None:
        """Start where no lifespan did; a failure is logged, and the site goes on with nothing granted."""
        if time.monotonic() - self._failed_at < _RETRY_SECONDS:
            return
        try:
            await self.start()
        except ConsentKitError as exc:
            self._failed_at = time.monotonic()
            logger.error("consentkit can't start, no optional cookie passes: %s", exc)

    def _open(self) -> None:
        storage, log = self.settings.storage, self.settings.requestlog
        keyring = self._keyring = Keyring.open(storage.keys, self._secrets)
        if keyring.secret_is_own:
            logger.warning("no CONSENTKIT_SECRET is set: one was made in %s, for development", storage.keys)
        state = self._open_policy(keyring)
        self._spool = Spool(storage.directory, keyring, max_bytes=log.spool_max_mb * _BYTES_A_MEGABYTE)
        self._watch = Watch(storage.directory, self._spool.worker, self._status)
        from consentkit.archive.child import IngestKeeper, IngestOrder  # noqa: PLC0415 - brings subprocess along

        order = IngestOrder.of(self.settings, self._secrets)
        is_external = log.ingest == "external"
        self._keeper = IngestKeeper(order, each_round=self._tend, is_external=is_external)
        self._keeper.start()
        policy = Policy(state, self.registry.categories, self.settings.consent.lifetime_days)
        self._keys = Keys(ChoiceSigner(keyring.derive("choice/v1")), policy)

    def _open_policy(self, keyring: Keyring) -> PolicyState:
        """Find the policy in force: its sealed copy, else the ledger, where a new one is entered."""
        directory, key = self.settings.storage.directory, keyring.derive("policy/v1")
        canonical = self.registry.policy()
        known = read_copy(directory, key, policy_hash(canonical))
        fault = _why_unwritable(directory)
        if known is not None:
            if fault:
                # It has worked before: the log fails open and consent is enforced from what is known.
                logger.error("%s: the request log is not being kept (%s)", directory, fault)
            return known
        if fault:
            raise StorageError(
                str(directory), f"the data directory can't be used ({fault}); let this user write it"
            )
        from consentkit.consent.ledger import register_policy  # noqa: PLC0415 - brings SQLAlchemy along

        state = register_policy(self._open_control(), canonical, additions)
        write_copy(directory, key, state)
        return state

    def _open_control(self) -> Control:
        if self._control is None:
            from consentkit.control import Control  # noqa: PLC0415 - brings SQLAlchemy along

            if self._keyring is None:
                raise StorageError(str(self.settings.storage.directory), "consentkit has not started")
            self._control = Control(self.settings.storage.directory, self._keyring)
        return self._control

    def _record(self, decision: Decision) -> Decision:
        from consentkit.consent.ledger import record_decision  # noqa: PLC0415 - brings SQLAlchemy along

        return record_decision(self._open_control(), decision)

    def _tend(self) -> None:
        self._watch_spool()
        if (watch := self._watch) is not None:
            watch.round()

    def _status(self) -> WorkerStatus:
        spool = self._spool
        return WorkerStatus(
            is_proxied_by_server=self._trusted.is_preempted,
            lost=spool.lost if spool is not None else 0,
            unrecorded=sum(capture.unrecorded for capture, _ in self._wrapped),
            pages_without_banner=sum(inject.encoded for _, inject in self._wrapped),
        )

    def _watch_spool(self) -> None:
        spool = self._spool  # `stop` may take it away meanwhile, in another thread
        if spool is not None:
            spool.is_full = spool.bytes_waiting() >= spool.max_bytes

    def _close(self) -> None:
        self._keys = None
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        self._control = None
        self._keyring = None


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


def _refuse_unbuilt(settings: Settings) -> None:
    for key in ("url", "requests_url"):
        if getattr(settings.storage, key):
            raise SettingsError(f"storage.{key}", "this version has the embedded store alone", "leave it empty")


def _why_unwritable(directory: Path) -> str:
    """Return why the data directory can't be made or written; empty if it can."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        return exc.strerror or type(exc).__name__
    return "" if os.access(directory, os.W_OK | os.X_OK) else "it is not writable for this user"


def _warn_unless_outermost(scope: Mapping[str, object]) -> None:
    added = getattr(scope.get("app"), "user_middleware", None)
    if added and added[0].cls is not ConsentKitMiddleware:
        logger.warning(
            "ConsentKitMiddleware is not the outermost middleware: cookies set outside of it pass unseen;"
            " add it last, or use ConsentKit.wrap(app)"
        )
