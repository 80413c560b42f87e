"""Locks over all processes of an installation: files beside the embedded database, sessions on PostgreSQL."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from consentkit.control import Busy, Control
from consentkit.crypto import Keyring

if TYPE_CHECKING:
    from tests.control.conftest import OpenControl
    from tests.servers.postgresql import PostgreSQL


@pytest.mark.parametrize("name", ["retention", "period/2026-11-23.1"])
def test_one_is_alone_or_many_share(open_control: OpenControl, name: str) -> None:
    first, second = open_control(), open_control()
    with first.lock(name, exclusive=True, wait_seconds=0) as held:
        assert held.is_held
        for exclusive in (True, False):
            with pytest.raises(Busy, match="another process"):
                second.lock(name, exclusive=exclusive, wait_seconds=0)
        with pytest.raises(Busy):  # also within one process
            first.lock(name, exclusive=True, wait_seconds=0)
        second.lock("another", exclusive=True, wait_seconds=0).release()
    assert not held.is_held
    shared = [each.lock(name, exclusive=False, wait_seconds=0) for each in (first, second)]
    with pytest.raises(Busy):
        second.lock(name, exclusive=True, wait_seconds=0)
    for each in shared:
        each.release()
    second.lock(name, exclusive=True, wait_seconds=0).release()


def test_who_waits_has_it_as_soon_as_it_is_free(open_control: OpenControl) -> None:
    first, second = open_control(), open_control()
    held = first.lock("leader", exclusive=True, wait_seconds=0)
    threading.Timer(0.3, held.release).start()
    begun = time.monotonic()
    with second.lock("leader", exclusive=True, wait_seconds=20) as got:
        assert got.is_held
    assert 0.2 < time.monotonic() - begun < 10
    held.release()  # twice is once


def test_who_waits_in_vain_is_told_after_his_time(open_control: OpenControl) -> None:
    first, second = open_control(), open_control()
    with first.lock("leader", exclusive=True, wait_seconds=0):
        begun = time.monotonic()
        with pytest.raises(Busy, match=r"0\.3 s"):
            second.lock("leader", exclusive=False, wait_seconds=0.3)
        assert 0.25 < time.monotonic() - begun < 5
    second.lock("leader", exclusive=True, wait_seconds=0.3).release()


@pytest.mark.parametrize("name", ["", "../up", "a/../b", "A", "a/b/c", "a\0", "a" * 65, "/a", "a/"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    control = Control(tmp_path, Keyring.open(tmp_path / "keys", ()))
    with pytest.raises(ValueError, match="lock's name"):
        control.lock(name, exclusive=True, wait_seconds=0)


@pytest.mark.server
def test_a_lock_is_lost_with_its_connection_and_says_so(
    postgresql: PostgreSQL, postgresql_url: str, tmp_path: Path
) -> None:
    control = Control(tmp_path, Keyring.open(tmp_path / "keys", ()), postgresql_url)
    held = control.lock("leader", exclusive=True, wait_seconds=0)
    assert held.is_held
    with postgresql.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'consentkit' AND datname = %s",
            (postgresql_url.rpartition("/")[2],),
        )
    with control.lock("leader", exclusive=True, wait_seconds=5) as other:
        assert not held.is_held
        held.release()
        assert other.is_held


@pytest.mark.server
def test_a_lock_that_outlasts_what_it_was_taken_from_leaves_no_connection_behind(
    postgresql: PostgreSQL, postgresql_url: str, tmp_path: Path
) -> None:
    before = postgresql.count_connections()
    control = Control(tmp_path, Keyring.open(tmp_path / "keys", ()), postgresql_url)
    for _ in range(2):
        held = control.lock("leader", exclusive=True, wait_seconds=0)
        control.lock("hosts", exclusive=True, wait_seconds=0).release()
        control.close()
        assert held.is_held
        postgresql.wait_until_connected(before + 1)
        held.release()
        postgresql.wait_until_connected(before)


@pytest.mark.server
def test_a_lock_is_had_though_the_idle_connections_broke(
    postgresql: PostgreSQL, postgresql_url: str, tmp_path: Path
) -> None:
    control = Control(tmp_path, Keyring.open(tmp_path / "keys", ()), postgresql_url)
    for _ in range(2):
        both = [control.lock(name, exclusive=True, wait_seconds=0) for name in ("leader", "hosts")]
        for each in both:
            each.release()
        with postgresql.connect() as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE query LIKE '%%unlock_all%%' AND datname = %s",
                (postgresql_url.rpartition("/")[2],),
            ).fetchall()
        assert ended == [(True,), (True,)]
    with control.lock("leader", exclusive=True, wait_seconds=0) as held:
        assert held.is_held
        with pytest.raises(Busy):
            control.lock("leader", exclusive=True, wait_seconds=0)


@pytest.mark.server
def test_taking_a_lock_and_letting_go_of_it_are_one_question_each(
    postgresql: PostgreSQL, postgresql_url: str, tmp_path: Path
) -> None:
    control = Control(tmp_path, Keyring.open(tmp_path / "keys", ()), postgresql_url)
    with postgresql.connect() as connection:
        name = sql.Identifier(postgresql_url.rpartition("/")[2])
        connection.execute(sql.SQL("ALTER DATABASE {} SET log_statement = 'all'").format(name))
    control.lock("leader", exclusive=False, wait_seconds=5).release()
    said = postgresql.folder / "output"
    before = said.stat().st_size
    control.lock("leader", exclusive=False, wait_seconds=5).release()
    with said.open("rb") as log:
        log.seek(before)
        asked = [line for line in log.read().decode().splitlines() if "statement:" in line or "execute" in line]
    assert len(asked) == 2, asked
    assert "try_advisory_lock_shared" in asked[0]
    assert "advisory_unlock_all" in asked[1]
