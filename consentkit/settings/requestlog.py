"""What the request log keeps, for how long and on which basis: the table ``[requestlog]``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from consentkit.errors import SettingsError
from consentkit.settings import values

REASONED_PAST_DAYS = 365  # longer than any period that a supervisory authority is known to accept unasked


class RequestLog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say what of a request is kept, how long, and whose forwarding headers are believed.

    ``truncate_ip_after_days`` cuts addresses to IPv4 /24 and IPv6 /48: 0 = before they are stored, None =
    never. ``geo_database`` is None when no places are looked up.
    """

    rotate: Literal["hour", "day"] = "day"
    retention_days: int = 90
    retention_reason: str = ""
    basis: Literal["legitimate_interest", "legal_obligation", "public_task"] = "legitimate_interest"
    basis_law: str = ""
    truncate_ip_after_days: int | None = None
    trusted_proxies: tuple[str, ...] = ()
    keep_query_keys: tuple[str, ...] = ("page",)
    redact_paths: bool = True
    exclude_paths: tuple[str, ...] = ()
    ingest: Literal["process", "external"] = "process"
    geo_database: Path | None = None
    geo_precision: Literal["country", "city"] = "country"
    spool_max_mb: int = 512

    def __post_init__(self) -> None:
        self._check_periods()
        self._check_basis()
        for index, proxy in enumerate(self.trusted_proxies):
            values.require_proxy(f"trusted_proxies[{index}]", proxy)
        for index, name in enumerate(self.keep_query_keys):
            if not name or not name.isprintable():
                raise SettingsError(
                    f"keep_query_keys[{index}]",
                    "is empty or not printable",
                    'the name of a query key, as "page"',
                )
        for index, path in enumerate(self.exclude_paths):
            values.require_path(f"exclude_paths[{index}]", path)
        # Below 8 MB one worker's open segment of 4 MB would already count as a flood.
        values.require_number("spool_max_mb", self.spool_max_mb, least=8, most=1_048_576, unit="MB")

    def _check_periods(self) -> None:
        values.require_line("retention_reason", self.retention_reason)
        values.require_number("retention_days", self.retention_days, least=1, most=values.MAX_DAYS)
        if self.retention_days > REASONED_PAST_DAYS and not self.retention_reason.strip():
            raise SettingsError(
                "retention_days",
                f"is more than {REASONED_PAST_DAYS} days without a reason",
                f"1 to {REASONED_PAST_DAYS}, or more with retention_reason",
            )
        if self.truncate_ip_after_days is not None and not (
            0 <= self.truncate_ip_after_days <= self.retention_days
        ):
            raise SettingsError(
                "truncate_ip_after_days",
                "is less than 0" if self.truncate_ip_after_days < 0 else "lies past retention_days",
                f"0 to retention_days ({self.retention_days}), or leave it out: addresses are never cut",
            )

    def _check_basis(self) -> None:
        values.require_line("basis_law", self.basis_law)
        if self.basis != "legitimate_interest" and not self.basis_law.strip():
            raise SettingsError(
                "basis",
                f"{values.quoted(self.basis)} rests on a law that is not named",
                "name the law and article in basis_law (GDPR art. 6(3))",
            )
