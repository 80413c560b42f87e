"""Control data on a real PostgreSQL: many hosts, an outage, and what an error may say."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from consentkit import audit
from consentkit.audit import SYSTEM
from consentkit.consent.ledgercheck import verify_decisions
from consentkit.control import Control, person
from consentkit.crypto import Keyring
from consentkit.errors import KeyUnavailable, StorageError
from tests.servers.postgresql import PASSWORD, PostgreSQL, serving

pytestmark = pytest.mark.server

# One host's process: so many entries of the audit and as many decisions, beside others that do the same.
HOST = """
import sys
from pathlib import Path
from consentkit import audit
from consentkit.audit import Actor
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision
from consentkit.control import Control
from consentkit.crypto import Keyring

data, keys, url, name, times = sys.argv[1:]
control = Control(Path(data), Keyring.open(Path(keys), ()), url)
for number in range(int(times)):
    audit.record(control, Actor(name, "system"), "host.wrote", detail={"number": number})
    answer = Decision(
        consent_id=name.ljust(22, "x"), granted="statistics" if number % 2 else "", denied="", method="api",
        revision=number + 1, locale="en", script=1,
    )
    record_decision(control, answer)
"""


def opened(tmp_path: Path, url: str) -> Control:
    return Control(tmp_path, Keyring.open(tmp_path / "keys", ()), url)


def holds(control: Control) -> bool:
    """Tell whether the whole chain of the audit does."""
    check = audit.Verification(control)
    for _ in check.walk():
        pass
    return check.report().is_good


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_that_write_at_once_write_one_chain(tmp_path: Path, postgresql_url: str, hosts: int) -> None:
    control, times = opened(tmp_path, postgresql_url), 12
    running = [
        subprocess.Popen(
            [sys.executable, "-c", HOST, tmp_path / f"host-{number}", tmp_path / "keys", postgresql_url,
             f"host-{number}", str(times)],
        )
        for number in range(hosts)
    ]  # fmt: skip
    assert [process.wait(120) for process in running] == [0] * hosts
    with control.transaction() as connection:
        found = [entry for entry in audit.entries(connection) if entry.action == "host.wrote"]
    assert len(found) == hosts * times
    assert len({entry.actor for entry in found}) == hosts
    assert [entry.number for entry in found] == sorted({entry.number for entry in found})
    assert holds(control)
    report = verify_decisions(control)
    assert (report.decisions, report.faults) == (hosts * times, ())


def test_a_host_with_keys_of_its_own_is_refused_and_makes_none(tmp_path: Path, postgresql_url: str) -> None:
    audit.record(opened(tmp_path, postgresql_url), SYSTEM, "some.thing")
    keyring = Keyring.open(tmp_path / "other-keys", ())
    with pytest.raises(KeyUnavailable, match="the keys folder that the others have"):
        Control(tmp_path, keyring, postgresql_url)
    assert not keyring.has("control/control")
    keyring.make("control/control")
    with pytest.raises(KeyUnavailable, match="is not this database's"):
        Control(tmp_path, keyring, postgresql_url)
    assert opened(tmp_path, postgresql_url).derive("x") == opened(tmp_path, postgresql_url).derive("x")


def test_an_error_holds_neither_values_nor_the_password(tmp_path: Path, postgresql_url: str) -> None:
    control = opened(tmp_path, postgresql_url)
    row = {"name": "Secret Person", "folded_name": "secret person", "roles": "", "password": "hash-of-hers"}
    zero = {"is_temporary": 0, "totp_step": 0, "created_us": 0, "password_us": 0, "changed_us": 0}
    with control.transaction() as connection:
        connection.execute(person.insert().values(**row, **zero))
    faults = []
    for statement in (
        person.insert().values(**row, **zero),
        text("SELECT CAST('secret person' AS bigint)"),
        text("SELECT 1 FROM nothing_such"),
    ):
        with pytest.raises(StorageError) as caught, control.transaction() as connection:
            connection.execute(statement)
        assert caught.value.__cause__ is None
        faults.append(str(caught.value))
    assert "UniqueViolation, 23505" in faults[0]
    assert "InvalidTextRepresentation, 22P02" in faults[1]
    assert 'relation "nothing_such" does not exist' in faults[2]
    assert not any(word in fault.lower() for fault in faults for word in ("secret", "hash-of-hers", PASSWORD))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda url: url.replace(PASSWORD, "wrong-password"), "password authentication failed"),
        (lambda url: f"{url}-not-there", "does not exist"),
        (lambda url: url.replace("127.0.0.1:", "127.0.0.1:1"), "OperationalError"),
        (lambda url: f"{url}?sslmode=require", "SSL"),
        (lambda url: f"{url}?sslmode=nonsense", "Error"),
        (lambda url: f"{url}?no_such_option=1", "Error"),
    ],
    ids=["password", "database", "port", "no TLS", "sslmode", "option"],
)
def test_a_server_that_refuses_is_told_without_its_url(
    tmp_path: Path, postgresql_url: str, change: Callable[[str], str], told: str
) -> None:
    with pytest.raises(StorageError, match=told) as caught:
        opened(tmp_path, change(postgresql_url))
    said = str(caught.value)
    assert PASSWORD not in said
    assert "wrong-password" not in said
    assert "127.0.0.1" not in said


def test_what_is_durable_is_so_whatever_the_server_is_set_to(tmp_path: Path) -> None:
    with serving(settings={"synchronous_commit": "off"}) as server:
        control = opened(tmp_path, server.url(server.make_database()))
        with control.transaction() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
            assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "10s"
            assert connection.execute(text("SHOW search_path")).scalar_one() == "consentkit, pg_temp"


def test_a_server_that_dies_in_a_transaction_leaves_nothing_of_it(tmp_path: Path) -> None:
    with serving(is_durable=True) as server:
        control = opened(tmp_path, server.url(server.make_database()))
        audit.record(control, SYSTEM, "was.kept")
        with pytest.raises(StorageError), control.transaction() as connection:  # noqa: PT012 - dies in it
            audit.append(connection, SYSTEM, "was.lost")
            server.crash()
        begun = time.monotonic()
        with pytest.raises(StorageError, match="refused"):
            audit.record(control, SYSTEM, "was.refused")
        assert time.monotonic() - begun < 10
        server.start()
        audit.record(control, SYSTEM, "went.on")
        with control.transaction() as connection:
            assert [entry.action for entry in audit.entries(connection)] == ["was.kept", "went.on"]
        assert holds(control)


def test_a_worker_keeps_one_connection_open_and_none_at_its_end(
    tmp_path: Path, postgresql: PostgreSQL, postgresql_url: str
) -> None:
    def open_now() -> int:
        with postgresql.connect() as connection:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
            row = connection.execute(asked, (postgresql_url.rpartition("/")[2],)).fetchone()
        return row[0] if row else -1

    control = opened(tmp_path, postgresql_url)
    for _ in range(3):
        with control.transaction(), control.reading():
            pass
    assert open_now() == 1
    control.close()
    deadline = time.monotonic() + 10
    while open_now() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert open_now() == 0
    audit.record(control, SYSTEM, "opens.again")


def test_rows_that_go_are_written_away_and_a_destroyed_installation_leaves_no_schema(
    tmp_path: Path, postgresql: PostgreSQL, postgresql_url: str
) -> None:
    control = opened(tmp_path, postgresql_url)
    audit.record(control, SYSTEM, "some.thing")
    row = {"name": "n", "folded_name": "n", "roles": "", "password": "p" * 500, "is_temporary": 0, "totp_step": 0}
    with control.transaction() as connection:
        connection.execute(person.insert().values(**row, created_us=0, password_us=0, changed_us=0))
    later = control.emptied([person])
    with later.reading() as connection:
        assert connection.execute(text("SELECT pg_relation_size('person')")).scalar_one() == 0
    assert holds(later)
    later.drop()
    with psycopg.connect(postgresql_url) as raw:
        assert raw.execute("SELECT to_regnamespace('consentkit')").fetchone() == (None,)


def test_without_the_driver_the_extra_is_named(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
sys.modules["psycopg"] = None
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import SettingsError
try:
    Control(Path(sys.argv[1]), Keyring.open(Path(sys.argv[2]), ()), "postgresql://u:secret@127.0.0.1/x")
except SettingsError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, tmp_path / "keys"], capture_output=True, text=True, check=True
    )
    assert "consentkit[postgresql]" in done.stdout
    assert "secret" not in done.stdout


def test_the_embedded_database_loads_no_driver(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from consentkit.control import Control
from consentkit.crypto import Keyring
Control(Path(sys.argv[1]), Keyring.open(Path(sys.argv[2]), ()))
print("psycopg" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, tmp_path / "keys"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
