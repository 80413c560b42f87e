"""What the controller's records say: each fact follows from the settings, and changes with them."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from consentkit.archive.register.measures import measures
from consentkit.archive.register.places import storage_places
from consentkit.archive.register.processings import processing_record, request_fields
from consentkit.archive.register.recipients import recipients_as_of
from consentkit.consent.registry import Registry
from consentkit.settings import Settings
from tests.archive.installation import Installation

TODAY = date(2026, 11, 23)
HOST = {"name": "Host SIA", "country": "LV", "since": "2025-01-01"}
ABROAD = {"name": "Cloud Inc.", "country": "US", "transfer": {"en": "SCC", "lv": "standartklauzulas"}}

custody = pytest.mark.custody


def settings(**tables: Any) -> Settings:
    here = {"storage_region": "LV"}
    return Settings.from_mapping({**tables, "site": here | tables.get("site", {})}, base=Path("/nowhere"))


def processing(name: str, given: Settings, *, asks: bool = True) -> Any:
    return next(one for one in processing_record(given, TODAY, asks=asks).processings if one.name == name)


@pytest.mark.parametrize(
    ("log", "field", "is_there"),
    [
        ({}, "address", True),
        ({"truncate_ip_after_days": 0}, "network", True),
        ({"truncate_ip_after_days": 0}, "address", False),
        ({"truncate_ip_after_days": 7}, "address", True),
        ({"redact_paths": False}, "url_whole_path", True),
        ({"redact_paths": True}, "url", True),
        ({"keep_query_keys": []}, "query_none", True),
        ({"keep_query_keys": ["page", "q"]}, "query_keys", True),
        ({}, "country", False),
        ({"geo_database": "geo.mmdb"}, "country", True),
        ({"geo_database": "geo.mmdb", "geo_precision": "city"}, "city", True),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_what_is_recorded_follows_from_the_settings(log: dict[str, object], field: str, is_there: bool) -> None:
    assert (field in request_fields(settings(requestlog=log).requestlog)) is is_there


def test_times_of_erasure_are_those_of_the_settings() -> None:
    given = settings(
        requestlog={"retention_days": 30, "truncate_ip_after_days": 7},
        keep={"audit": 365, "proof": 500, "incident_review": 60},
    )
    found = {
        one.name: [(each.of, each.days) for each in one.erasure]
        for one in processing_record(given, TODAY, asks=True).processings
    }
    assert found == {
        "requests": [("record", 30), ("address", 7)],
        "choices": [("proof", 500)],
        "incidents": [("review", 60)],
        "access": [("entry", 365)],
        "subjects": [("entry", 365)],
        "statistics": [("never", 0)],
    }


@pytest.mark.parametrize(
    ("log", "basis", "law"),
    [
        ({}, "legitimate_interest", ""),
        ({"basis": "legal_obligation", "basis_law": "a law"}, "legal_obligation", "a law"),
        ({"basis": "public_task", "basis_law": "a statute"}, "public_task", "a statute"),
    ],
    ids=["interest", "obligation", "task"],
)
def test_the_log_and_its_incidents_rest_on_the_same_basis(log: dict[str, object], basis: str, law: str) -> None:
    given = settings(requestlog=log)
    for name in ("requests", "incidents"):
        one = processing(name, given)
        assert (one.basis, one.basis_law) == (basis, law)
    assert processing("access", given).basis == "legitimate_interest"


def test_a_site_that_asks_nobody_has_no_choices() -> None:
    names = [one.name for one in processing_record(settings(), TODAY, asks=False).processings]
    assert "choices" not in names


def test_recipients_and_transfers_stand_with_each_processing_but_statistics() -> None:
    given = settings(recipients=[HOST, ABROAD])
    one = processing("requests", given)
    assert one.recipients == ("Host SIA", "Cloud Inc.")
    assert [(name, place.country, place.safeguard["en"]) for name, place in one.transfers] == [
        ("Cloud Inc.", "US", "SCC")
    ]
    assert processing("statistics", given).recipients == ()


def test_storage_outside_of_the_eea_is_a_transfer_of_all() -> None:
    given = settings(site={"storage_region": "US", "storage_transfer": "a safeguard"})
    assert [name for name, _ in processing("choices", given).transfers] == [""]
    region = storage_places(given, Registry.build(given), TODAY).region
    assert (region.is_in_eea, region.safeguard) == (False, {"": "a safeguard"})


def test_storage_in_a_state_that_nobody_names_is_not_said_to_be_in_the_eea() -> None:
    given = settings(site={"storage_region": ""})
    region = storage_places(given, Registry.build(given), TODAY).region
    assert (region.country, region.is_in_eea) == ("", False)
    assert [place for _, place in processing("choices", given).transfers] == [region]


@pytest.mark.parametrize(
    ("day", "when"),
    [
        (date(2024, 12, 31), "coming"),
        (date(2025, 1, 1), "present"),
        (date(2025, 6, 30), "present"),
        (date(2025, 7, 1), "past"),
    ],
    ids=["before", "first day", "last day", "after"],
)
def test_a_recipient_is_answered_as_of_any_day(day: date, when: str) -> None:
    given = settings(recipients=[{**HOST, "until": "2025-06-30"}])
    assert [one.when for one in recipients_as_of(given, day)] == [when]


def test_those_who_receive_now_come_first() -> None:
    past = {"name": "Past", "country": "LV", "until": "2020-01-01"}
    coming = {"name": "Coming", "country": "LV", "since": "2030-01-01"}
    found = recipients_as_of(settings(recipients=[past, coming, HOST]), TODAY)
    assert [one.name for one in found] == ["Host SIA", "Past", "Coming"]


@custody
def test_measures_say_what_is_on(tmp_path: Path) -> None:
    for name in ("own", "given"):
        (tmp_path / name).mkdir()
    own = Installation(tmp_path / "own", rotate="hour")
    now = measures(own.settings, own.holdings)
    assert (now.rotate, now.has_secret, now.staff, now.verified_us) == ("hour", False, 0, None)
    given = Installation(tmp_path / "given", secrets=("a secret of the operator, long enough",))
    assert measures(given.settings, given.holdings).has_secret


@pytest.mark.parametrize(
    ("urls", "folder", "servers"),
    [
        ({}, "spool requests incidents control", ()),
        ({"url": "postgresql://db/x"}, "spool", (("PostgreSQL", ("requests", "incidents", "control")),)),
        (
            {"requests_url": "clickhouse://db/x"}, "spool control", (("ClickHouse", ("requests", "incidents")),),
        ),
        (
            {"url": "postgresql://db/x", "requests_url": "clickhouse://db/x"}, "spool",
            (("ClickHouse", ("requests", "incidents")), ("PostgreSQL", ("control",))),
        ),
    ],
    ids=["embedded", "postgresql", "requests alone", "both"],
)  # fmt: skip
def test_places_tell_what_lies_in_the_folder_and_what_on_which_server(
    urls: dict[str, str], folder: str, servers: tuple[tuple[str, tuple[str, ...]], ...]
) -> None:
    given = settings(storage=urls)
    found = storage_places(given, Registry.build(given), TODAY)
    assert (" ".join(kind for kind, _ in found.kinds), found.servers) == (folder, servers)


def test_places_tell_whether_keys_lie_apart(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    registry = Registry.build(installation.settings)
    assert storage_places(installation.settings, registry, TODAY).keys_apart is False
    shutil.rmtree(installation.settings.storage.keys)
    assert storage_places(installation.settings, registry, TODAY).keys_apart is None
