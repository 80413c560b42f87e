"""Every command over a running site, on PostgreSQL and ClickHouse as in the embedded store."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg
import pytest

from tests.server.stores import Host, Visitor, Where, database, database_with_roles, said, wait_for
from tests.servers import clickhouse
from tests.serving import Server

pytestmark = pytest.mark.server

WHY = ("--purpose", "security", "--reason", "a test", "--case", "C-7")
SCRIPTED, PLAIN, ATTACKER, LEAVING = "192.0.2.10", "192.0.2.11", "198.51.100.7", "203.0.113.9"
ADMIN_PASSWORD = "a password for tests"

AGENT = f"python-httpx/{httpx.__version__}"
# What the servers of tests are told to be quick, and keys that lie beside the data.
CARELESS = {"postgresql.durable", "clickhouse.durable", "keys.device"}

SERVERS = ("postgresql", "clickhouse")
KINDS = ("embedded", *SERVERS)

on_servers = pytest.mark.parametrize("site", SERVERS, indirect=True, scope="module")


class Site(NamedTuple):
    """A running site and what its visitors have."""

    host: Host
    server: Server
    consent_id: str
    receipt: Path


@contextmanager
def place(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Where]:
    """Where all is kept: `postgresql` with the roles of the documentation, `clickhouse` as one owner."""
    with ExitStack() as made:
        if kind == "embedded":
            yield Where()
        elif kind == "postgresql":
            server = request.getfixturevalue("postgresql")
            yield made.enter_context(database_with_roles(server, folder))
        else:
            where = made.enter_context(database(request.getfixturevalue("postgresql")))
            servers = request.getfixturevalue("clickhouse_servers")[:1]
            name = made.enter_context(clickhouse.database_on(servers))
            yield where._replace(requests=servers[0].url(name))


@pytest.fixture(scope="module", params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The example site under two workers, visited."""
    folder = tmp_path_factory.mktemp("site")
    with place(request.param, folder, request) as where:
        host = Host(folder, where)
        with host.serve() as server:
            yield visited(host, server)
            log = folder / "ingest.log"
            assert said(server, *[log] * log.exists()) == ""


def visited(host: Host, server: Server) -> Site:
    """Let four visitors come, one of them with scripts off, one who attacks."""
    with Visitor(server, SCRIPTED) as visitor:
        visitor.open("/", "/plans")
        visitor.choose("reject")
        visitor.choose("accept")
        consent_id = visitor.consent_id
        answer = visitor.get("/consentkit/receipt.json")
        assert answer.status_code == 200
        receipt = host.folder / "receipt.json"
        receipt.write_bytes(answer.content)
    with Visitor(server, PLAIN) as visitor:
        visitor.open("/help")
        visitor.choose("save", "statistics", is_scripted=False)
        visitor.choose("reject", is_scripted=False)
        assert visitor.consent_id == ""
    with Visitor(server, ATTACKER) as visitor:
        visitor.open("/admin.php?q='", "/admin.php", status=404)
    with Visitor(server, LEAVING) as visitor:
        visitor.open("/", "/plans")
    host.wait_until_stored()
    return Site(host, server, consent_id, receipt)


def test_a_search_finds_the_same_requests_in_the_same_order(site: Site) -> None:
    rows = site.host.rows("log", "search", *WHY, "--since", "1h", "--address", SCRIPTED, "--address", ATTACKER)
    assert [(row["client_address"], row["method"], row["url"], row["status"]) for row in rows] == [
        (ATTACKER, "GET", "/admin.php", 404),
        (ATTACKER, "GET", "/admin.php?q=REDACTED", 404),
        (SCRIPTED, "GET", "/consentkit/receipt.json", 200),
        (SCRIPTED, "POST", "/consentkit/choice", 200),
        (SCRIPTED, "POST", "/consentkit/choice", 200),
        (SCRIPTED, "GET", "/plans", 200),
        (SCRIPTED, "GET", "/", 200),
    ]
    assert [row["query_flags"] for row in rows[:2]] == [[], ["quote"]]


def test_the_newest_requests_and_the_most_frequent_values_are_the_same(site: Site) -> None:
    tail = site.host.rows("log", "tail", *WHY, "-n", "2", "--address", LEAVING)
    assert [row["url"] for row in tail] == ["/", "/plans"]
    top = site.host.rows("log", "top", *WHY, "--by", "path", "--address", PLAIN)
    assert [(row["value"], row["requests"]) for row in top] == [("/consentkit/choice", 2), ("/help", 1)]


def test_an_export_has_the_same_lines(site: Site) -> None:
    lines = site.host.good("log", "export", *WHY, "--format", "combined", "--address", PLAIN).splitlines()
    assert [re.sub(r"\[.*?\]", "[]", line) for line in lines] == [
        f'{PLAIN} - - [] "POST /consentkit/choice HTTP/1.1" 303 0 "-" "{AGENT}"',
        f'{PLAIN} - - [] "POST /consentkit/choice HTTP/1.1" 303 0 "-" "{AGENT}"',
        f'{PLAIN} - - [] "GET /help HTTP/1.1" 200 {lines[-1].split()[9]} "-" "{AGENT}"',
    ]


