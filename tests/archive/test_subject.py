from __future__ import annotations

import gc
import hashlib
import json
import shutil
import struct
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consentkit import audit
from consentkit.archive.bundle import BadBundle, check
from consentkit.archive.export import Copy
from consentkit.archive.sealing import seal
from consentkit.archive.subject import (
    Person,
    Proof,
    SubjectExport,
    Terms,
    certificates,
    erase_choices,
    proof_of,
)
from consentkit.archive.subject.page import TEMPLATE
from consentkit.archive.truncation import truncate_due
from consentkit.audit import SYSTEM, Look
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision, register_policy
from consentkit.consent.ledgercheck import verify_decisions
from consentkit.errors import SettingsError
from consentkit.settings import Settings
from consentkit.web.assets import find_folder
from tests.archive.bundles import change_byte, contents
from tests.archive.installation import DAY_US, DAYS, MONDAY, RESOLVERS, WORKER, Installation, detail, request
from tests.archive.test_erasure import HERS, OTHER, open_incident

WHY = Look("person", "R-5", "asked by letter")
ALL = Person.at(HERS, MONDAY - 30 * DAY_US, MONDAY + 400 * DAY_US)
FIRST = date(2026, 1, 1)
CONSENT_ID = "abcdefghijklmnopqrst_-"
HOSTILE = "/<script>alert(1)</script>"


