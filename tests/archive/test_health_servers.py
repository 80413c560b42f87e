"""What doctor says of database servers and of the hosts that share one: each fault with its way out."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from consentkit.admin.checks import check_names
from consentkit.archive import ahead
from consentkit.archive.evidence.heads import WrittenHead, note_heads
from consentkit.archive.health import Finding, examine, examine_closed, last_written
from consentkit.archive.health.servers import examine_servers
from consentkit.archive.holdings import Holdings
from consentkit.archive.leading import LEADS, Leading
from consentkit.archive.period import Catalogue
from consentkit.archive.store.condition import Condition, is_here, look_at_servers
from consentkit.archive.store.lane import own_lane
from consentkit.archive.store.places import Head
from consentkit.archive.store.postgresql.ddl import READER_MAY, WRITER_MAY
from consentkit.audit import SYSTEM, newest_first
from consentkit.cli.main import group
from consentkit.control import Control
from consentkit.control.roles import ADMIN_MAY, APP_MAY, grants
from consentkit.crypto import Keyring
from consentkit.settings import Settings
from consentkit.web.texts import Texts
from tests.archive.installation import DAY_US, HOUR_US, MONDAY, Installation, detail
from tests.servers.clickhouse import PASSWORD as CLICKHOUSE_PASSWORD
from tests.servers.postgresql import PASSWORD

if TYPE_CHECKING:
    from tests.servers.postgresql import PostgreSQL

NOW = MONDAY + 12 * HOUR_US
WELL = Condition(
    kind="postgresql",
    host="db.example.net",
    database="site",
    answer_seconds=0.0012,
    version="16.4",
    is_encrypted=True,
    is_verified=True,
)
CLICKHOUSE = replace(WELL, kind="clickhouse", version="26.9")


def found(*servers: Condition, ingest: str = "process") -> dict[str, Finding]:
    settings = Settings.from_mapping({"requestlog": {"ingest": ingest}}, base=Path("/nowhere"))
    return {finding.check: finding for finding in examine_servers(settings, servers)}


@pytest.mark.parametrize("server", [WELL, CLICKHOUSE], ids=lambda server: server.kind)
def test_a_server_that_is_well_is_said_to_be_well(server: Condition) -> None:
    findings = found(server)

    assert {finding.level for finding in findings.values()} == {"good"}
    assert findings[f"{server.kind}.answers"].text.endswith("on db.example.net, database site answers in 1.2 ms.")


def test_an_embedded_store_has_nothing_here(tmp_path: Path) -> None:
    installation = Installation(tmp_path)

    checks = {finding.check for finding in examine(installation.settings, installation.holdings, now_us=NOW)}

    assert not [check for check in checks if check.split(".")[0] in ("postgresql", "clickhouse", "hosts", "store")]
    assert "periods.next" not in checks


FAULTS = {
    "away": (replace(WELL, fault="Connection refused"), "postgresql.answers", "bad", "Connection refused"),
    "replica": (replace(WELL, is_writable=False), "postgresql.answers", "bad", "replica"),
    "old": (replace(WELL, version="12.9", is_supported=False), "postgresql.version", "bad", "12.9"),
    "in the clear": (replace(WELL, is_encrypted=False), "postgresql.tls", "unknown", "not encrypted"),
    "anybody's certificate": (replace(WELL, is_verified=False), "postgresql.tls", "unknown", "nobody checks"),
    "no fsync": (replace(WELL, risks=("fsync_off",)), "postgresql.durable", "bad", "fsync is off"),
    "half pages": (
        replace(WELL, risks=("full_page_writes_off",)),
        "postgresql.durable",
        "unknown",
        "half-written",
    ),
    "ClickHouse without fsync": (
        replace(CLICKHOUSE, version="18.16.1", risks=("no_fsync",)),
        "clickhouse.durable",
        "unknown",
        "forgets the requests of its last seconds",
    ),
    "clock off": (replace(WELL, ahead_us=3_000_000), "postgresql.clock", "unknown", "3 s ahead of"),
    "clock far off": (replace(WELL, ahead_us=-90_000_000), "postgresql.clock", "bad", "90 s behind"),
    "clock a little off": (replace(WELL, ahead_us=-1_900_000), "postgresql.clock", "good", "agree"),
    "older tables": (replace(WELL, tables="older"), "postgresql.tables", "bad", "older version"),
    "newer tables": (replace(WELL, tables="newer"), "postgresql.tables", "bad", "newer version"),
    "other tables": (replace(CLICKHOUSE, tables="foreign"), "clickhouse.tables", "bad", "not ours"),
    "no tables": (replace(CLICKHOUSE, tables="missing"), "clickhouse.tables", "unknown", "no tables"),
    "lacking": (
        replace(WELL, is_owner=False, lacks=("INSERT ON consentkit.audit",)),
        "postgresql.rights",
        "bad",
        "INSERT ON consentkit.audit",
    ),
    "read only": (replace(CLICKHOUSE, lacks=("INSERT",)), "clickhouse.rights", "bad", "INSERT"),
}


@pytest.mark.parametrize(("server", "check", "level", "said"), FAULTS.values(), ids=FAULTS)
def test_each_fault_of_a_server_is_named_with_the_way_out(
    server: Condition, check: str, level: str, said: str
) -> None:
    finding = found(server)[check]

    assert (finding.level, said in finding.text) == (level, True)
    assert bool(finding.way_out) == (level != "good")


def test_of_a_server_that_is_away_nothing_else_is_said() -> None:
    assert set(found(replace(WELL, fault="Connection refused"))) == {"postgresql.answers"}


@pytest.mark.parametrize(
    ("ingest", "reads", "level", "said"),
    [
        ("process", False, "bad", "may not make or drop places"),
        ("external", True, "unknown", "may read them too"),
        ("external", False, "good", "is the owner's"),
    ],
    ids=["would lead and may not", "reads what it need not", "apart"],
)
def test_a_role_that_is_not_the_owner_is_judged_by_what_its_host_does(
    ingest: str, reads: bool, level: str, said: str
) -> None:
    role = replace(WELL, is_owner=False, may_read_requests=reads)

    finding = found(role, ingest=ingest)["postgresql.rights"]

    assert (finding.level, said in finding.text) == (level, True)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("", True),
        ("/run/postgresql", True),
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("192.0.2.5", False),
        ("db.example.net", False),
        ("localhost.example.net", False),
    ],
)
def test_a_host_is_here_or_over_a_network(host: str, is_local: bool) -> None:
    assert is_here(host) == is_local


class Site:
    """One host of an installation on servers."""

    def __init__(self, folder: Path, name: str, url: str, requests_url: str = "") -> None:
        storage = {
            "directory": str(folder / name),
            "keys": str(folder / "keys"),
            "url": url,
            "requests_url": requests_url,
        }
        self.settings = Settings.from_mapping({"storage": storage}, base=folder)
        self.settings.storage.directory.mkdir(mode=0o700)
        self.keyring = Keyring.open(self.settings.storage.keys, ())
        self.control = Control(self.settings.storage.directory, self.keyring, url)
        self.holdings = Holdings.open(self.settings.storage, self.keyring, self.control)
        self.leading = Leading(self.control)
        self.lane = own_lane(self.settings.storage.directory)

    def found(self, *, now_us: int = NOW) -> dict[str, Finding]:
        return {finding.check: finding for finding in examine(self.settings, self.holdings, now_us=now_us)}

    def catalogue(self) -> Catalogue:
        return Catalogue(self.control, "day")

    def close(self) -> None:
        self.leading.release()
        self.holdings.rows.close()
        self.control.close()


@pytest.fixture
def riga(tmp_path: Path, postgresql_url: str) -> Iterator[Site]:
    site = Site(tmp_path, "riga", postgresql_url)
    site.holdings.rows.lying("period")  # by which the tables are made
    yield site
    site.close()


@pytest.mark.server
def test_a_real_postgresql_is_asked_how_it_is(riga: Site) -> None:
    (server,) = look_at_servers(riga.settings.storage)

    assert (server.fault, server.host, server.tables) == ("", "127.0.0.1", "good")
    assert (server.is_local, server.is_encrypted, server.is_owner) == (True, False, True)
    assert server.risks == ("fsync_off", "full_page_writes_off")  # as the tests' server is set
    assert 0 < server.answer_seconds < 5
    assert abs(server.ahead_us) < 2_000_000
    assert (server.hosts, server.leader) == (0, None)


@pytest.mark.server
def test_every_finding_has_a_name_and_none_shows_the_password(riga: Site) -> None:
    riga.leading.renew()

    findings = riga.found()

    assert set(findings) <= set(check_names(Texts(("en",), domain="admin")["en"]))
    assert {"postgresql.answers", "postgresql.rights", "hosts.leader", "hosts.written", "hosts.keys"} <= set(
        findings
    )
    assert not [one for one in findings.values() if PASSWORD in one.text + one.way_out]


@pytest.mark.server
def test_who_leads_is_told_and_since_when_and_that_nobody_does(
    riga: Site, tmp_path: Path, postgresql_url: str
) -> None:
    tartu = Site(tmp_path, "tartu", postgresql_url)
    try:
        nobody = riga.found()["hosts.leader"]
        tartu.leading.renew()
        riga.leading.renew()
        told = riga.found()["hosts.leader"]
        tartu.leading.release()
        orphaned = riga.found()["hosts.leader"]
        riga.leading.renew()
        followed = riga.found()["hosts.leader"]
    finally:
        tartu.close()

    assert (nobody.level, orphaned.level) == ("unknown", "bad")  # no ingester at all; one is there and none leads
    assert (told.level, followed.level) == ("good", "good")
    assert told.text.startswith(f"Host {tartu.lane} leads since 20")
    assert told.text.endswith("ingesters on all hosts: 2.")
    assert followed.text.startswith(f"Host {riga.lane} (this one) leads since 20")


@pytest.mark.server
def test_taking_the_lead_is_in_the_audit_once(riga: Site) -> None:
    for _ in range(3):
        riga.leading.renew()

    with riga.control.reading() as connection:
        assert [detail(entry) for entry in newest_first(connection, LEADS)] == [{"lane": riga.lane}]


@pytest.mark.server
def test_a_leader_that_may_not_drop_places_is_bad(
    riga: Site, tmp_path: Path, postgresql: PostgreSQL, postgresql_url: str
) -> None:
    database = postgresql_url.rpartition("/")[2]
    may = (*APP_MAY, *WRITER_MAY)
    with role(postgresql, database, may) as url:
        visitor = Site(tmp_path, "visitor", url)
        visitor.leading.renew()
        finding, own = riga.found()["hosts.leader"], visitor.found()["postgresql.rights"]
        (condition,) = look_at_servers(visitor.settings.storage)
        visitor.close()

    assert (finding.level, "may not make or drop places" in finding.text) == ("bad", True)
    assert own.level == "bad"  # its ingester may come to lead
    assert (condition.is_owner, condition.lacks, condition.may_read_requests) == (False, (), False)


ROLES = {
    "what the site's servers need": ((*APP_MAY, *WRITER_MAY), (), False),
    "what who looks things up needs": ((*ADMIN_MAY, *READER_MAY), (), False),
    "the first, and reading": ((*APP_MAY, *WRITER_MAY, "SELECT ON consentkit.request"), (), True),
    "the first without adding decisions": (
        tuple(one for one in (*APP_MAY, *WRITER_MAY) if not one.endswith("consentkit.decision")),
        ("SELECT ON consentkit.decision", "INSERT ON consentkit.decision"),
        False,
    ),
}


@pytest.mark.server
@pytest.mark.parametrize(("may", "lacks", "reads"), ROLES.values(), ids=ROLES)
def test_a_role_is_told_by_its_rights(
    may: tuple[str, ...],
    lacks: tuple[str, ...],
    reads: bool,
    riga: Site,
    postgresql: PostgreSQL,
    postgresql_url: str,
) -> None:
    with role(postgresql, postgresql_url.rpartition("/")[2], may) as url:
        storage = replace(riga.settings.storage, url=url)
        (server,) = look_at_servers(storage)

    assert (server.is_owner, server.lacks, server.may_read_requests) == (False, lacks, reads)


@pytest.mark.server
def test_hosts_that_stored_requests_are_told_with_how_long_ago(riga: Site) -> None:
    now_us = time.time_ns() // 1000
    heads = {lane: WrittenHead(1, Head(1, bytes(32), lane)) for lane in ("00000000000000aa", riga.lane)}
    for number, (lane, head) in enumerate(heads.items()):
        note_heads(riga.control, SYSTEM, {f"2026-03-0{number + 2}": head})
        assert lane in last_written(riga.control, now_us + 1)

    told = riga.found(now_us=now_us + 3 * HOUR_US)["hosts.written"]

    assert told.text.startswith("Hosts that stored requests within a day: 2;")
    assert f"Host {riga.lane} (this one) 2 h ago" in told.text or "3 h ago" in told.text
    assert last_written(riga.control, now_us + 2 * DAY_US) == {}


@pytest.mark.server
def test_the_next_period_is_missed_shortly_before_its_time(riga: Site) -> None:
    catalogue = riga.catalogue()
    present = catalogue.period_of(NOW)
    at_noon = riga.found(now_us=NOW)["periods.next"]
    late = riga.found(now_us=present.until_us - HOUR_US // 2)["periods.next"]
    ahead.make_next(riga.holdings, catalogue, NOW)
    made = riga.found(now_us=present.until_us - HOUR_US // 2)["periods.next"]

    assert (at_noon.level, late.level, made.level) == ("unknown", "bad", "good")


@pytest.mark.server
def test_an_installation_whose_server_is_away_is_told_by_its_servers(riga: Site, postgresql_url: str) -> None:
    storage = replace(riga.settings.storage, url=postgresql_url.replace(postgresql_url.rpartition(":")[2], "1/x"))
    settings = replace(riga.settings, storage=storage)

    findings = {one.check: one for one in examine_closed(settings, "postgresql: can't be reached")}

    assert set(findings) == {"postgresql.answers", "store.opened"}
    assert "Connection refused" in findings["postgresql.answers"].text
    assert PASSWORD not in findings["postgresql.answers"].text


@pytest.mark.server
def test_doctor_tells_of_a_server_that_is_away(
    riga: Site, postgresql_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "consentkit.toml"
    storage = riga.settings.storage
    file.write_text(f'[storage]\ndirectory = "{storage.directory}"\nkeys = "{storage.keys}"\n', "utf-8")
    monkeypatch.setenv("CONSENTKIT_STORAGE_URL", postgresql_url.replace(postgresql_url.rpartition(":")[2], "1/x"))

    shown = CliRunner().invoke(group, ["doctor", "--config", str(file), "--json"])

    found = {one["check"]: one["level"] for one in map(json.loads, shown.stdout.splitlines())}
    assert (shown.exit_code, found) == (1, {"postgresql.answers": "bad", "store.opened": "bad"})
    assert PASSWORD not in shown.output


@pytest.mark.server
def test_a_real_clickhouse_is_asked_how_it_is(tmp_path: Path, clickhouse_url: str) -> None:
    installation = Installation(tmp_path)
    storage = replace(installation.settings.storage, requests_url=clickhouse_url)
    holdings = Holdings.open(storage, installation.keyring, installation.control)
    (before,) = look_at_servers(storage)
    holdings.rows.lying("period")
    (server,) = look_at_servers(storage)
    holdings.rows.close()

    assert (before.tables, server.tables) == ("missing", "good")
    assert (server.fault, server.is_local, server.is_encrypted, server.lacks) == ("", True, False, ())
    assert (server.risks == ("no_fsync",)) == server.version.startswith(("18.", "19.", "20.1."))
    assert abs(server.ahead_us) < 2_000_000


@pytest.mark.server
def test_of_a_cluster_each_shard_is_asked(tmp_path: Path, clickhouse_cluster_url: str) -> None:
    storage = replace(Installation(tmp_path).settings.storage, requests_url=clickhouse_cluster_url)

    servers = look_at_servers(storage)

    assert [server.fault for server in servers] == ["", ""]


@pytest.mark.server
def test_a_clickhouse_that_is_away_is_told_without_its_password(tmp_path: Path, clickhouse_url: str) -> None:
    away = clickhouse_url.replace(clickhouse_url.rpartition(":")[2], "1/x")
    storage = replace(Installation(tmp_path).settings.storage, requests_url=away)

    (server,) = look_at_servers(storage)

    assert "can't be reached" in server.fault
    assert CLICKHOUSE_PASSWORD not in repr(server)


@contextlib.contextmanager
def role(server: PostgreSQL, database: str, may: tuple[str, ...]) -> Iterator[str]:
    """Make a role that may do what is named, and yield the URL by which it signs in."""
    with server.connect(database) as connection:
        connection.execute("CREATE ROLE ck_visitor LOGIN PASSWORD 'open'")
        for statement in grants("ck_visitor", may):
            connection.execute(statement.encode())
    try:
        yield server.url(database, user="ck_visitor", password="open")
    finally:
        with server.connect(database) as connection:
            connection.execute("DROP OWNED BY ck_visitor")
            connection.execute("DROP ROLE ck_visitor")