def test_answers_are_counted_and_cookies_seen_as_ever(site: Site) -> None:
    (day,) = site.host.rows("consent", "stats")
    counted = {"shown": 5, "refused": 1, "partly": 1, "changed": 1, "withdrawn": 1, "unscripted": 2}
    assert {name: day[name] for name in counted} == counted
    seen = {row["name"] for row in site.host.rows("cookies", "list") if row["last_seen"]}
    assert {"consentkit", "consentkit_id", "visits"} <= seen
    assert "visits" in site.host.good("cookies", "seen")


@on_servers
def test_what_is_kept_is_listed_verified_and_anchored(site: Site) -> None:
    host = site.host
    lying = host.rows("log", "segments")
    assert {row["state"] for row in lying if row["kind"] == "period"} == {"open"}
    report = host.rows("log", "verify")
    assert [row["good"] for row in report] == [True] * len(report)
    anchor = host.folder / "anchors"
    anchor.write_text(host.good("log", "anchor"), "utf-8")
    assert "holds" in host.good("log", "verify", "--anchor", str(anchor))
    assert "The ledger holds" in host.good("audit", "verify", "--anchor", str(anchor))


@on_servers
def test_retention_shows_each_day_and_destroys_none_before_it_has_ended(site: Site) -> None:
    shown = [row for row in site.host.rows("retention", "status") if row["kind"] == "period"]
    assert shown
    assert not any(row["overdue"] for row in shown)
    for now in ((), ("--now", "2099-01-01", "--yes")):
        assert "Nothing is due." in site.host.good("retention", "run", *now)


@on_servers
def test_an_incident_is_held_exported_and_let_go(site: Site) -> None:
    host = site.host
    (held,) = host.rows("incident", "open", *WHY, "--address", ATTACKER)
    number = str(held["number"])
    assert (held["rows"], held["state"]) == (2, "open")
    assert held["number"] in [row["number"] for row in host.rows("incident", "list")]
    assert "198.51.100.0/24" in host.good("incident", "show", number)
    rows = host.rows("incident", "show", number, "--rows", "--purpose", "security")
    assert [row["url"] for row in rows if "url" in row] == ["/admin.php", "/admin.php?q=REDACTED"]
    bundle = host.folder / f"incident-{number}.zip"
    host.good("incident", "export", number, "--purpose", "security", "--reason", "a test", "-o", str(bundle))
    host.good("incident", "verify", str(bundle))
    assert "2 rows destroyed" in host.good("incident", "close", number, "--reason", "done", "--yes")
    assert host.run("incident", "show", number, "--rows", "--purpose", "security").returncode != 0


@on_servers
def test_a_person_is_answered_and_erased(site: Site) -> None:
    host, person = site.host, ("--address", LEAVING, "--since", "1h")
    with Visitor(site.server, LEAVING) as visitor:
        visitor.open("/", "/plans")
    file = host.folder / f"person-{len(list(host.folder.glob('person-*')))}.zip"
    host.good("subject", "export", *WHY, *person, "-o", str(file))
    host.good("subject", "verify", str(file))
    with zipfile.ZipFile(file) as archive:
        assert len(archive.namelist()) > 2
    erased = host.rows("subject", "erase", *WHY, *person, "--yes")
    assert erased
    assert host.rows("log", "search", *WHY, *person) == []
    assert host.rows("subject", "certified", *person)
    assert host.rows("subject", "requests") == []
    report = host.rows("log", "verify")
    assert [row["good"] for row in report] == [True] * len(report)


@on_servers
def test_a_choice_is_shown_and_its_receipt_proved_by_what_is_published(site: Site) -> None:
    host = site.host
    (decision,) = host.rows("consent", "show", site.consent_id, *WHY)
    assert decision["granted"] == ["preferences", "statistics"]
    assert "It holds: 1 decisions" in host.good("consent", "verify", str(site.receipt))
    keys = host.folder / "keys.json"

    def published() -> bool:
        with Visitor(site.server, SCRIPTED) as visitor:
            keys.write_bytes(visitor.get("/consentkit/keys.json").content)
        return bool(json.loads(keys.read_bytes())["keys"])

    wait_for(published, "the keys are published")
    assert "It holds" in host.good("consent", "verify", str(site.receipt), "--keys", str(keys))


@on_servers
def test_the_audit_lists_looks_and_the_rows_they_showed(site: Site) -> None:
    host = site.host
    host.rows("log", "search", *WHY, "--address", ATTACKER)
    entry = host.rows("audit", "list", "--action", "log.search", "--limit", "1")[0]
    assert (entry["purpose"], entry["case_id"], entry["rows"]) == ("security", "C-7", 2)
    exposed = host.rows("audit", "exposed", str(entry["number"]), *WHY)
    assert [row["url"] for row in exposed if row["kind"] == "row"] == ["/admin.php", "/admin.php?q=REDACTED"]