class Out:
    """Take bytes, and note what the audit said when the first came."""

    def __init__(self, path: Path, site: Installation) -> None:
        self.path, self.site = path, site
        self.audited: list[str] = []

    def write(self, data: bytes) -> None:
        if b"requests.ndjson" in data and not self.audited:
            self.audited = self.site.actions("subject")
        with self.path.open("ab") as file:
            file.write(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    site = Installation(folder)
    site.store(
        request(MONDAY, "/hers"), request(MONDAY + 1, "/other", address=OTHER), request(MONDAY + DAY_US, HOSTILE)
    )
    seal(site.holdings, site.period(DAYS[0]), SYSTEM)
    site.spool(request(MONDAY + DAY_US + 5, "/hers-just-now"))
    return folder


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Installation:
    """A sealed day, an open one, and a request that is still in the spool."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Installation(tmp_path)


def export(
    site: Installation,
    tmp_path: Path,
    person: Person = ALL,
    proof: Proof | None = None,
    name: str = "hers.zip",
    language: str = "en",
) -> tuple[Path, Copy]:
    terms = Terms(actor=WORKER, look=WHY, output=name, recipient="the person", destroy_by=None, language=language)
    path = tmp_path / name
    run = SubjectExport(site.holdings, site.settings, person, terms, proof=proof, resolvers=RESOLVERS)
    run.write(Out(path, site))
    return path, run.register()


def member(path: Path, name: str) -> Any:
    with zipfile.ZipFile(path) as found:
        text = found.read(name).decode()
    if name.endswith(".ndjson"):
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text) if name.endswith(".json") else text


def test_all_that_is_kept_of_an_address_is_in_the_file_and_nothing_of_others(
    site: Installation, tmp_path: Path
) -> None:
    path, _ = export(site, tmp_path)
    assert [row["url"] for row in member(path, "requests.ndjson")] == ["/hers-just-now", HOSTILE, "/hers"]
    with zipfile.ZipFile(path) as found:
        everything = b"".join(found.read(name) for name in found.namelist())
        assert found.namelist() == [
            "requests.ndjson", "looks.json", "index.html", "manifest.json", "signature.json",
        ]  # fmt: skip
    assert OTHER.encode() not in everything
    assert b"/other" not in everything


def test_the_file_proves_itself_and_a_changed_byte_fails(site: Installation, tmp_path: Path) -> None:
    path, _ = export(site, tmp_path)
    manifest = check(path)
    assert (manifest.kind, manifest.about["asked"]["address"]) == ("subject", HERS)  # type: ignore[index]
    assert next((one.name, one.rows) for one in manifest.files) == ("requests.ndjson", 3)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "changed.zip", "w") as changed:
        for name in old.namelist():
            changed.writestr(name, old.read(name).replace(b'"status":200', b'"status":201'))
    with pytest.raises(BadBundle, match=r"requests\.ndjson"):
        check(tmp_path / "changed.zip")


def test_every_page_is_in_the_audit_before_it_is_written(site: Installation, tmp_path: Path) -> None:
    terms = Terms(actor=WORKER, look=WHY, output="x", recipient="", destroy_by=None)
    out = Out(tmp_path / "x.zip", site)
    SubjectExport(site.holdings, site.settings, ALL, terms, resolvers=RESOLVERS).write(out)
    assert out.audited == ["subject.export"]
    page = site.audited("subject.export.page")[0]
    rows = member(tmp_path / "x.zip", "requests.ndjson")
    said = detail(page)
    assert (page.rows, said["first"], said["last"]) == (3, rows[0]["request_id"], rows[-1]["request_id"])
    assert (page.purpose, page.case_id) == ("person", "R-5")
    assert not [entry for entry in site.audited("subject") if HERS in entry.detail]


def test_the_copy_is_in_the_register(site: Installation, tmp_path: Path) -> None:
    path, copy = export(site, tmp_path)
    assert copy.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    entry = site.audited("copy.made")[0]
    said = detail(entry)
    assert (entry.number, said["sha256"], said["format"]) == (copy.number, copy.sha256, "subject")
    assert said["destroy_by"] == "2026-05-31"  # 90 days after the oldest row
    assert said["export"] == site.audited("subject.export")[0].number


def test_the_page_is_for_people_and_nothing_of_it_runs(site: Installation, tmp_path: Path) -> None:
    page = member(export(site, tmp_path)[0], "index.html")
    assert page.startswith("<!doctype html>")
    assert '<html lang="en">' in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "legitimate interest" in page
    assert "90 days" in page


@pytest.mark.parametrize(
    ("language", "title", "basis"),
    [
        ("lv", "Kas par jums glabājas", "leģitīmas intereses"),
        ("ru", "Что о вас хранится", "законный интерес"),
        ("en", "What is kept about you", "legitimate interest"),
        ("et", "Mida teie kohta säilitatakse", "õigustatud huvi"),
        ("lt", "Kas apie jus saugoma", "teisėtas interesas"),
    ],
)
def test_the_page_and_its_reasons_speak_the_language_that_is_given(
    site: Installation, tmp_path: Path, language: str, title: str, basis: str
) -> None:
    path, _ = export(site, tmp_path, language=language)
    page, about = member(path, "index.html"), member(path, "manifest.json")["about"]
    assert f'<html lang="{language}">' in page
    assert f"<h1>{title}</h1>" in page
    assert basis in page
    assert about["language"] == language
    assert basis in about["basis"]


def test_without_a_language_the_page_speaks_the_sites_first(site: Installation, tmp_path: Path) -> None:
    spoken = msgspec.structs.replace(site.settings.site, languages=("lt", "en"))
    site.settings = msgspec.structs.replace(site.settings, site=spoken)
    assert '<html lang="lt">' in member(export(site, tmp_path, language="")[0], "index.html")


def test_a_language_without_words_is_refused_before_anything_is_in_the_audit(
    site: Installation, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="has no catalogue"):
        export(site, tmp_path, language="xx")
    assert site.actions("subject") == []


def test_the_sites_own_template_takes_the_pages_place(site: Installation, tmp_path: Path) -> None:
    own = tmp_path / "own" / "consentkit"
    own.mkdir(parents=True)
    (own / TEMPLATE).write_text("{{ page.rows }} of {{ page.account.operator }}", encoding="utf-8")
    spoken = msgspec.structs.replace(site.settings.site, templates=own.parent, operator="Muzejs")
    site.settings = msgspec.structs.replace(site.settings, site=spoken)
    assert member(export(site, tmp_path)[0], "index.html").endswith("of Muzejs")


def test_the_looks_that_may_have_shown_the_rows_are_listed_by_date_and_purpose(
    site: Installation, tmp_path: Path
) -> None:
    def look(
        action: str, filters: dict[str, object], *, rows: int = 1, purpose: audit.Purpose = "security"
    ) -> None:
        audit.record(site.control, WORKER, action, look=Look(purpose), detail={"filters": filters}, rows=rows)

    look("log.search", {"address": [HERS]})
    look("log.search", {"address": ["192.0.2.0/24"]}, purpose="incident")
    look("log.tail", {}, purpose="operation")
    look("log.search", {"address": [OTHER]}, purpose="fraud")
    look("log.search", {"until": "2026-03-01"}, purpose="fraud")
    look("log.search", {"address": [HERS]}, rows=0, purpose="fraud")
    look("consent.show", {}, purpose="fraud")
    begun = audit.record(
        site.control, WORKER, "log.export", look=Look("audit"), detail={"filters": {"address": [OTHER]}}
    )
    audit.record(
        site.control, WORKER, "log.export.page", look=Look("fraud"), detail={"export": begun.number}, rows=9
    )
    first, _ = export(site, tmp_path)
    found = member(first, "looks.json")["looks"]
    assert [(one["purpose"], one["how"]) for one in found] == [
        ("security", "log.search"), ("incident", "log.search"), ("operation", "log.tail"),
    ]  # fmt: skip
    assert WORKER.name not in json.dumps(found)
    second, _ = export(site, tmp_path, name="again.zip")
    assert member(second, "looks.json")["looks"][-1]["how"] == "subject.export.page"


def test_what_an_incident_holds_is_handed_over_too(site: Installation, tmp_path: Path) -> None:
    open_incident(site, request(MONDAY - DAY_US, "/long-gone"), request(MONDAY, "/other", address=OTHER))
    path, copy = export(site, tmp_path)
    assert [row["url"] for row in member(path, "incident-3.ndjson")] == ["/long-gone"]
    assert copy.rows == 4
    assert "security incident 3" in member(path, "index.html")


def test_rows_whose_addresses_were_cut_are_withheld_and_counted(site: Installation, tmp_path: Path) -> None:
    truncate_due(site.holdings, 3, SYSTEM, MONDAY + 3 * DAY_US, wait_seconds=0.3)
    path, _ = export(site, tmp_path, Person.at(HERS, 0, MONDAY + DAY_US))
    assert member(path, "requests.ndjson") == []
    about = member(path, "manifest.json")["about"]
    assert (about["withheld_rows"], "art. 11" in about["withheld"]) == (2, True)
    path, _ = export(site, tmp_path, Person.at("192.0.2.0", 0, MONDAY + DAY_US), name="network.zip")
    assert member(path, "requests.ndjson") == []


def test_recipients_are_those_of_the_time_asked_for(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    recipients = [
        {"name": "Hosting OÜ", "country": "EE", "role": {"lv": "viesos", "en": "hosting"}, "since": FIRST},
        {"name": "Former SIA", "country": "LV", "until": date(2026, 2, 1)},
    ]  # fmt: skip
    site.settings = Settings.from_mapping(
        {"storage": {"directory": str(site.directory)}, "recipients": recipients}, base=tmp_path
    )
    path, _ = export(site, tmp_path, Person.at(HERS, MONDAY, MONDAY + DAY_US))
    about = member(path, "manifest.json")["about"]
    assert [(one["name"], one["role"]) for one in about["recipients"]] == [("Hosting OÜ", "hosting")]


def decide(site: Installation, granted: str, denied: str) -> Decision:
    return record_decision(
        site.control,
        Decision(
            consent_id=CONSENT_ID,
            granted=granted,
            denied=denied,
            method="banner",
            revision=1,
            locale="lv",
            script=1,
        ),
    )


def proof(site: Installation, now_us: int = 0) -> Proof:
    found = proof_of(site.control, Person.of_consent(CONSENT_ID), site.settings, now_us)
    assert found is not None
    return found


def test_choices_are_handed_over_with_the_policy_they_were_made_under(site: Installation, tmp_path: Path) -> None:
    register_policy(site.control, b'{"cookies":["theme"]}', lambda _old, _new: frozenset())
    decide(site, "statistics", "preferences")
    path, copy = export(site, tmp_path, Person.of_consent(CONSENT_ID), proof(site))
    (choice,) = member(path, "choices.json")
    assert (choice["granted"], choice["denied"]) == ("statistics", "preferences")
    assert member(path, "policies.json")[0]["text"] == '{"cookies":["theme"]}'
    assert "<td>Statistics</td><td>Preferences</td>" in member(path, "index.html")
    assert (copy.rows, copy.destroy_by) == (1, "")
    assert check(path).about["asked"] == {"consent_id": CONSENT_ID}


def test_proof_ends_after_the_consent_has(site: Installation) -> None:
    given = decide(site, "statistics", "")
    day_s = 86_400
    kept, lifetime = site.settings.keep.proof, site.settings.consent.lifetime_days
    assert proof(site).until_us == (given.minute * 60 + (kept + lifetime) * day_s) * 1_000_000
    assert proof(site).is_in_force
    assert not proof(site, (given.minute * 60 + lifetime * day_s) * 1_000_000).is_in_force
    withdrawn = decide(site, "", "statistics")
    assert proof(site).until_us == (withdrawn.minute * 60 + kept * day_s) * 1_000_000
    assert not proof(site).is_in_force


def test_erasing_choices_says_what_stays_and_keeps_the_chain(site: Installation) -> None:
    decide(site, "statistics", "")
    person = Person.of_consent(CONSENT_ID)
    certificate = erase_choices(site.control, site.keyring, person, proof(site), actor=WORKER, look=WHY)
    (kept,) = certificate.kept
    assert (kept["choices"], kept["until"]) == (1, proof(site).until)
    assert "art. 17(3)(e)" in str(kept["reason"])
    assert (certificate.rows, verify_decisions(site.control).decisions) == (0, 1)
    assert [one.number for one in certificates(site.control, site.keyring, person)] == [certificate.number]
    assert not [entry for entry in site.audited("subject") if CONSENT_ID in entry.detail]


def test_an_unknown_consent_id_has_nothing(site: Installation) -> None:
    assert proof_of(site.control, Person.of_consent("x" * 22), site.settings, 0) is None


def test_the_template_is_in_the_package() -> None:
    assert (find_folder("templates") / "consentkit" / TEMPLATE).is_file()


class Full(Exception):
    pass


def test_an_export_that_breaks_off_writes_nothing_more(site: Installation, tmp_path: Path) -> None:
    written: list[int] = []

    class Refusing:
        def write(self, data: bytes) -> None:
            written.append(len(data))
            if len(written) > 2:
                raise Full

    terms = Terms(actor=WORKER, look=WHY, output="x", recipient="", destroy_by=None)
    run = SubjectExport(site.holdings, site.settings, ALL, terms, resolvers=RESOLVERS)
    with pytest.raises(Full):
        run.write(Refusing())
    count = len(written)
    del run
    gc.collect()
    assert len(written) == count
    assert "copy.made" not in site.actions()


def test_no_flipped_byte_of_a_file_is_taken_for_whole(site: Installation, tmp_path: Path) -> None:
    path, _ = export(site, tmp_path)
    whole, files = path.read_bytes(), contents(path)
    assert files is not None
    with zipfile.ZipFile(path) as found:
        members = [(one.header_offset, one.compress_size) for one in found.infolist()]
    held = refused = 0
    for header, size in members:
        name_bytes, extra_bytes = struct.unpack_from("<HH", whole, header + 26)
        start = header + 30 + name_bytes + extra_bytes
        for at in range(start, start + size - 2, max(size // 10, 1)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
            if contents(path) == files:  # the same files, packed in another way
                check(path)
                held += 1
                continue
            with pytest.raises(BadBundle):
                check(path)
            refused += 1
    assert refused > 10 * held


@pytest.mark.parametrize("name", ["manifest.json", "signature.json", "requests.ndjson"])
def test_a_file_that_was_changed_and_packed_anew_is_found(site: Installation, tmp_path: Path, name: str) -> None:
    path, _ = export(site, tmp_path)
    check(path)
    change_byte(path, name)
    with pytest.raises(BadBundle):
        check(path)
