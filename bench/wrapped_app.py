"""The site that is measured, with consentkit. Settings come from CONSENTKIT_CONFIG.

uvicorn bench.wrapped_app:whole --factory
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.bare_app import site
from consentkit import ConsentKit, Settings
from consentkit.crypto import Keyring
from consentkit.requestlog.address import TrustedProxies, resolve_forwarding
from consentkit.requestlog.capture import Capture
from consentkit.requestlog.redact import Redactor
from consentkit.requestlog.spool import Spool
from consentkit.settings import read_secrets

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def log_alone() -> ASGIApp:
    """Return the site with the request log and nothing else, put together as the kit does it."""
    settings = Settings.load(Path(os.environ["CONSENTKIT_CONFIG"]))
    storage, log = settings.storage, settings.requestlog
    keyring = Keyring.open(storage.keys, read_secrets(os.environ))
    spool = Spool(storage.directory, keyring, max_bytes=log.spool_max_mb * 1024 * 1024)
    return Capture(
        site,
        spool=lambda: spool,
        redactor=Redactor(log.keep_query_keys, redact_paths=log.redact_paths),
        forwarding=partial(resolve_forwarding, trusted=TrustedProxies(log.trusted_proxies)),
        exclude_paths=log.exclude_paths,
    )


def whole() -> ASGIApp:
    """Return the site wrapped: log, gate and all."""
    return ConsentKit(os.environ["CONSENTKIT_CONFIG"]).wrap(site)
