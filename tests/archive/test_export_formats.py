from __future__ import annotations

import csv
import ipaddress
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.archive.export import FORMATS
from consentkit.archive.export import ecs as ecs_format
from consentkit.archive.export.combined import UNKNOWN_ADDRESS
from consentkit.archive.export.spreadsheet import COLUMNS
from consentkit.archive.store import FoundRequest
from consentkit.requestlog.record import ADDRESS_SOURCES, OUTCOMES
from consentkit.requestlog.redact import QUERY_FLAGS
from tests.archive.rows import FULL, found

DOCUMENT = (Path(__file__).parent.parent.parent / "docs/exports.md").read_text("utf-8")

BARE = found(
    client_address="", peer_address="", method="", host="", url="", query_flags=(), status=0, user_agent="",
    referrer_host="", device="", device_type="", browser="", browser_version="", os="", os_version="", country="",
    city="",
)  # fmt: skip

addresses = st.one_of(st.just(""), st.ip_addresses().map(str))
anything = st.text(max_size=40) | st.text(alphabet=' \t\r\n"\\;,=+-@x', max_size=20)
requests = st.builds(
    FoundRequest,
    time=st.datetimes(timezones=st.just(UTC))
    .filter(lambda time: time.year >= 1970)
    .map(lambda time: time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")),
    request_id=st.text(min_size=1, max_size=40),
    client_address=addresses,
    peer_address=addresses,
    address_source=st.sampled_from(ADDRESS_SOURCES),
    method=anything,
    scheme=anything,
    host=anything,
    url=anything,
    query_flags=st.lists(st.sampled_from(QUERY_FLAGS), unique=True).map(tuple),
    status=st.sampled_from([0, 101, 200, 404, 599]),
    outcome=st.sampled_from(OUTCOMES),
    bytes_sent=st.integers(0, 2**62),
    duration_us=st.integers(0, 2**40),
    user_agent=anything,
    referrer_host=anything,
    device=anything,
    device_type=anything,
    browser=anything,
    browser_version=anything,
    os=anything,
    os_version=anything,
    country=anything,
    city=anything,
)

# json


@given(requests)
def test_json_has_every_field_under_its_own_name_in_one_line(row: FoundRequest) -> None:
    line = FORMATS["json"].line(row)
    assert (line.count(b"\n"), line[-1:], line.count(b"\r")) == (1, b"\n", 0)
    assert json.loads(line) == {**msgspec.structs.asdict(row), "query_flags": list(row.query_flags)}


# ecs


def paths(document: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield each leaf of a document with its dotted name."""
    if not isinstance(document, dict):
        yield prefix, document
        return
    for name, value in document.items():
        yield from paths(value, f"{prefix}.{name}" if prefix else name)


def ecs(row: FoundRequest) -> dict[str, object]:
    return dict(paths(json.loads(FORMATS["ecs"].line(row))))


def test_ecs_says_all_that_a_record_says() -> None:
    assert ecs(FULL) == {
        "@timestamp": "2026-11-23T10:00:00.123456Z",
        "ecs.version": "8.11.0",
        "event.id": "w1-2-3",
        "event.kind": "event",
        "event.category": ["web"],
        "event.type": ["access"],
        "event.outcome": "failure",
        "event.duration": 1_500_000,
        "event.module": "consentkit",
        "event.dataset": "consentkit.request",
        "source.ip": "192.0.2.7",
        "source.address": "192.0.2.7",
        "source.geo.country_iso_code": "LV",
        "source.geo.city_name": "Rīga",
        "client.ip": "192.0.2.7",
        "client.address": "192.0.2.7",
        "related.ip": ["192.0.2.7", "198.51.100.1"],
        "url.original": "/a/b?page=2&q=REDACTED",
        "url.path": "/a/b",
        "url.query": "page=2&q=REDACTED",
        "url.scheme": "https",
        "url.domain": "www.example.lv",
        "url.port": 8443,
        "http.request.method": "GET",
        "http.request.referrer": "https://example.org/",
        "http.response.status_code": 404,
        "http.response.body.bytes": 512,
        "user_agent.original": "Mozilla/5.0 (X11)",
        "user_agent.name": "Firefox",
        "user_agent.version": "128.0",
        "user_agent.device.name": "Other",
        "user_agent.os.name": "Linux",
        "user_agent.os.version": "6.1",
        "user_agent.os.full": "Linux 6.1",
        "consentkit.outcome": "complete",
        "consentkit.peer_address": "198.51.100.1",
        "consentkit.address_source": "x-forwarded-for",
        "consentkit.device_type": "pc",
        "consentkit.query_flags": ["quote", "sql"],
    }


@given(requests)
def test_ecs_is_one_line_without_empty_fields_or_names_of_its_own(row: FoundRequest) -> None:
    line = FORMATS["ecs"].line(row)
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    fields = ecs(row)
    assert fields.keys() <= ecs(FULL).keys()
    assert [name for name, value in fields.items() if value in ("", [], {}, None)] == []
    assert fields.get("client.ip", "") == row.client_address
    assert fields.get("url.original", "") == row.url


@pytest.mark.parametrize(
    ("status", "outcome", "expected"),
    [
        (200, "complete", "success"),
        (304, "complete", "success"),
        (101, "complete", "success"),
        (404, "complete", "failure"),
        (503, "client_gone", "failure"),
        (200, "client_gone", "unknown"),
        (0, "client_gone", "unknown"),
        (200, "app_error", "failure"),
        (0, "app_error", "failure"),
    ],
)
def test_the_outcome_is_the_servers_view(status: int, outcome: str, expected: str) -> None:
    assert ecs(found(status=status, outcome=outcome))["event.outcome"] == expected


@pytest.mark.parametrize(
    ("host", "domain", "port"),
    [
        ("example.lv", "example.lv", None),
        ("example.lv:8443", "example.lv", 8443),
        ("[2001:db8::1]", "[2001:db8::1]", None),
        ("[2001:db8::1]:443", "[2001:db8::1]", 443),
        ("2001:db8::1", "2001:db8::1", None),
        ("example.lv:70000", "example.lv:70000", None),
        ("example.lv:", "example.lv:", None),
        ("example.lv:٤٤٣", "example.lv:٤٤٣", None),
    ],
)
def test_a_host_is_parted_from_its_port(host: str, domain: str, port: int | None) -> None:
    fields = ecs(found(host=host))
    assert (fields["url.domain"], fields.get("url.port")) == (domain, port)


# combined

# Stricter than any reader: no quote, no backslash but that of \xhh, nothing but visible ASCII and spaces.
PLAIN = r"(?:[ !#-\[\]-~]|\\x[0-9a-f]{2})*"
TOKEN = r"(?:[!#-\[\]-~]|\\x[0-9a-f]{2})+"
COMBINED = re.compile(
    rf"([0-9a-f.:]+) - - \[(\d\d/[A-Z][a-z]{{2}}/\d{{4}}:\d\d:\d\d:\d\d \+0000)\] "
    rf'"({TOKEN}) ({TOKEN}) HTTP/1\.1" (\d{{3}}) (\d+) "({PLAIN})" "({PLAIN})"\n'
)


def plain(escaped: str) -> str:
    """Take back the one escape that there is."""
    text = re.sub(rb"\\x([0-9a-f]{2})", lambda code: bytes.fromhex(code[1].decode()), escaped.encode("ascii"))
    return text.decode()


@given(requests)
def test_combined_is_one_line_that_a_strict_reader_takes_back(row: FoundRequest) -> None:
    match = COMBINED.fullmatch(FORMATS["combined"].line(row).decode("ascii"))
    assert match is not None
    address, time, method, url, status, size, referrer, agent = match.groups()
    assert address == (row.client_address or UNKNOWN_ADDRESS)
    assert datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z") == datetime.fromisoformat(row.time[:19] + "+00:00")
    assert (plain(method), plain(url)) == (row.method or "GET", row.url or "/")
    assert status == str(row.status or (499 if row.outcome == "client_gone" else 500))
    assert int(size) == row.bytes_sent
    assert plain(referrer) == (f"https://{row.referrer_host}/" if row.referrer_host else "-")
    assert plain(agent) == (row.user_agent or "-")


def test_combined_is_what_apache_would_write() -> None:
    assert FORMATS["combined"].line(found(user_agent='a "b" \\ ž')) == (
        b'192.0.2.7 - - [23/Nov/2026:10:00:00 +0000] "GET /a/b?page=2&q=REDACTED HTTP/1.1" 404 512'
        rb' "https://example.org/" "a \x22b\x22 \x5c \xc5\xbe"'
        b"\n"
    )


def test_combined_fills_what_a_record_does_not_say() -> None:
    assert FORMATS["combined"].line(BARE) == (
        b'0.0.0.0 - - [23/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 500 512 "-" "-"\n'
    )


HOSTILE = [
    '" 401 0 "-" "',
    '\\" 401 0 \\"-\\" \\"',
    "\n203.0.113.9 - - [",
    '\r\n203.0.113.9 - - [23/Nov/2026:10:00:00 +0000] "POST /admin/login HTTP/1.1" 401 5 "-" "x"\r\n',
    "\\",
    "\\\\",
    '\\x22 "POST /admin/login HTTP/1.1" 401 ',
    "\u2028203.0.113.9 - - [",
    "\x85203.0.113.9",
    "\0",
    "]",
    "%h %l [203.0.113.9]",
]


@pytest.mark.parametrize("field", ["user_agent", "url", "method", "referrer_host", "host"])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_writes_an_address_or_a_line_of_its_own(field: str, text: str) -> None:
    line = FORMATS["combined"].line(found(**{field: text})).decode("ascii")
    assert len(line.splitlines()) == 1
    match = COMBINED.fullmatch(line)
    assert match is not None
    assert match[1] == "192.0.2.7"


# csv

TRIGGERS = tuple("=+-@\t\r\n＝＋－＠")


def cells(row: FoundRequest, separator: str = ",") -> list[str]:
    line = FORMATS["csv"].line(row).decode()
    assert (line.count("\n"), line.count("\r"), line[-2:]) == (1, 1, "\r\n")
    (read,) = csv.reader([line], delimiter=separator)
    return read


@given(requests)
def test_csv_is_one_line_that_is_read_back_and_begins_no_formula(row: FoundRequest) -> None:
    for read, value in zip(cells(row), msgspec.structs.astuple(row), strict=True):
        if isinstance(value, int):
            assert read == str(value)
            continue
        text = value if isinstance(value, str) else " ".join(value)
        assert read.replace("'", "") == re.sub(
            r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "\ufffd", text.replace("'", "")
        )
        assert not read.lstrip().startswith(TRIGGERS)
        assert read == text or text.startswith("'") or "'" in read or "\ufffd" in read


@given(requests)
def test_csv_begins_no_formula_where_a_semicolon_parts_cells(row: FoundRequest) -> None:
    assert [cell for cell in cells(row, ";") if cell.lstrip().startswith(TRIGGERS)] == []


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("Mozilla/5.0 (X11; Linux)", "Mozilla/5.0 (X11; Linux)"),
        ('a "b", c', 'a "b", c'),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\ufffd=1"),
        ("\rx", "'\ufffdx"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("a;=1", "a;'=1"),
        ('a;"=1"', 'a;\'"=1"'),
        ("a=1", "a=1"),
    ],
)
def test_a_cell_that_begins_like_a_formula_gets_an_apostrophe(text: str, cell: str) -> None:
    assert cells(found(user_agent=text))[COLUMNS.index("user_agent")] == cell


def test_csv_begins_with_its_columns_and_keeps_numbers_as_numbers() -> None:
    (header,) = csv.reader([FORMATS["csv"].header.decode()])
    assert header == [field.name for field in msgspec.structs.fields(FoundRequest)]
    row = dict(zip(header, cells(FULL), strict=True))
    assert (row["status"], row["bytes_sent"], row["query_flags"]) == ("404", "512", "quote sql")


# the document


def documented(heading: str) -> set[str]:
    """Return what stands as code in the first column of a section's table."""
    section = DOCUMENT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return {name for line in lines for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])}


def test_the_document_lists_every_field_of_ours() -> None:
    assert documented("`json`") == set(COLUMNS)


def test_the_document_lists_every_field_of_ecs() -> None:
    assert documented("`ecs`") == ecs(FULL).keys()
    assert f"Elastic Common Schema {ecs_format.ECS_VERSION}" in DOCUMENT


def test_the_document_names_the_address_that_stands_for_none() -> None:
    assert ipaddress.ip_address(UNKNOWN_ADDRESS).is_unspecified
    assert f"`{UNKNOWN_ADDRESS}`" in DOCUMENT
