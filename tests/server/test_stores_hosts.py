"""Two hosts, each with a data directory of its own, that share the keys and one PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg
import pytest

from tests.admin.area import FORM, ROOT
from tests.conftest import SITE
from tests.server.stores import Host, Visitor, Where, database, said, wait_for
from tests.servers.postgresql import PostgreSQL
from tests.serving import Server

pytestmark = pytest.mark.server

APP = "tests.server.sites:plain"
WHY = ("--purpose", "operation")
PASSWORD = "a password for tests"
NEW_COOKIE = """
[[consent.cookies]]
name = "more"
category = "statistics"
purpose = "Counts more"
lifetime_days = 30
"""


class Pair(NamedTuple):
    """Both hosts, running.

    Attributes:
        first, second: the hosts.
        one, two: their sites.
    """

    first: Host
    second: Host
    one: Server
    two: Server


def make_host(folder: Path, where: Where, keys: Path, more: str = "") -> Host:
    folder.mkdir()
    config = folder / "consentkit.toml"
    config.write_text(SITE.format(proxies='["127.0.0.1/32"]') + more, "utf-8")
    return Host(folder, where, config=config, keys=keys)


@pytest.fixture(scope="module")
def pair(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("hosts")
    with database(postgresql) as where:
        first, second = (make_host(folder / name, where, folder / "keys") for name in ("first", "second"))
        with first.serve(APP, workers=1) as one, second.serve(APP, workers=1) as two:
            yield Pair(first, second, one, two)
            assert said(one, two) == ""


def moved_to(visitor: Visitor, server: Server, address: str) -> Visitor:
    """The same browser at the other host, as a balancer sends it."""
    other = Visitor(server, address)
    other.cookies = httpx.Cookies(visitor.cookies)
    return other


def test_a_choice_made_at_one_is_known_at_the_other(pair: Pair) -> None:
    with Visitor(pair.one, "192.0.2.10") as visitor:
        visitor.choose("accept")
        with moved_to(visitor, pair.two, "192.0.2.10") as same:
            assert same.get("/seen").json()["allowed"]["statistics"] is True
            receipt = same.get("/consentkit/receipt.json")
            same.choose("reject")
        assert visitor.consent_id in receipt.text
        answers = [host.rows("consent", "show", visitor.consent_id, *WHY) for host in (pair.first, pair.second)]
    assert answers[0] == answers[1]
    assert [one["granted"] for one in answers[0]] == [["preferences", "statistics"], []]


def test_requests_of_both_are_found_from_either(pair: Pair) -> None:
    for server, path in ((pair.one, "/page/one"), (pair.two, "/page/two")):
        with Visitor(server, "192.0.2.11") as visitor:
            assert visitor.get(path).status_code == 200

    def found(host: Host) -> list[str]:
        return [row["url"] for row in host.rows("log", "search", *WHY, "--address", "192.0.2.11")]

    for host in (pair.first, pair.second):
        wait_for(lambda host=host: found(host) == ["/page/two", "/page/one"], "both are stored")  # type: ignore[misc]
    report = pair.second.rows("log", "verify")
    assert [row["good"] for row in report] == [True] * len(report)


def test_one_of_them_leads(pair: Pair) -> None:
    with psycopg.connect(pair.first.where.owner) as connection:
        held = connection.execute(
            "SELECT mode, count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid IS NOT NULL"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " GROUP BY classid, objid, objsubid, mode"
        ).fetchall()
    assert ("ExclusiveLock", 1) in held
    assert ("ShareLock", 2) in held


def test_who_signed_in_at_one_is_signed_in_at_the_other_and_out_of_both(pair: Pair) -> None:
    done = pair.first.run("admin", "add", "liga", "--role", "viewer", "--password-stdin", given=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    one, two = (
        httpx.Client(base_url=server.url + ROOT, headers=FORM, timeout=30) for server in (pair.one, pair.two)
    )
    with one, two:
        form = {"name": "liga", "password": PASSWORD}

        def is_open() -> bool:
            # Whether there is anybody yet is asked once in a while.
            return one.post("/sign-in", data=form).status_code == 303

        wait_for(is_open, "the admin area opens")
        two.cookies = httpx.Cookies(one.cookies)
        assert two.get("/").status_code == 200
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert two.post("/sign-out", content=b"", headers=kind).status_code == 303
        assert one.get("/").status_code == 303


def test_a_policy_that_one_brings_is_asked_for_by_both_and_no_grant_is_lost(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    with database(postgresql) as where:
        keys = tmp_path / "keys"
        old = make_host(tmp_path / "old", where, keys)
        new = make_host(tmp_path / "new", where, keys, NEW_COOKIE)
        with old.serve(APP, workers=1) as before, Visitor(before, "192.0.2.10") as visitor:
            visitor.choose("accept")
            with new.serve(APP, workers=1) as after, moved_to(visitor, after, "192.0.2.10") as same:
                # What was added is asked for; till then it is not given.
                assert same.get("/seen").json()["allowed"] == {"preferences": True, "statistics": False}
                same.choose("accept")
                assert same.get("/seen").json()["allowed"]["statistics"] is True
                # A host that still knows the older policy honours the newer choice.
                with moved_to(same, before, "192.0.2.10") as back:
                    assert back.get("/seen").json()["allowed"]["statistics"] is True
                shown = new.rows("consent", "show", same.consent_id, *WHY)
            assert [one["revision"] for one in shown] == [1, 2]
        report = old.rows("log", "verify")
        assert [row["good"] for row in report] == [True] * len(report)
