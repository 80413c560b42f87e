"""The end of a service: handed over and read back first, then nothing is left but what is held."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from consentkit import audit, signing
from consentkit.archive import inforce
from consentkit.archive.bundle import check
from consentkit.archive.export.pending import FOLDER, KEYS, PendingExports
from consentkit.archive.farewell import destruction
from consentkit.archive.farewell.countdown import Countdown, wind_down
from consentkit.archive.farewell.destruction import (
    Ending,
    HandedOver,
    SignedCertificate,
    announce,
    destroy_everything,
)
from consentkit.archive.farewell.stillness import alone
from consentkit.cli.main import group
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision
from consentkit.control import Control, decision, incident
from consentkit.errors import KeyUnavailable, StorageError
from consentkit.requestlog.spool import Spool
from consentkit.signing import BadSignature
from tests.archive.installation import HOUR_US, MONDAY, WORKER, Installation, request

CHOICE = Decision(
    consent_id="id-of-an-example",
    granted="statistics",
    denied="",
    method="banner",
    revision=1,
    locale="lv",
    script=1,
)
WHY = ["--purpose", "incident"]
SECRET = "correct horse battery staple of examples"


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("CONSENTKIT_SECRET", SECRET)
    (tmp_path / "consentkit.toml").write_text(f'[storage]\ndirectory = "{tmp_path / "data"}"\n')
    installation = Installation(tmp_path, secrets=(SECRET,))
    installation.fill(2)
    installation.spool(request(MONDAY + 5, "/spooled"))
    record_decision(installation.control, CHOICE)
    return installation


def destroy(tmp_path: Path, *options: str, answer: str = "") -> Result:
    command = ["destroy", "--config", str(tmp_path / "consentkit.toml"), "--export", str(tmp_path / "all.zip")]
    return CliRunner().invoke(group, [*command, "--purpose", "operation", *options], input=answer)


def rows_of(path: Path, name: str) -> list[dict[str, object]]:
    with zipfile.ZipFile(path) as found:
        return [json.loads(line) for line in found.read(name).splitlines()]


def hold(tmp_path: Path) -> None:
    """Hold all rows in an incident."""
    command = ["incident", "open", "--config", str(tmp_path / "consentkit.toml"), "--purpose", "incident"]
    options = ["--case", "2026-7", "--reason", "an attack", "--address", "192.0.2.7"]
    result = CliRunner().invoke(group, [*command, *options])
    assert result.exit_code == 0, result.output


def wait(installation: Installation) -> None:
    """Let an export wait that nobody has taken."""
    exports = PendingExports(installation.directory, installation.keyring)
    with exports.create(exports.begin()) as file:
        file.write(b"requests")
        file.settle()
        file.publish()


def waits(installation: Installation) -> bool:
    return (installation.directory / FOLDER).exists() or bool(installation.keyring.names(KEYS))


def test_everything_is_handed_over_and_then_nothing_opens(installation: Installation, tmp_path: Path) -> None:
    result = destroy(tmp_path, "--yes")
    assert result.exit_code == 0, result.output
    archive = tmp_path / "all.zip"
    urls = [row["url"] for day in ("02", "03") for row in rows_of(archive, f"requests/2026-03-{day}.ndjson")]
    assert sorted(map(str, urls)) == ["/a0", "/a1", "/b0", "/b1", "/spooled"]
    assert [row["consent_id"] for row in rows_of(archive, "choices.ndjson")] == ["id-of-an-example"]
    assert rows_of(archive, "audit.ndjson")
    assert check(archive).kind == "handover"
    assert not list(installation.directory.glob("*"))
    assert not list((tmp_path / "data-keys").rglob("*.key"))
    again = destroy(tmp_path, "--yes")
    assert again.exit_code == 2


def test_the_certificate_proves_itself(installation: Installation, tmp_path: Path) -> None:
    destroy(tmp_path, "--yes", "--reason", "the contract has ended")
    text = (tmp_path / "all.zip.certificate.json").read_text()
    signed = json.loads(text)
    certificate = json.loads(signed["certificate"])
    assert certificate["reason"] == "the contract has ended"
    assert [gone["period"] for gone in certificate["periods"]] == ["2026-03-02", "2026-03-03"]
    assert certificate["handed_over"]["requests"] == 5
    read = msgspec.json.decode(text, type=SignedCertificate)
    assert signing.verify(read.certificate.encode(), read.signature, [read.key])
    with pytest.raises(BadSignature):
        signing.verify(read.certificate.encode() + b" ", read.signature, [read.key])


def test_without_a_yes_nothing_is_destroyed(installation: Installation, tmp_path: Path) -> None:
    result = destroy(tmp_path, answer="n\n")
    assert result.exit_code == 0
    assert check(tmp_path / "all.zip").files
    assert installation.states() == {"2026-03-02": "open", "2026-03-03": "open"}


def test_it_is_refused_while_the_site_runs(installation: Installation, tmp_path: Path) -> None:
    spool = Spool(installation.directory, installation.keyring, max_bytes=2**30)
    spool.append(request(MONDAY, "/now"))
    result = destroy(tmp_path, "--yes")
    spool.close()
    assert result.exit_code == 2
    assert "stop its servers" in result.output
    assert not (tmp_path / "all.zip").exists()


@pytest.mark.parametrize("folder", ["data", "data-keys"])
def test_an_archive_inside_of_what_goes_is_refused(
    installation: Installation, tmp_path: Path, folder: str
) -> None:
    result = destroy(tmp_path, "--yes", "--export", str(tmp_path / folder / "all.zip"))
    assert result.exit_code == 2
    assert "another place" in result.output


def test_a_part_of_the_spool_that_cant_be_read_stops_it(installation: Installation, tmp_path: Path) -> None:
    for name in installation.keyring.names("worker"):
        installation.keyring.destroy(name)
    result = destroy(tmp_path, "--yes")
    assert result.exit_code == 2
    assert "can't be read" in result.output
    assert not (tmp_path / "all.zip").exists()


def test_what_is_held_stays_without_the_choices(installation: Installation, tmp_path: Path) -> None:
    hold(tmp_path)
    wait(installation)
    old_key = installation.keyring.load("control/control")
    result = destroy(tmp_path, "--yes")
    assert result.exit_code == 0, result.output
    assert len(rows_of(tmp_path / "all.zip", "incidents/1.ndjson")) == 5
    shown = CliRunner().invoke(
        group, ["incident", "show", "1", "--config", str(tmp_path / "consentkit.toml"), "--rows", "--json", *WHY]
    )
    assert shown.output.count('"request_id"') == 5
    installation.open()
    assert set(installation.states().values()) == {"destroyed"}
    with installation.control.transaction() as connection:
        assert connection.execute(select(func.count()).select_from(decision)).scalar_one() == 0
        assert connection.execute(select(incident.c.number)).scalar_one() == 1
        assert list(audit.entries(connection))
    assert installation.keyring.load("control/control") != old_key
    assert not installation.keyring.names("period")
    assert not waits(installation)


class Stopped(Exception):
    """A crash."""


@pytest.mark.parametrize("at", ["2026-03-02", "2026-03-03", "the spool", "certificate", "the keys"])
def test_a_crash_is_finished_by_running_it_again(installation: Installation, tmp_path: Path, at: str) -> None:
    handed_over = HandedOver(sha256="0" * 64, bytes=1, requests=5, choices=1, copy=1)
    ending = Ending(
        operator="SIA Piemērs", retention_days=90, actor=WORKER, reason="over", handed_over=handed_over
    )
    kept: list[SignedCertificate] = []

    def stop(what: str) -> None:
        if what == at:
            raise Stopped

    def keep(signed: SignedCertificate) -> None:
        if at == "certificate":
            raise Stopped
        kept.append(signed)

    with alone(installation.settings, installation.holdings):
        announce(installation.holdings, ending)
        with pytest.raises(Stopped):
            destroy_everything(installation.holdings, ending, keep=keep, each=stop)
    with alone(installation.settings, installation.holdings):
        destroy_everything(installation.holdings, ending, keep=kept.append)
    periods = json.loads(kept[-1].certificate)["periods"]
    assert [gone["period"] for gone in periods] == ["2026-03-02", "2026-03-03"]
    assert not list(installation.directory.glob("*"))


def test_the_command_goes_on_with_the_same_archive_alone(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageError("x", "the disk refuses")

    with monkeypatch.context() as broken:
        broken.setattr(destruction, "_remove_spool", fail)
        assert destroy(tmp_path, "--yes").exit_code == 2
    whole = (tmp_path / "all.zip").read_bytes()
    (tmp_path / "all.zip").write_bytes(whole + b"x")
    refused = destroy(tmp_path, "--yes")
    assert "is not the archive" in refused.output
    (tmp_path / "all.zip").write_bytes(whole)
    assert destroy(tmp_path, "--yes").exit_code == 0
    assert not list(installation.directory.glob("*"))


def stopping(method: Callable[..., object]) -> Callable[..., object]:
    """Make one of the keyring's methods end as by a crash where it is about the database's key."""

    def stop(name: str, *rest: object) -> object:
        if name == "control/control":
            raise Stopped
        return method(name, *rest)

    return stop


@pytest.mark.parametrize("method", ["destroy", "put"])
def test_an_interrupted_change_of_the_databases_key_is_finished(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    old_key = installation.keyring.load("control/control")
    with monkeypatch.context() as broken:
        broken.setattr(installation.keyring, method, stopping(getattr(installation.keyring, method)))
        with pytest.raises(Stopped):
            Control.rekeyed(installation.directory, installation.keyring)
    control = Control(installation.directory, installation.keyring)
    with control.transaction() as connection:
        assert connection.execute(select(decision.c.consent_id)).scalar_one() == "id-of-an-example"
    assert installation.keyring.load("control/control") != old_key
    with pytest.raises(KeyUnavailable):
        installation.keyring.load("control/next")


ENDED = date(2026, 1, 1)
OVER = Countdown(ENDED, 90, 365)


def settle(installation: Installation, **settings: object) -> None:
    """Have the settings in force for more than a day of steady time."""
    inforce.record_start(installation.control, WORKER, settings)
    for hour in range(30):
        inforce.beat(installation.control, (OVER.over_us or 0) + hour * HOUR_US)


def choices_in(installation: Installation) -> int:
    with installation.control.transaction() as connection:
        return connection.execute(select(func.count()).select_from(decision)).scalar_one()


def test_when_the_countdown_is_over_requests_and_choices_go(installation: Installation) -> None:
    settle(installation, **{"site.service_ended": "2026-01-01", "site.wind_down_days": 90})
    ingester = installation.ingester()
    ingester.drain()
    ingester.close()
    holdings = installation.holdings
    wait(installation)
    now_us = (OVER.over_us or 0) + 30 * HOUR_US
    wind_down(holdings, OVER, WORKER, now_us, wait_seconds=1)
    assert not waits(installation)
    assert set(installation.states().values()) == {"destroyed"}
    assert choices_in(installation) == 0
    assert installation.actions("service.") == ["service.wound_down"]
    wind_down(holdings, OVER, WORKER, now_us, wait_seconds=1)
    assert installation.actions("service.") == ["service.wound_down"]


@pytest.mark.parametrize(
    "countdown", [Countdown(None, 90, 365), OVER], ids=["the service goes on", "a moment before"]
)
def test_before_it_is_over_nothing_goes(installation: Installation, countdown: Countdown) -> None:
    wind_down(installation.holdings, countdown, WORKER, (OVER.over_us or 0) - 1, wait_seconds=1)
    assert choices_in(installation) == 1
    assert set(installation.states().values()) == {"open"}


def test_an_end_that_was_set_only_now_waits(installation: Installation) -> None:
    settle(installation, **{"site.service_ended": None, "site.wind_down_days": 90})
    new = {"site.service_ended": "2026-01-01", "site.wind_down_days": 90}
    inforce.record_start(installation.control, WORKER, new)
    with pytest.raises(StorageError, match="was set less than a day"):
        wind_down(installation.holdings, OVER, WORKER, (OVER.over_us or 0) + 30 * HOUR_US, wait_seconds=1)
    assert choices_in(installation) == 1


def test_a_clock_that_leapt_past_the_end_waits(installation: Installation) -> None:
    before = (OVER.over_us or 0) - 20 * 24 * HOUR_US
    inforce.beat(installation.control, before)
    inforce.beat(installation.control, (OVER.over_us or 0) + HOUR_US)
    with pytest.raises(StorageError, match="the clock leapt"):
        wind_down(installation.holdings, OVER, WORKER, (OVER.over_us or 0) + 2 * HOUR_US, wait_seconds=1)
    assert choices_in(installation) == 1
