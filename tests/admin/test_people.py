"""The list of people: names, roles, and what the audit says of each change."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentkit.admin import staff
from consentkit.admin.people import BadPerson, People
from consentkit.admin.sessions import Sessions
from consentkit.audit import Actor
from tests.archive.installation import Installation, detail

OPERATOR = Actor("operator", "cli")


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def people(site: Installation) -> People:
    return People(site.control)


def test_a_person_is_found_however_the_name_is_capitalised(people: People) -> None:
    assert not people.exist()
    added = people.add(OPERATOR, "  Līga Bērziņa ", ["officer", "investigator"], "hash")
    assert added.name == "Līga Bērziņa"
    assert added.roles == {"investigator", "officer"}
    assert people.find("LĪGA bērziņa") == added
    assert people.exist()


def test_one_name_is_one_person(people: People) -> None:
    people.add(OPERATOR, "Straße", ["viewer"], "hash")
    with pytest.raises(BadPerson) as caught:
        people.add(OPERATOR, "STRASSE", ["viewer"], "hash")
    assert caught.value.fault == "taken"


@pytest.mark.parametrize(
    "name", ["", " ", "a" * 65, "-a", "a\nb", "a\x00b", "<b>", "a  b", "a/b", "a\u202eb", "x" * 10_000]
)
def test_a_name_that_could_be_taken_for_something_else_is_refused(name: str, people: People) -> None:
    with pytest.raises(BadPerson) as caught:
        people.add(OPERATOR, name, ["viewer"], "hash")
    assert caught.value.fault == "name"


@pytest.mark.parametrize("name", ["a", "a" * 64, "Анна-Мария", "j.berzins@example.lv", "O'Neil", "7"])
def test_names_of_people_are_taken(name: str) -> None:
    assert staff.clean_name(name) == name


def test_nobody_is_without_a_role(people: People) -> None:
    with pytest.raises(BadPerson) as caught:
        people.add(OPERATOR, "liga", [], "hash")
    assert caught.value.fault == "roles"
    assert people.find("liga") is None


def test_each_change_is_in_the_audit_without_the_hash(people: People, site: Installation) -> None:
    people.add(OPERATOR, "liga", ["viewer"], "the-hash")
    people.set_roles(OPERATOR, "LIGA", ["admin"])
    people.set_password(OPERATOR, "liga", "the-hash-2", is_temporary=True)
    people.remove(OPERATOR, "liga")
    entries = site.audited("staff.")
    assert [entry.action for entry in entries] == ["staff.add", "staff.roles", "staff.password", "staff.remove"]
    assert {entry.actor for entry in entries} == {"operator"}
    assert detail(entries[1]) == {"person": "liga", "roles": ["admin"], "before": ["viewer"]}
    assert "the-hash" not in "".join(entry.detail for entry in entries)


def test_who_is_removed_has_no_session_and_comes_back_as_the_same_person(
    people: People, site: Installation
) -> None:
    first = people.add(OPERATOR, "liga", ["viewer"], "hash")
    session_id = Sessions(site.control).begin("liga", "192.0.2.7")
    people.remove(OPERATOR, "liga")
    assert people.find("liga") is None
    assert people.secret_of("liga") is None
    assert Sessions(site.control).find(session_id) is None
    with pytest.raises(BadPerson):
        people.remove(OPERATOR, "liga")
    again = people.add(OPERATOR, "Liga", ["officer"], "hash")
    assert (again.number, again.name) == (first.number, "Liga")
    assert again.roles == {"officer"}


def test_the_last_administrator_is_known(people: People) -> None:
    people.add(OPERATOR, "liga", ["admin", "officer"], "hash")
    people.add(OPERATOR, "anna", ["officer"], "hash")
    assert people.is_last_admin("Liga")
    assert not people.is_last_admin("anna")
    people.add(OPERATOR, "janis", ["admin"], "hash")
    assert not people.is_last_admin("liga")


def test_another_password_ends_all_sessions_but_the_one_that_gave_it(people: People, site: Installation) -> None:
    people.add(OPERATOR, "liga", ["viewer"], "hash")
    sessions = Sessions(site.control)
    kept, ended = sessions.begin("liga", ""), sessions.begin("liga", "")
    found = sessions.find(kept)
    assert found is not None
    people.set_password(OPERATOR, "liga", "hash-2", keep_session=found.number)
    assert sessions.find(kept) is not None
    assert sessions.find(ended) is None
