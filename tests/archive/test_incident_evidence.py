"""An incident's bundle: it says all of the incident, proves it, and nothing in it acts."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consentkit import signing
from consentkit.archive.bundle import BadBundle, Manifest, check
from consentkit.archive.export import NewFile
from consentkit.archive.incident.chart import bars, svg
from consentkit.archive.incident.evidence import EvidenceExport, EvidenceOrder
from consentkit.archive.incident.reading import HOUR_US, Hour, reading
from consentkit.archive.store import Filters, FoundRequest
from consentkit.audit import Look
from consentkit.errors import StorageError
from consentkit.requestlog.record import Record
from consentkit.signing import PublicKey
from tests.archive.bundles import change_byte
from tests.archive.incidents import TODAY, archive, opened
from tests.archive.installation import DAY_US, MONDAY, WORKER, Installation, detail, request

LOOK = Look("security", reason="for the police")
FILES = ("requests.ndjson", "timeline.csv", "counts.json", "gaps.json", "journal.json", "index.html")
HOSTILE = [
    "/<script>alert(1)</script>",
    "/=cmd|'/c calc'!A1",
    '/"onload="x',
    "/&lt;b&gt;",
    "/]]><svg/onload=x>",
    "/\N{RIGHT-TO-LEFT OVERRIDE}lmth",
]


def hostile(number: int, url: str) -> Record:
    return msgspec.structs.replace(
        request(MONDAY + number, url, address="203.0.113.66"), user_agent=url, status=404, host=url.lower()
    )


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.store(
        *(hostile(number, url) for number, url in enumerate(HOSTILE)),
        request(MONDAY + DAY_US, "/last"),
    )
    return made


def exported(installation: Installation, path: Path, **terms: Any) -> EvidenceExport:
    order = EvidenceOrder(operator="SIA Piemērs", output=str(path), **terms)
    with reading(installation.holdings, 1) as kept, NewFile(path) as file:
        run = EvidenceExport(installation.holdings, kept, WORKER, LOOK, order)
        run.write(file)
        file.settle()
        run.register()
        file.publish()
    return run


def keys_of(installation: Installation) -> list[PublicKey]:
    with installation.control.transaction() as connection:
        return signing.public_keys(connection)


def read(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as found:
        return found.read(name).decode()


def test_a_bundle_says_all_of_the_incident_and_proves_it(installation: Installation, tmp_path: Path) -> None:
    incident = opened(installation)
    path = tmp_path / "bundle.zip"
    run = exported(installation, path, recipient="the police")
    manifest: Manifest = check(path, keys_of(installation))
    assert (manifest.kind, manifest.operator) == ("incident", "SIA Piemērs")
    assert tuple(member.name for member in manifest.files) == FILES
    about = manifest.about
    assert {name: about[name] for name in ("incident", "case", "owner", "reason", "rows", "file_hash")} == {
        "incident": 1,
        "case": "2026-7",
        "owner": "Anna",
        "reason": "guessing of passwords",
        "rows": 7,
        "file_hash": incident.file_hash,
    }
    assert (about["first"], about["last"]) == ("2026-03-02T00:00:00.000000Z", "2026-03-03T00:00:00.000000Z")
    verification: Any = about["verification"]
    assert verification["incident"] == {"holds": True, "fault": ""}
    assert verification["audit"]["holds"]
    assert verification["log"] is None
    assert run.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_files_of_a_bundle_hold_what_was_held(installation: Installation, tmp_path: Path) -> None:
    opened(installation)
    path = tmp_path / "bundle.zip"
    expected = [found for _, found in archive(installation).search(Filters(), limit=0)]
    exported(installation, path)
    lines = read(path, "requests.ndjson").splitlines()
    assert [msgspec.json.decode(line, type=FoundRequest) for line in lines] == expected
    assert list(csv.reader(io.StringIO(read(path, "timeline.csv")))) == [
        ["hour", "1xx", "2xx", "3xx", "4xx", "5xx", "none", "total"],
        ["2026-03-02T00:00Z", "0", "0", "0", "6", "0", "0", "6"],
        ["2026-03-03T00:00Z", "0", "1", "0", "0", "0", "0", "1"],
    ]
    counts = json.loads(read(path, "counts.json"))
    assert counts["addresses"][0] == {"value": "203.0.113.66", "requests": 6}
    assert json.loads(read(path, "gaps.json")) == []
    journal = json.loads(read(path, "journal.json"))
    assert [entry["action"] for entry in journal][-1] == "incident.export"
    assert {entry["case"] for entry in journal} == {"2026-7"}


def test_each_page_is_in_the_audit_and_the_copy_in_the_register(
    installation: Installation, tmp_path: Path
) -> None:
    opened(installation)
    run = exported(installation, tmp_path / "bundle.zip", recipient="the police", destroy_by=date(2031, 1, 2))
    begun, shown = installation.audited("incident.export")
    assert (begun.rows, shown.rows, shown.case_id, shown.reason) == (0, 7, "2026-7", "for the police")
    (copy,) = installation.audited("copy.made")
    said = detail(copy)
    assert copy.rows == 7
    assert (said["sha256"], said["bytes"]) == (run.sha256, (tmp_path / "bundle.zip").stat().st_size)
    assert (said["recipient"], said["destroy_by"], said["incident"]) == ("the police", "2031-01-02", 1)


def test_a_copy_without_a_date_is_destroyed_at_the_review(installation: Installation, tmp_path: Path) -> None:
    incident = opened(installation, review=TODAY + timedelta(days=9))
    assert exported(installation, tmp_path / "bundle.zip").destroy_by == incident.review


@pytest.mark.parametrize(
    ("name", "named"),
    [
        *((each, each) for each in FILES),
        *((each, "signature.json") for each in ("manifest.json", "signature.json")),
    ],
)
def test_one_changed_byte_is_found(installation: Installation, tmp_path: Path, name: str, named: str) -> None:
    opened(installation)
    path = tmp_path / "bundle.zip"
    exported(installation, path)
    keys = keys_of(installation)
    check(path, keys)
    change_byte(path, name)
    with pytest.raises(BadBundle, match=named):
        check(path, keys)


def test_a_bundle_of_a_file_that_does_not_hold_says_so(installation: Installation, tmp_path: Path) -> None:
    opened(installation)
    file = installation.directory / "incidents" / "1.1.db"
    file.write_bytes(file.read_bytes() + b"\0" * 4096)
    path = tmp_path / "bundle.zip"
    run = exported(installation, path)
    assert run.verdict is not None
    assert "not the one" in run.verdict.fault
    verification: Any = check(path).about["verification"]
    assert not verification["incident"]["holds"]
    assert "DOES NOT HOLD: its file is not the one" in read(path, "index.html")


def test_where_a_page_can_not_be_audited_there_is_no_bundle(installation: Installation, tmp_path: Path) -> None:
    opened(installation)
    with installation.control.transaction() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refused BEFORE INSERT ON audit WHEN NEW.action = 'incident.export.page'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    with pytest.raises(StorageError, match="refused"):
        exported(installation, tmp_path / "bundle.zip")
    assert not list(tmp_path.glob("*bundle*"))
    assert not installation.audited("copy.made")


class Page(HTMLParser):
    """The elements and the text of a page, as a browser would read them."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def test_the_page_shows_hostile_texts_as_texts(installation: Installation, tmp_path: Path) -> None:
    reason = '<img src=x onerror=alert(1)> & "co"'
    opened(installation, reason=reason, asked={"path": "<b>*", "text": "\x1b[2J"})
    path = tmp_path / "bundle.zip"
    exported(installation, path)
    content = read(path, "index.html")
    page = Page(content)
    assert not page.tags & {"script", "img", "iframe", "object", "link", "b"}
    assert not any(name.startswith("on") or name in ("src", "href") for name in page.attributes)
    assert "default-src 'none'" in content
    assert reason in page.cells
    for url in HOSTILE:
        assert url.replace("\N{RIGHT-TO-LEFT OVERRIDE}", "\N{REPLACEMENT CHARACTER}") in page.cells
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e]", content)


SPANS = {"an hour": 1, "a day": 24, "four days": 97, "a year": 8760}


@pytest.mark.parametrize("hours", SPANS.values(), ids=SPANS)
def test_a_chart_has_all_requests_in_few_bars(hours: int) -> None:
    found = [Hour(MONDAY + number * HOUR_US, {2: 1, 4: 2}) for number in range(0, hours, 3)]
    drawn = bars(found)
    assert len(drawn) <= 96
    assert sum(bar.total for bar in drawn) == 3 * len(found)
    assert len({bar.until_us - bar.since_us for bar in drawn}) == 1
    assert svg(drawn).count("<g>") == len(drawn)
    highest = max(bar.total for bar in drawn)
    heights = [float(height) for height in re.findall(r'height="([0-9.]+)" fill', svg(drawn))]
    assert max(heights) <= 190 - 16
    assert sum(heights) == pytest.approx(3 * len(found) / highest * (190 - 16), rel=0.01)


def test_a_chart_of_nothing_is_drawn_too() -> None:
    assert bars([]) == []
    assert svg([]).endswith("</svg>")
