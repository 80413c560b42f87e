"""Rows as a search finds them, for what is done with them afterwards."""

from __future__ import annotations

from typing import Any

import msgspec

from consentkit.archive.store import FoundRequest

FULL = FoundRequest(
    time="2026-11-23T10:00:00.123456Z",
    request_id="w1-2-3",
    client_address="192.0.2.7",
    peer_address="198.51.100.1",
    address_source="x-forwarded-for",
    method="GET",
    scheme="https",
    host="www.example.lv:8443",
    url="/a/b?page=2&q=REDACTED",
    query_flags=("quote", "sql"),
    status=404,
    outcome="complete",
    bytes_sent=512,
    duration_us=1500,
    user_agent="Mozilla/5.0 (X11)",
    referrer_host="example.org",
    device="Other",
    device_type="pc",
    browser="Firefox",
    browser_version="128.0",
    os="Linux",
    os_version="6.1",
    country="LV",
    city="Rīga",
)


def found(**changes: Any) -> FoundRequest:
    return msgspec.structs.replace(FULL, **changes)
