"""The store against the log: what must be equal is, and what is not is told."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bench.combined import LoggedRequest
from bench.comparison import Comparison, Expected, Kind
from bench.replay import main
from bench.workers import worker
from consentkit import Settings

if TYPE_CHECKING:
    from pathlib import Path

LOG = rb"""
192.0.2.1 - - [23/Nov/2026:10:05:03 +0000] "GET /a?page=2&token=abc HTTP/1.1" 200 12 "-" "curl/8.5"
2001:DB8::1 - - [23/Nov/2026:10:05:04] "GET /u/%C3%A4?q=%27 HTTP/1.0" 404 5 "http://example.org/a" "A \"1\""
198.51.100.7 - - [23/Nov/2026:10:05:05 +0000] "HEAD /mail/jane@example.org HTTP/1.1" 304 - "-" "-"
198.51.100.7 - - [23/Nov/2026:10:05:06 +0000] "POST /form HTTP/1.1" 303 0 "-" "agent \xe4"
198.51.100.7 - - [23/Nov/2026:10:05:06 +0000] "GET /same HTTP/1.1" 500 1 "-" "agent"
198.51.100.7 - - [23/Nov/2026:10:05:06 +0000] "GET /same HTTP/1.1" 500 1 "-" "agent"
""".lstrip()

SETTINGS = """\
[site]
operator = "Example Ltd"
contact = "privacy@example.org"
storage_region = "LV"
[storage]
directory = "data"
[requestlog]
trusted_proxies = {trusted}
"""


def replayed(folder: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: list[str]) -> int:
    """Serve the echo site with these proxies trusted, replay the log to it and compare; return the exit code."""
    settings, log = folder / "consentkit.toml", folder / "access.log"
    settings.write_text(SETTINGS.format(trusted=json.dumps(trusted)), encoding="utf-8")
    log.write_bytes(LOG)
    monkeypatch.setenv("CONSENTKIT_CONFIG", str(settings))
    monkeypatch.setenv("CONSENTKIT_SECRET", "a secret of more than thirty-two characters")
    with worker("bench.echo_app:app", folder, is_factory=False) as site:
        url = f"http://127.0.0.1:{site.port}"
        return main([str(log), url, "--config", str(settings), "--send-status", "--json", "--settle", "30"])


@pytest.mark.server
def test_a_store_that_holds_what_was_sent_is_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code = replayed(tmp_path, monkeypatch, trusted=["127.0.0.1/32"])

    comparison = json.loads(capfd.readouterr().out)["comparison"]
    assert code == 0
    assert (comparison["sent"], comparison["stored"], comparison["doubled"]) == (6, 6, 0)
    assert {kind["kind"]: (kind["sent_distinct"], kind["differing"]) for kind in comparison["kinds"]} == {
        "address": (3, 0),
        "method": (3, 0),
        "path and query": (5, 0),
        "status": (5, 0),
        "user agent": (5, 0),
        "all of these": (5, 0),
    }


@pytest.mark.server
def test_a_store_that_holds_other_addresses_differs_in_these_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code = replayed(tmp_path, monkeypatch, trusted=[])

    comparison = json.loads(capfd.readouterr().out)["comparison"]
    differing = {kind["kind"] for kind in comparison["kinds"] if kind["differing"]}
    assert code == 1
    assert (comparison["sent"], comparison["stored"]) == (6, 6)
    assert differing == {"address", "all of these"}


@pytest.mark.parametrize(
    ("requestlog", "target", "kind", "expected"),
    [
        pytest.param({}, b"/a?page=2&t=x", "path and query", "/a?page=2&t=REDACTED", id="redacted-query"),
        pytest.param({"keep_query_keys": ["t"]}, b"/a?t=x", "path and query", "/a?t=x", id="kept-query-key"),
        pytest.param({}, b"/jane@example.org", "path and query", "/REDACTED", id="redacted-path"),
        pytest.param({}, b"http://example.org/a?b#c", "path and query", "/a?REDACTED", id="absolute-form"),
        pytest.param({"truncate_ip_after_days": 0}, b"/", "address", "192.0.2.0", id="address-cut-at-once"),
        pytest.param({}, b"/", "user agent", "a\N{REPLACEMENT CHARACTER}b", id="agent-made-safe"),
    ],
)
def test_what_is_expected_is_what_the_settings_leave_of_a_request(
    requestlog: dict[str, object], target: bytes, kind: str, expected: str, tmp_path: Path
) -> None:
    settings = Settings.from_mapping({"requestlog": requestlog}, base=tmp_path)
    expectation = Expected(settings, send_status=False)

    expectation.add(request(target), 200)

    assert expectation.rows.counts[kind] == Counter({expected: 1})


def test_a_path_that_is_not_recorded_is_not_expected(tmp_path: Path) -> None:
    settings = Settings.from_mapping({"requestlog": {"exclude_paths": ["/up"]}}, base=tmp_path)
    expectation = Expected(settings, send_status=False)

    expectation.add(request(b"/u%70?x"), 200)
    expectation.add(request(b"/other"), 200)

    assert expectation.rows.total == 1


@pytest.mark.parametrize(
    ("asked", "received", "logged", "expected"),
    [
        pytest.param(False, 200, 404, 200, id="what-this-site-answered"),
        pytest.param(True, 404, 404, 404, id="what-the-log-says"),
        pytest.param(True, 200, 0, 200, id="what-this-site-answered-where-the-log-is-silent"),
    ],
)
def test_the_status_expected_is_the_one_that_was_asked_for(
    asked: bool, received: int, logged: int, expected: int, tmp_path: Path
) -> None:
    expectation = Expected(Settings.from_mapping({}, base=tmp_path), send_status=asked)

    expectation.add(request(b"/", status=logged), received)

    assert expectation.rows.counts["status"] == Counter({expected: 1})


@pytest.mark.parametrize(
    ("stored", "doubled", "differing", "expected"),
    [
        pytest.param(3, 0, 0, True, id="equal"),
        pytest.param(2, 0, 0, False, id="one-lost"),
        pytest.param(4, 0, 0, False, id="one-too-many"),
        pytest.param(3, 1, 0, False, id="one-doubled-in-place-of-another"),
        pytest.param(3, 0, 1, False, id="one-value-differs"),
    ],
)
def test_only_a_store_without_any_difference_is_equal(
    stored: int, doubled: int, differing: int, expected: bool
) -> None:
    kinds = [Kind("status", 2, 2, differing, [])]

    assert Comparison(3, stored, doubled, kinds, 1.0).is_equal() is expected


def request(target: bytes, *, status: int = 200) -> LoggedRequest:
    return LoggedRequest(
        address="192.0.2.7", method=b"GET", target=target, status=status, referrer=b"", user_agent=b"a\x07b"
    )
