"""What doctor looks at: each thing that goes wrong is named, with the way out, and nothing that is well."""

from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from consentkit import audit, status
from consentkit.archive import inforce
from consentkit.archive.health import Finding, examine
from consentkit.archive.sealing import seal
from consentkit.control import audit as entries
from consentkit.control import incident
from consentkit.crypto import Keyring
from consentkit.requestlog.spool import Spool
from consentkit.status import IngesterStatus, StatusFile, WorkerStatus
from tests.archive.installation import DAY_US, HOUR_US, MONDAY, WORKER, Installation, request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = MONDAY + 3 * DAY_US


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path, retention_days=30)
    installation.directory.chmod(0o700)
    return installation


def found(installation: Installation, *, now_us: int = NOW) -> dict[str, Finding]:
    findings = examine(installation.settings, installation.holdings, now_us=now_us)
    return {finding.check: finding for finding in findings}


def say(installation: Installation, name: str = "worker-1", **said: object) -> None:
    common = {"pid": os.getpid(), "version": "0.1.0", "updated_us": NOW}
    kind = IngesterStatus if name == status.INGESTER else WorkerStatus
    StatusFile(installation.directory, name).write(kind(**{**common, **said}))  # type: ignore[arg-type]


def test_what_is_well_is_said_to_be_well(installation: Installation) -> None:
    installation.fill(2)
    for day in installation.catalogue().list():
        seal(installation.holdings, day, WORKER)
    inforce.beat(installation.control, NOW)
    say(installation)
    say(installation, status.INGESTER)
    findings = found(installation)
    wrong = {check for check, finding in findings.items() if finding.level == "bad"}
    assert wrong == {"keys.secret", "keys.device"}  # as in development: no secret, and one disk
    assert {"retention.overdue", "clock", "disk.room", "log.spool", "server.access_log"} <= set(findings)
    assert findings["data.state"].level == "unknown"  # no default can know where a server stands


def no_worker(installation: Installation) -> None:
    say(installation, status.INGESTER)


def no_ingester(installation: Installation) -> None:
    say(installation)


def leaking(installation: Installation) -> None:
    say(installation, access_loggers=("uvicorn.access",))


def proxied(installation: Installation) -> None:
    say(installation, is_proxied_by_server=True)


def losing(installation: Installation) -> None:
    say(installation, lost=7)


def flooded(installation: Installation) -> None:
    say(installation, sampled=9)


def of_another_version(installation: Installation) -> None:
    say(installation, version="9.9")


def compressed(installation: Installation) -> None:
    say(installation, pages_without_banner=3)


def refused(installation: Installation) -> None:
    say(installation, status.INGESTER, refused="disk full")


def undone(installation: Installation) -> None:
    say(installation, status.INGESTER, undone={"sealing": "disk full"})


def overdue(installation: Installation) -> None:
    installation.store(request(MONDAY - 40 * DAY_US, "/old"))
    for hour in range(30):  # steady time, by which it is late
        inforce.beat(installation.control, NOW - (30 - hour) * HOUR_US)


def early(installation: Installation) -> None:
    inforce.record_start(installation.control, WORKER, {"requestlog.retention_days": 90})
    installation.store(request(MONDAY - 40 * DAY_US, "/old"))


def leapt(installation: Installation) -> None:
    inforce.beat(installation.control, NOW - 10 * DAY_US)


def set_back(installation: Installation) -> None:
    inforce.beat(installation.control, NOW + 10 * DAY_US)


def waiting(installation: Installation) -> None:
    installation.spool(request(MONDAY, "/a"))
    (segment,) = (installation.directory / "spool").glob("*/[0-9]*")
    os.utime(segment, (NOW / 1e6 - 7200, NOW / 1e6 - 7200))


def without_key(installation: Installation) -> None:
    installation.spool(request(MONDAY, "/a"))
    for name in installation.keyring.names("worker"):
        installation.keyring.destroy(name)


def with_a_gap(installation: Installation) -> None:
    spool = Spool(installation.directory, installation.keyring, max_bytes=1)
    spool.append(request(NOW - HOUR_US, "/kept"))
    spool.tend()
    spool.append(request(NOW - HOUR_US, "/lost"))
    spool.close()


def unverified(installation: Installation) -> None:
    audit.record(installation.control, WORKER, "log.search")  # long before NOW: the clock of tests stands later
    with installation.control.transaction() as connection:
        connection.execute(entries.update().values(time_us=NOW - 100 * DAY_US))


def failing(installation: Installation) -> None:
    detail = {"result": "bad", "until": 1, "bad": ["period 2026-03-02: a row was changed"]}
    audit.record(installation.control, WORKER, "log.verified", detail=detail)


def due_copy(installation: Installation) -> None:
    day = datetime.fromtimestamp(NOW / 1e6, UTC).date().isoformat()
    audit.record(installation.control, WORKER, "copy.made", detail={"destroy_by": day})


def overdue_hold(installation: Installation) -> None:
    values = {"number": 1, "generation": 1, "state": "open", "case_id": "2026-7", "reason": "r", "owner": "o"}
    with installation.control.transaction() as connection:
        connection.execute(
            incident.insert().values(
                **values, opened_us=1, review="2026-03-01", filters="{}", rows=0, bytes=0, file_hash=""
            )
        )