@on_servers
def test_staff_is_let_in(site: Site) -> None:
    host = site.host
    done = host.run("admin", "add", "liga", "--role", "viewer", "--password-stdin", given=f"{ADMIN_PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    assert "liga" in host.good("admin", "list")


@on_servers
def test_the_doctor_finds_nothing_wrong_but_what_a_test_does(site: Site) -> None:
    findings: list[dict[str, str]] = []

    def is_well() -> bool:
        # It may come before what is written once a round.
        done = site.host.run("doctor", "--json")
        findings[:] = [json.loads(line) for line in done.stdout.splitlines()]
        assert findings, done.stderr
        return {one["check"] for one in findings if one["level"] == "bad"} <= CARELESS

    wait_for(is_well, "all is well")
    assert {"site.workers", "log.ingester"} <= {one["check"] for one in findings if one["level"] == "good"}


@pytest.mark.parametrize("site", ["postgresql"], indirect=True, scope="module")
def test_who_looks_things_up_needs_the_role_for_it_alone(site: Site) -> None:
    host = site.host
    as_admin = {"CONSENTKIT_STORAGE_URL": host.where.admin}
    assert len(host.rows("log", "search", *WHY, "--address", ATTACKER, **as_admin)) == 2
    assert host.rows("consent", "show", site.consent_id, *WHY, **as_admin)
    assert host.rows("audit", "list", "--limit", "1", **as_admin)[0]["action"] == "consent.show"
    assert "The ledger holds" in host.good("audit", "verify", **as_admin)
    report = host.rows("log", "verify", **as_admin)
    assert [row["good"] for row in report] == [True] * len(report)
    done = host.run("log", "search", *WHY, CONSENTKIT_STORAGE_URL=host.where.app)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the role may not do this" in done.stderr


@pytest.mark.parametrize("site", ["postgresql"], indirect=True, scope="module")
def test_the_tables_are_of_this_version_and_stay_so(site: Site) -> None:
    assert "nothing was done" in site.host.good("db", "upgrade")
    assert site.host.good("db", "upgrade", "--sql") == ""
    assert "INSERT ON consentkit.request" in site.host.good("db", "roles")


@on_servers
def test_keys_are_replaced_while_it_runs(site: Site) -> None:
    host = site.host
    (rotated,) = host.rows("keys", "rotate", "--new-root", "--yes")
    assert rotated["keys_unreadable"] == []
    with Visitor(site.server, "192.0.2.77") as visitor:
        visitor.open("/help")
        visitor.choose("accept")
        assert host.rows("consent", "show", visitor.consent_id, *WHY)
    assert len(host.rows("log", "search", *WHY, "--address", "192.0.2.77")) == 2
    new = "another secret of the tests that is long enough"
    host.good("keys", "rotate", CONSENTKIT_SECRET=f"{host.secret},{new}")
    host.secret = new
    report = host.rows("log", "verify")
    assert [row["good"] for row in report] == [True] * len(report)
    assert "It holds" in host.good("consent", "verify", str(site.receipt))


@pytest.mark.parametrize(("kind", "is_held"), [("postgresql", True), ("clickhouse", False)])
def test_the_end_of_a_service_leaves_nothing_on_the_servers_but_what_is_held(
    kind: str, is_held: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with place(kind, tmp_path, request) as where:
        host = Host(tmp_path, where)
        with host.serve(workers=1) as server:
            visited(host, server)
            refused = host.run("destroy", "--export", str(tmp_path / "all.zip"), *WHY, "--yes")
            assert refused.returncode == 2
            assert "the site runs" in refused.stderr
        if is_held:
            host.good("incident", "open", *WHY, "--address", ATTACKER)
        archive = tmp_path / "all.zip"
        host.good("destroy", "--export", str(archive), *WHY, "--yes")
        certificate = json.loads((tmp_path / "all.zip.certificate.json").read_bytes())
        assert json.loads(certificate["certificate"])["held"] == [1] * is_held
        assert left(where, request) == Left(schemas=is_held, decisions=0, requests=2 * is_held)
        if is_held:
            assert "2 rows destroyed" in host.good("incident", "close", "1", "--reason", "done", "--yes")
            assert left(where, request).requests == 0


class Left(NamedTuple):
    """What the servers have: whether there is our schema, and rows in it."""

    schemas: bool
    decisions: int
    requests: int


def left(where: Where, request: pytest.FixtureRequest) -> Left:
    with psycopg.connect(where.owner) as connection:
        (schema,) = connection.execute("SELECT to_regnamespace('consentkit')::text").fetchone() or (None,)
        decisions = requests = 0
        if schema:
            (decisions,) = connection.execute("SELECT count(*) FROM consentkit.decision").fetchone() or (0,)
            (requests,) = connection.execute("SELECT count(*) FROM consentkit.request").fetchone() or (0,)
    if where.requests:
        server = request.getfixturevalue("clickhouse_servers")[0]
        name = where.requests.rpartition("/")[2]
        for table in ("request", "word"):
            ((rows,),) = server.ask(f"SELECT count() FROM {name}.{table}")
            requests += rows
    return Left(schemas=bool(schema), decisions=decisions, requests=requests)
