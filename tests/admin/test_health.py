"""The health page, and the figures for monitoring: they say what doctor says, and nothing of anybody."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from consentkit import audit
from consentkit.admin import checkup as checkups
from consentkit.admin import monitoring
from consentkit.admin.checks import check_names
from consentkit.admin.checkup import Checkup, checkup, without_places
from consentkit.admin.figures import figures, spooled
from consentkit.admin.monitoring import Monitoring, metrics
from consentkit.admin.office import Office
from consentkit.archive.health import Finding
from consentkit.archive.health.servers import examine_servers
from consentkit.archive.sealing import seal
from consentkit.archive.store.condition import Condition
from consentkit.errors import SettingsError
from consentkit.settings import Settings
from consentkit.settings.secret import read_monitoring_token
from consentkit.web.texts import Texts
from tests.admin.area import Area, run, text_of
from tests.archive.installation import WORKER, Installation

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCUMENT = (REPOSITORY / "docs" / "monitoring.md").read_text("utf-8")
TOKEN = "a token of monitoring, in examples"
WORD = TOKEN.replace(" ", "-").replace(",", "")
SAY = Texts(("en",), domain="admin")["en"]
HOST, DATABASE = "db.example.net", "shop_records"

custody = pytest.mark.custody


def samples(text: str) -> dict[str, list[tuple[Mapping[str, str], float]]]:
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CONSENTKIT_MONITORING_TOKEN", WORD)
    return WORD


async def asked(area: Area, token: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await area.stranger().get("/metrics", **headers)


def test_every_check_has_a_name() -> None:
    source = "".join(path.read_text("utf-8") for path in (REPOSITORY / "consentkit/archive/health").glob("*.py"))
    stated = set(re.findall(r'(?:check = |check, due = |bad\(\s*|good\(\s*|unknown\(\s*)"([a-z_.]+)"', source))
    assert len(stated) > 20
    assert stated <= set(check_names(SAY))


@custody
def test_what_is_wrong_is_shown_first_with_the_way_out(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            page = text_of(await (await area.client("viewer")).get("/health"))
        assert page.index("Secret of the keys") < page.index("Free space")
        assert "Set CONSENTKIT_SECRET" in page
        assert "not well." in page
        assert area.installation.actions("admin.health") == ["admin.health"]

    run(story)


@custody
def test_findings_are_told_to_be_english_in_other_languages(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            page = await (await area.client("viewer")).get("/health?lang=lv")
        assert "Atslēgu noslēpums" in page.text
        assert '<p lang="en">The secret that wraps' in page.text

    run(story)


@custody
def test_a_page_left_open_is_recorded_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("viewer")
            await client.get("/health")
            for _ in range(3):
                again = await client.get("/health", **{"sec-fetch-dest": "empty"})
                assert 'id="health"' in again.text
        assert area.installation.actions("admin.health") == ["admin.health"]

    run(story)


@custody
def test_an_examination_is_made_once_in_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    area = Area(tmp_path)
    made: list[int] = []

    def examine(*_: object, now_us: int, servers: object) -> list[Finding]:
        made.append(now_us)
        return [Finding("clock", "bad", "slow"), Finding("log.lost", "good", "none")]

    monkeypatch.setattr(checkups, "examine", examine)
    office = Office(area.kit.settings, area.kit.registry, area.installation.keyring, area.installation.control)
    first = checkup(office)
    assert first.wrong == 1
    assert checkup(office) is first
    assert len(made) == 1
    assert checkup(office, fresh_seconds=-1) is not first
    assert len(made) == 2


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Condition(kind="postgresql", host=HOST, database=DATABASE), id="answers"),
        pytest.param(Condition(kind="postgresql", host=HOST, database=DATABASE, is_writable=False), id="replica"),
        pytest.param(Condition(kind="clickhouse", host=HOST, database=DATABASE, tables="missing"), id="no tables"),
        pytest.param(
            Condition(
                kind="postgresql", host=HOST, database=DATABASE, fault=f'database "{DATABASE}" does not exist'
            ),
            id="does not answer",
        ),
    ],
)
def test_findings_are_the_same_without_the_places_of_servers(tmp_path: Path, server: Condition) -> None:
    settings = Settings.from_mapping({}, base=tmp_path)
    findings = (*examine_servers(settings, [server]), Finding("clock", "good", "right"))
    assert HOST in findings[0].text
    assert DATABASE in findings[0].text
    told = without_places(settings, Checkup(made_us=0, findings=findings, servers=(server,)))
    assert [(one.check, one.level, one.way_out) for one in told] == [
        (one.check, one.level, one.way_out) for one in findings
    ]
    assert told[1:] == findings[1:]
    assert told[0].text.startswith(("PostgreSQL ", "ClickHouse "))
    assert HOST not in told[0].text
    assert DATABASE not in told[0].text


@custody
def test_there_are_no_figures_without_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSENTKIT_MONITORING_TOKEN", raising=False)

    async def story() -> None:
        async with Area(tmp_path) as area:
            for given in ("", WORD):
                assert (await asked(area, given)).status_code == 404

    run(story)


@custody
def test_another_token_gets_nothing(tmp_path: Path, token: str) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            for given in ("", "x", token[:-1], f"{token}x", "x" * 5000):
                answer = await asked(area, given)
                assert answer.status_code == 401
                assert "consentkit_" not in answer.text
                assert answer.headers["www-authenticate"] == 'Bearer realm="consentkit"'
            basic = await area.stranger().get("/metrics", authorization=f"Basic {token}")
            assert basic.status_code == 401
            assert (await area.stranger().post("/metrics", authorization=f"Bearer {token}")).status_code == 405

    run(story)


@custody
def test_the_figures_are_read_by_prometheus_and_are_right(tmp_path: Path, token: str) -> None:
    async def story() -> None:
        area = Area(tmp_path, people=False)
        installation = area.installation
        installation.fill(3)
        for period in installation.catalogue().list():
            seal(installation.holdings, period, WORKER)
        audit.record(installation.control, audit.Actor("anna", "admin"), "admin.sign-in-failed")
        async with area:
            before = len(installation.audited())
            answer = await asked(area, token)
            assert len(installation.audited()) == before  # a scrape is no look
        assert answer.status_code == 200
        assert answer.headers["content-type"] == monitoring.CONTENT_TYPE
        found = samples(answer.text)
        assert found["consentkit_records_kept"] == [({}, 6)]
        assert found["consentkit_sign_in_failures_total"] == [({}, 1)]
        assert ({"state": "sealed"}, 3) in found["consentkit_periods"]
        assert found["consentkit_periods_overdue"] == [({}, 3)]
        assert ({"check": "keys.secret", "level": "bad"}, 1) in found["consentkit_check"]
        assert "consentkit_last_verification_good" not in found
        assert found["consentkit_next_destruction_timestamp_seconds"][0][1] < time.time()
        assert "192.0.2.7" not in answer.text
        assert "anna" not in answer.text

    run(story)


def stated() -> dict[str, tuple[str, str]]:
    """Return the document's table: type and meaning by name."""
    rows = re.findall(r"^\| `(consentkit_\w+)` \| (\w+) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    return {name: (kind, meaning) for name, kind, meaning in rows}


@custody
def test_the_document_has_each_metric_with_its_type(tmp_path: Path) -> None:
    area = Area(tmp_path, people=False)
    office = Office(area.kit.settings, area.kit.registry, area.installation.keyring, area.installation.control)
    server = Condition(kind="postgresql", host="db.example.net", database="site")
    found = metrics(figures(office), Checkup(made_us=0, findings=(), servers=(server,)))
    assert {one.name: one.kind for one in found} == {name: kind for name, (kind, _) in stated().items()}
    for one in found:
        assert one.help.endswith(".")
        assert one.name.endswith("_total") == (one.kind == "counter")


def test_the_alerts_ask_for_metrics_that_there_are() -> None:
    alerts = DOCUMENT.partition("## When to ring")[2]
    asked_for = set(re.findall(r"consentkit_\w+", alerts))
    assert asked_for
    assert asked_for <= set(stated())


def test_a_label_can_hold_anything() -> None:
    hostile = 'a"b\\c\nd'
    metric = monitoring.Metric(
        name="consentkit_x", kind="gauge", help="x\ny", samples=(({"check": hostile}, 1.5),)
    )
    assert samples(monitoring.write(metric))["consentkit_x"] == [({"check": hostile}, 1.5)]


@pytest.mark.parametrize(
    "environ",
    [
        {"CONSENTKIT_MONITORING_TOKEN": "short"},
        {"CONSENTKIT_MONITORING_TOKEN": ""},
        {"CONSENTKIT_MONITORING_TOKEN": "with a space " * 4},
        {"CONSENTKIT_MONITORING_TOKEN": "ā" * 40},
        {"CONSENTKIT_MONITORING_TOKEN": WORD, "CONSENTKIT_MONITORING_TOKEN_FILE": "x"},
        {"CONSENTKIT_MONITORING_TOKEN_FILE": "/nowhere"},
    ],
    ids=["short", "empty", "space", "letters", "both", "no file"],
)
def test_a_token_that_can_not_be_used_is_refused_without_being_told(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Monitoring(environ)
    assert all(value not in str(caught.value) for value in environ.values() if len(value) > 5)


def test_the_token_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{WORD}\n")
    assert read_monitoring_token({"CONSENTKIT_MONITORING_TOKEN_FILE": str(file)}) == WORD
    assert Monitoring({}).is_on is False


def test_segments_that_wait_are_measured(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.fill(1)
    folder = installation.directory / "spool" / "worker"
    folder.mkdir(parents=True)
    (folder / "1").write_bytes(bytes(100))
    found = spooled(installation.directory, time.time_ns() // 1000 + 60_000_000)
    assert found.bytes >= 100
    assert found.segments >= 1
    assert 59 <= found.oldest_seconds <= 90