def open_to_others(installation: Installation) -> None:
    installation.directory.chmod(0o755)


@pytest.mark.parametrize(
    ("trouble", "check", "level"),
    [
        (no_worker, "site.workers", "unknown"),
        (no_ingester, "log.ingester", "bad"),
        (leaking, "server.access_log", "bad"),
        (proxied, "server.proxy_headers", "bad"),
        (losing, "log.lost", "bad"),
        (flooded, "log.sampled", "bad"),
        (of_another_version, "site.version", "bad"),
        (compressed, "consent.encoded_pages", "bad"),
        (refused, "log.ingester", "bad"),
        (undone, "log.housekeeping", "bad"),
        (overdue, "retention.overdue", "bad"),
        (early, "retention.waiting", "bad"),
        (leapt, "clock", "bad"),
        (set_back, "clock", "bad"),
        (waiting, "log.spool", "bad"),
        (without_key, "log.spool_keys", "bad"),
        (open_to_others, "data.mode", "bad"),
        (with_a_gap, "log.gaps", "bad"),
        (unverified, "evidence.verified", "bad"),
        (failing, "evidence.verified", "bad"),
        (due_copy, "copies.due", "unknown"),
        (overdue_hold, "incident.review", "bad"),
    ],
)
def test_each_trouble_is_named_with_the_way_out(
    installation: Installation, trouble: Callable[[Installation], None], check: str, level: str
) -> None:
    trouble(installation)
    finding = found(installation)[check]
    assert finding.level == level
    assert finding.way_out or level == "unknown"


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"geo_built_us": NOW - 10 * DAY_US}, "good"),
        ({"geo_built_us": NOW - 100 * DAY_US}, "bad"),
        ({"geo_fault": "is damaged", "geo_built_us": NOW}, "bad"),
        ({"geo_fault": "is missing"}, "bad"),
    ],
    ids=["new", "old", "broken, the one before in use", "missing"],
)
def test_the_geo_database_is_looked_at(tmp_path: Path, said: dict[str, object], level: str) -> None:
    (tmp_path / "geo.mmdb").touch()
    installation = Installation(tmp_path, geo_database=str(tmp_path / "geo.mmdb"))
    say(installation, status.INGESTER, **said)
    assert found(installation)["geo.database"].level == level


def test_what_a_gone_process_said_does_not_count(installation: Installation) -> None:
    say(installation, updated_us=NOW - 3_600_000_000, lost=7)
    assert found(installation)["site.workers"].level == "unknown"


def test_a_full_disk_is_told(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    there = os.statvfs(installation.directory)
    nearly_full = os.statvfs_result((*there[:4], 10, *there[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: nearly_full)
    assert found(installation)["disk.room"].level == "bad"


def test_growth_is_held_against_the_room_that_is_left(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.fill(2)
    for day in installation.catalogue().list():
        seal(installation.holdings, day, WORKER)
    there = os.statvfs(installation.directory)
    just_the_spool = 513 * 1024 * 1024 // there.f_frsize
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((*there[:4], just_the_spool, *there[5:])))
    assert "days are destroyed" in found(installation)["disk.room"].text


def test_an_examination_that_fails_is_told_and_ends_no_other(installation: Installation) -> None:
    (installation.directory / "control.db").write_bytes(bytes(8192))
    findings = found(installation)
    assert findings["custody.examination"].level == "bad"
    assert "keys.secret" in findings


def test_a_secret_that_was_given_is_well(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    secret = "correct horse battery staple of examples"
    keyring = Keyring.open(tmp_path / "other-keys", (secret,))
    holdings = installation.holdings._replace(keyring=keyring)
    checks = {one.check: one for one in examine(installation.settings, holdings, now_us=NOW)}
    assert checks["keys.secret"].level == "good"
    assert all(secret not in one.text + one.way_out for one in checks.values())


def test_a_spool_that_is_nearly_full_is_told(tmp_path: Path) -> None:
    installation = Installation(tmp_path, spool_max_mb=16)
    spool = Spool(installation.directory, installation.keyring, max_bytes=2**30)
    spool.append(request(MONDAY, "/a"))
    (segment,) = (installation.directory / "spool").glob("*/[0-9]*")
    os.truncate(segment, 14 * 1024 * 1024)
    os.utime(segment, (NOW / 1e6, NOW / 1e6))
    assert "nearly full" in found(installation)["log.spool"].text
    spool.close()


@pytest.mark.parametrize(
    ("ended", "words"), [(date(2026, 2, 1), "are destroyed"), (date(2025, 11, 1), "was over")]
)
def test_the_end_of_the_service_is_told(installation: Installation, ended: date, words: str) -> None:
    site = msgspec.structs.replace(installation.settings.site, service_ended=ended)
    installation.settings = msgspec.structs.replace(installation.settings, site=site)
    finding = found(installation)["service.ended"]
    assert finding.level == "bad"
    assert words in finding.text


def test_old_status_files_are_removed(installation: Installation) -> None:
    say(installation)
    say(installation, "worker-2")
    folder = installation.directory / "status"
    os.utime(folder / "worker-2.json", (0, 0))
    status.remove_old(installation.directory, time.time_ns() // 1000)
    assert [path.name for path in folder.iterdir()] == ["worker-1.json"]
