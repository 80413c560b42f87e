from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from consentkit import audit
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.requestlog.record import Record
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings
from tests.serving import REPOSITORY

pytestmark = pytest.mark.server

Command = Callable[..., subprocess.CompletedProcess[str]]
WHY = ("--purpose", "security", "--reason", "a test", "--case", "C-7")
EXPORT = [str(Path(sys.executable).with_name("consentkit")), "log", "export", *WHY]

ATTACKER = "203.0.113.66"
FORGED = "203.0.113.99"
FORGERIES = [
    '" 401 0 "-" "',
    '\\" 401 0 \\"-\\" \\"',
    f'\n{FORGED} - - [23/Nov/2026:10:00:00 +0000] "POST /admin/login HTTP/1.1" 401 5 "-" "x',
    f'x"\r\n{FORGED} - - [23/Nov/2026:10:00:00 +0000] "POST /admin/login HTTP/1.1" 401 5 "-" "',
    f'" 200 5 "-" "-" {FORGED} - - [] "POST /admin/login HTTP/1.1" 401 5 "-" "',
    "x\\",
    "\\\\",
    "\u2028" + FORGED,
    "ž" * 40,
    "",
]


def record(
    url: str = "/",
    *,
    address: str = "192.0.2.7",
    method: str = "GET",
    status: int = 200,
    agent: str = "Mozilla/5.0",
    referrer: str = "",
) -> Record:
    now = time.time_ns() // 1000
    return Record(
        now, address, address, "peer", method, "https", "example.lv", url, 0, status, "complete", 5, 9, agent,
        referrer,
    )  # fmt: skip


@pytest.fixture
def spool(config: Path) -> Spool:
    settings = Settings.load(config)
    settings.storage.directory.mkdir()
    return Spool(settings.storage.directory, Keyring.open(settings.storage.keys, ()), max_bytes=2**30)


def audited(config: Path) -> list[audit.AuditEntry]:
    storage = Settings.load(config).storage
    with Control(storage.directory, Keyring.open(storage.keys, ())).transaction() as connection:
        return list(audit.entries(connection))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    folder = tmp_path / "copies"
    folder.mkdir()
    return folder


def test_json_is_what_a_search_prints(consentkit: Command, spool: Spool) -> None:
    for number in range(3):
        spool.append(record(f"/{number}"))
    exported = consentkit("log", "export", "--format", "json", *WHY)
    assert exported.returncode == 0, exported.stderr
    assert exported.stdout == consentkit("log", "search", "--json", *WHY).stdout
    assert len(exported.stdout.splitlines()) == 3


