"""What changes of the records: copies that are destroyed, the balancing test, settings and roles."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from consentkit import audit
from consentkit.archive.child import settings_in_force
from consentkit.archive.health import examine
from consentkit.archive.inforce import record_start
from consentkit.archive.register.balancing import approve, digest_of, standing, weighed
from consentkit.archive.register.copies import NoSuchCopy, mark_destroyed, registered_copies
from consentkit.archive.register.history import history, last_change
from consentkit.audit import SYSTEM, Actor, Look
from consentkit.settings import Settings
from tests.archive.installation import Installation

OFFICER = Actor("officer", "admin")
TODAY = date(2026, 11, 23)
HOST = {"name": "Host SIA", "country": "LV", "since": "2025-01-01"}

custody = pytest.mark.custody


def settings(**tables: Any) -> Settings:
    return Settings.from_mapping(tables, base=Path("/nowhere"))


def in_force(given: Settings) -> dict[str, object]:
    """As the ingester is told: by JSON."""
    told: dict[str, object] = json.loads(json.dumps(settings_in_force(given)))
    return told


@custody
def test_a_copy_is_overdue_until_somebody_says_that_it_is_gone(tmp_path: Path) -> None:
    control = Installation(tmp_path).control
    look = Look("security", "12", "for the police")
    made = audit.record(
        control,
        OFFICER,
        "copy.made",
        look=look,
        detail={
            "format": "csv",
            "rows": 5,
            "bytes": 9,
            "sha256": "0" * 64,
            "recipient": "police",
            "destroy_by": "2026-11-22",
        },
        rows=5,
    )
    with control.transaction() as connection:
        (copy,) = registered_copies(connection)
    assert (copy.number, copy.recipient, copy.case, copy.is_overdue(TODAY)) == (made.number, "police", "12", True)
    assert not copy.is_overdue(date(2026, 11, 22))
    mark_destroyed(control, OFFICER, copy.number, "shredded")
    with control.transaction() as connection:
        (copy,) = registered_copies(connection)
    assert copy.destroyed is not None
    assert (copy.destroyed.how, copy.destroyed.actor) == ("shredded", "officer")
    assert not copy.is_overdue(TODAY)


@pytest.mark.parametrize("number", [0, 1, 2, 10**9], ids=["none", "another entry", "later", "far"])
def test_what_is_no_copy_is_not_marked(tmp_path: Path, number: int) -> None:
    control = Installation(tmp_path).control
    audit.record(control, OFFICER, "log.search")
    with pytest.raises(NoSuchCopy):
        mark_destroyed(control, OFFICER, number, "shredded")
    with control.transaction() as connection:
        assert [one.action for one in audit.entries(connection)] == ["log.search"]


@custody
def test_doctor_leaves_out_copies_that_are_gone(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    today = date.today().isoformat()  # noqa: DTZ011 - the day before or after is as good
    made = audit.record(installation.control, OFFICER, "copy.made", detail={"destroy_by": today}, rows=1)
    assert level(installation, "copies.due") == "unknown"
    mark_destroyed(installation.control, OFFICER, made.number, "shredded")
    assert level(installation, "copies.due") == "good"


def level(installation: Installation, check: str, given: Settings | None = None) -> str:
    found = examine(given or installation.settings, installation.holdings)
    return next(one.level for one in found if one.check == check)


@pytest.mark.parametrize(
    ("tables", "name"),
    [
        ({"requestlog": {"retention_days": 30}}, "requestlog.retention_days"),
        ({"requestlog": {"truncate_ip_after_days": 7}}, "requestlog.truncate_ip_after_days"),
        ({"requestlog": {"geo_database": "geo.mmdb"}}, "requestlog.fields"),
        ({"requestlog": {"redact_paths": False}}, "requestlog.fields"),
        ({"requestlog": {"keep_query_keys": ["q"]}}, "requestlog.keep_query_keys"),
        ({"requestlog": {"basis": "public_task", "basis_law": "a law"}}, "requestlog.basis"),
        ({"recipients": [HOST]}, "recipients"),
    ],
    ids=["period", "truncation", "geo", "paths", "query", "basis", "recipients"],
)
def test_a_changed_setting_makes_the_balancing_test_due(
    tmp_path: Path, tables: dict[str, object], name: str
) -> None:
    control = Installation(tmp_path).control
    assert standing(control, settings()).state == "never"
    approve(control, OFFICER, settings(), "as weighed with counsel")
    current = standing(control, settings())
    assert (current.state, current.actor, current.note) == ("current", "officer", "as weighed with counsel")
    changed = standing(control, settings(**tables))
    assert changed.state == "due"
    assert name in [change.name for change in changed.changes]
    approve(control, OFFICER, settings(**tables), "")
    assert standing(control, settings(**tables)).state == "current"
    assert standing(control, settings()).state == "due"


@pytest.mark.parametrize(
    "tables",
    [{"requestlog": {"spool_max_mb": 100}}, {"site": {"operator": "Example"}}, {"keep": {"proof": 400}}],
    ids=["spool", "operator", "proof"],
)
def test_what_was_not_weighed_changes_nothing(tables: dict[str, object]) -> None:
    assert digest_of(weighed(settings(**tables))) == digest_of(weighed(settings()))


@custody
def test_doctor_tells_that_the_test_is_due(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    assert level(installation, "records.balancing") == "unknown"
    approve(installation.control, OFFICER, installation.settings, "")
    assert level(installation, "records.balancing") == "good"
    tables = {"storage": {"directory": str(installation.directory)}, "requestlog": {"retention_days": 10}}
    assert level(installation, "records.balancing", settings(**tables)) == "bad"


def test_the_history_lists_what_changed_and_passes_over_starts_that_changed_nothing(tmp_path: Path) -> None:
    control = Installation(tmp_path).control
    before, after = settings(), settings(requestlog={"retention_days": 30}, recipients=[HOST])
    for given in (before, before, after, after):
        record_start(control, SYSTEM, in_force(given))
    audit.record(
        control, OFFICER, "staff.roles", detail={"person": "anna", "roles": ["admin"], "before": ["viewer"]}
    )
    steps, older = history(control, before=None, limit=50)
    assert older == 0
    assert [(one.action, one.is_first) for one in steps] == [
        ("staff.roles", False),
        ("settings.in_force", False),
        ("settings.in_force", True),
    ]
    assert (steps[0].person, steps[0].roles, steps[0].before) == ("anna", ("admin",), ("viewer",))
    changes = {one.name: (one.old, one.new) for one in steps[1].settings}
    assert changes["requestlog.retention_days"] == ("90", "30")
    assert "Host SIA" in changes["recipients"][1]
    newest, older = history(control, before=None, limit=1)
    assert [one.number for one in newest] == [steps[0].number]
    assert [one.number for one in history(control, before=older, limit=5)[0]] == [one.number for one in steps[1:]]


def test_the_last_change_is_of_the_settings_that_it_concerns(tmp_path: Path) -> None:
    control = Installation(tmp_path).control
    assert last_change(control, lambda name: True) is None
    times = [
        record_start(control, SYSTEM, in_force(given)).time_us
        for given in (settings(), settings(requestlog={"retention_days": 30}), settings(keep={"audit": 400}))
    ]
    assert last_change(control, lambda name: name.startswith("requestlog.")) == times[2]
    assert last_change(control, lambda name: name.startswith("keep.")) == times[2]
    assert last_change(control, lambda name: name.startswith("consent.")) == times[0]