def test_a_file_is_whole_private_and_in_the_register(
    consentkit: Command, spool: Spool, config: Path, copies: Path
) -> None:
    spool.append(record("/a"))
    spool.append(record("/b", status=404))
    path = copies / "requests.csv"
    done = consentkit(
        "log", "export", "--format", "csv", "--output", str(path), "--status", "404", "--no-bot",
        "--for", "CERT.LV", "--destroy-by", "2999-12-31", *WHY,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert path.read_bytes().count(b"\r\n") == 2
    assert path.stat().st_mode & 0o7777 == 0o600
    assert names(copies) == ["requests.csv"]
    begun, page, made = audited(config)
    assert [begun.action, page.action, made.action] == ["log.export", "log.export.page", "copy.made"]
    assert json.loads(begun.detail) == {
        "format": "csv", "output": "file", "filters": {"bot": False, "status": ["404"]},
    }  # fmt: skip
    detail = json.loads(made.detail)
    assert (made.rows, detail["recipient"], detail["destroy_by"]) == (1, "CERT.LV", "2999-12-31")
    assert detail["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (detail["bytes"], detail["output"]) == (path.stat().st_size, str(path))
    for told in (f"Copy {made.number}:", detail["sha256"], "2999-12-31"):
        assert told in done.stderr


def test_an_export_of_nothing_is_a_copy_too(consentkit: Command, spool: Spool, config: Path) -> None:
    done = consentkit("log", "export", "--format", "csv", *WHY)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert [(entry.action, entry.rows) for entry in audited(config)] == [("log.export", 0), ("copy.made", 0)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--format", "json"), "--purpose"),
        (WHY, "--format"),
        (("--format", "xml", *WHY), "--format"),
        (("--format", "json", "--destroy-by", "2020-01-01", *WHY), "--destroy-by"),
        (("--format", "json", "--since", "yesterday", *WHY), "--since"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    consentkit: Command, spool: Spool, arguments: tuple[str, ...], told: str
) -> None:
    spool.append(record())
    done = consentkit("log", "export", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_file_that_exists_is_kept_and_nothing_is_read(
    consentkit: Command, spool: Spool, config: Path, copies: Path
) -> None:
    spool.append(record())
    (copies / "a").write_text("mine")
    done = consentkit("log", "export", "--format", "json", "--output", str(copies / "a"), *WHY)
    assert done.returncode == 2
    assert "there is a file already" in done.stderr
    assert (copies / "a").read_text() == "mine"
    assert audited(config) == []


def test_a_disk_that_refuses_leaves_no_half_file(spool: Spool, config: Path, copies: Path) -> None:
    for number in range(3000):
        spool.append(record(f"/{number}", agent="x" * 400))

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    done = subprocess.run(
        [*EXPORT, "--format", "json", "--output", str(copies / "a")],
        env={**os.environ, "CONSENTKIT_CONFIG": str(config)},
        preexec_fn=small_disk,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "File too large" in done.stderr
    assert f"{copies / 'a'} was not made" in done.stderr
    assert "Traceback" not in done.stderr
    assert names(copies) == []
    assert {entry.action for entry in audited(config)} == {"log.export", "log.export.page"}


def test_a_reader_that_goes_away_ends_it_quietly_and_is_in_the_register(spool: Spool, config: Path) -> None:
    for number in range(3000):
        spool.append(record(f"/{number}", agent="x" * 400))
    environment = {**os.environ, "CONSENTKIT_CONFIG": str(config)}
    command = [*EXPORT, "--format", "json"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["url"] == "/2999"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
    made = audited(config)[-1]
    assert (made.action, json.loads(made.detail)["is_whole"]) == ("copy.made", False)
    assert 1000 <= made.rows < 3000


def test_a_person_at_the_terminal_sees_rows_and_rate(spool: Spool, config: Path, copies: Path) -> None:
    for number in range(20):
        spool.append(record(f"/{number}"))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "CONSENTKIT_CONFIG": str(config), "TERM": "xterm", "COLUMNS": "100"}
    command = [*EXPORT, "--format", "json", "--output", str(copies / "a")]
    with subprocess.Popen(command, env=environment, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while data := _read(ours):
            seen += data
    os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"20 rows, [0-9,]+ a second", seen)
    assert b"Copy 3:" in seen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says EIO when the other end is closed
        return b""


# Readers that people use


@pytest.fixture
def brute_force(spool: Spool) -> list[Record]:
    """One address that tries passwords, among requests of others, some of which would like to be another."""
    innocent = [record(f"/page/{number}", address=f"192.0.2.{number}") for number in range(1, 40)]
    innocent += [record("/admin/login", method="POST", address="198.51.100.7", status=303)]
    innocent += [record("/admin/login", address="198.51.100.8", status=401)]
    innocent += [record(address="198.51.100.9", agent=text, status=401) for text in FORGERIES]
    innocent += [record("/" + text, address="198.51.100.10", status=401) for text in FORGERIES]
    innocent += [record(address="198.51.100.11", referrer=text) for text in FORGERIES]
    innocent += [record(address="", agent="no address"), record(address="2001:db8::7", status=101, method="")]
    innocent += [record("*", method="OPTIONS"), record("example.lv:443", method="CONNECT", status=405)]
    attack = [record("/admin/login", method="POST", address=ATTACKER, status=401) for _ in range(12)]
    everything = [*innocent, *attack]
    for one in everything:
        spool.append(one)
    return everything


# fail2ban as `make test` unpacks it: to install it would start a service that guards the machine's doors.
UNPACKED = REPOSITORY / ".venv" / "fail2ban" / "usr"


def exported(consentkit: Command, copies: Path) -> Path:
    path = copies / "requests.log"
    done = consentkit("log", "export", "--format", "combined", "--output", str(path), *WHY)
    assert done.returncode == 0, done.stderr
    return path


def test_goaccess_reads_every_line(consentkit: Command, brute_force: list[Record], copies: Path) -> None:
    goaccess = shutil.which("goaccess") or pytest.skip("needs goaccess: apt-get install goaccess")
    path = exported(consentkit, copies)
    subprocess.run(
        [
            goaccess, path, "--log-format=COMBINED", "--no-global-config", "--no-progress",
            "-o", copies / "report.json", f"--invalid-requests={copies / 'invalid'}",
        ],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        check=True,
        timeout=60,
    )  # fmt: skip
    report = json.loads((copies / "report.json").read_bytes())
    assert (copies / "invalid").read_text() == ""
    general = report["general"]
    assert (general["valid_requests"], general["failed_requests"]) == (len(brute_force), 0)
    hosts = {host["data"] for host in report["hosts"]["data"]}
    assert hosts == {one.client_address or "0.0.0.0" for one in brute_force}


@pytest.mark.parametrize(
    ("failregex", "expected"),
    [
        (r'^<HOST> - - \[\] "POST /admin/login HTTP/1\.1" 401 \d+', {ATTACKER}),
        (r'^<HOST> -.*"POST /admin/login[^"]*" 401', {ATTACKER}),
        (r'<HOST> \S+ \S+ \[[^\]]*\] "POST /admin/login[^"]*" 401', {ATTACKER}),
        (r'^<HOST> -.*"[^"]*" 401 \d+ "[^"]*" "[^"]*"$', {ATTACKER, *(f"198.51.100.{n}" for n in (8, 9, 10))}),
    ],
    ids=["documented", "loose", "not anchored", "every 401"],
)
def test_fail2ban_finds_the_attacker_alone(
    consentkit: Command, brute_force: list[Record], copies: Path, failregex: str, expected: set[str]
) -> None:
    fail2ban = shutil.which("fail2ban-regex")
    modules = ""
    if fail2ban is None and UNPACKED.is_dir():
        fail2ban, modules = str(UNPACKED / "bin" / "fail2ban-regex"), str(UNPACKED / "lib/python3/dist-packages")
    if fail2ban is None:
        pytest.skip("needs fail2ban: apt-get install fail2ban")
    path = exported(consentkit, copies)
    done = subprocess.run(
        [fail2ban, "--usedns", "no", "--datepattern", r"^[^\[]*\[({DATE})", "--out", "ip", path, failregex],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": modules},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert set(done.stdout.split()) == expected


def test_the_documented_filter_is_the_one_that_was_tried() -> None:
    document = (Path(__file__).parent.parent.parent / "docs/exports.md").read_text("utf-8")
    assert r'failregex = ^<HOST> - - \[\] "POST /admin/login HTTP/1\.1" 401 \d+' in document
    assert r"datepattern = ^[^\[]*\[({DATE})" in document
