"""An installation with evidence in it, for tests that tamper with it, and the hands that do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy import text

from consentkit import audit
from consentkit.archive.caretaker import Caretaker
from consentkit.archive.destruction import finish_rewrite
from consentkit.archive.evidence import (
    LogReport,
    LogVerification,
)
from consentkit.archive.retention import Retention
from consentkit.archive.sealing import seal
from consentkit.archive.store.places import Head
from consentkit.archive.store.sqlite.digest import digest_key, store_head
from consentkit.archive.store.sqlite.recompute import recomputed_heads
from consentkit.archive.truncation import truncate
from consentkit.audit import SYSTEM, Anchor, AuditEntry, chain_hash
from consentkit.control import open_sqlcipher
from tests.archive.installation import (
    DAY_US,
    DAYS,
    HOUR_US,
    MONDAY,
    WORKER,
    Installation,
    request,
)

GONE, SEALED, CUT, OPEN = DAYS

ROOT_FILES = ("root.key", "secret")
ROOT = shutil.ignore_patterns(*ROOT_FILES)


def write(site: Installation, day: int, *urls: str) -> None:
    """Store requests of a day as an ingester does that keeps house, each in a batch of its own."""
    ingester = site.ingester()
    caretaker = Caretaker(
        site.holdings, 90, release=ingester.release, written=ingester.written, now_us=lambda: MONDAY
    )
    for number, url in enumerate(urls):
        site.spool(request(MONDAY + day * DAY_US + number * HOUR_US, url))
        ingester.drain()
        caretaker.stop()
    ingester.close()


def make(folder: Path) -> Installation:
    """Make a destroyed, a sealed, a truncated and an open period, all with their heads noted."""
    site = Installation(folder)
    for day in range(4):
        write(site, day, f"/a{day}", f"/b{day}", f"/c{day}")
    for name in (GONE, SEALED, CUT):
        seal(site.holdings, site.period(name), SYSTEM)
    Retention(site.holdings, 10, SYSTEM).run(MONDAY + 10 * DAY_US)
    cut(site, CUT)
    return site


def cut(site: Installation, name: str) -> None:
    """Truncate a period, and destroy the generation before."""
    truncate(site.holdings, site.period(name), SYSTEM, wait_seconds=1)
    finish_rewrite(site.holdings, site.period(name), SYSTEM, wait_seconds=1)


def verify(site: Installation, *anchors: Anchor) -> LogReport:
    return LogVerification(site.holdings, anchors).run()


def faults(site: Installation, *anchors: Anchor) -> dict[str, str]:
    return {fault.place: fault.reason for fault in verify(site, *anchors).bad}


def anchor(site: Installation) -> Anchor:
    with site.control.transaction() as connection:
        return audit.present_anchor(connection, "")


def file(site: Installation, name: str) -> Path:
    return site.file(site.period(name).place)


def sql(site: Installation, name: str, *statements: str, is_restated: bool = False) -> None:
    """Change a period's rows by somebody who has its key; on demand its own digest too."""
    key = site.keyring.load(site.period(name).key_name)
    connection = open_sqlcipher(file(site, name), key)
    for statement in statements:
        connection.execute(statement)
    if is_restated:
        *_, head = Head(0, b""), *recomputed_heads(connection, digest_key(key))
        store_head(connection, head)
    connection.close()


def control(site: Installation, *statements: str) -> None:
    with site.control.transaction() as connection:
        for statement in statements:
            connection.execute(text(statement))


def rechain(site: Installation, change: Callable[[list[AuditEntry]], list[AuditEntry]]) -> None:
    """Write the audit anew so that each entry follows from the one before."""
    entries = change(site.audited())
    before = audit.CHAIN_START
    with site.control.transaction() as connection:
        connection.execute(text("DELETE FROM audit"))
        for number, entry in enumerate(entries, 1):
            fresh = msgspec.structs.replace(entry, number=number, previous_hash=before, hash="")
            fresh = msgspec.structs.replace(fresh, hash=chain_hash(fresh))
            columns = ", ".join(fresh.__struct_fields__)
            marks = ", ".join(f":{name}" for name in fresh.__struct_fields__)
            connection.execute(
                text(f"INSERT INTO audit ({columns}) VALUES ({marks})"), msgspec.structs.asdict(fresh)
            )
            before = fresh.hash


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def key_file(site: Installation, name: str, generation: int = 1) -> Path:
    return site.keyring.folder / "period" / f"{name}.{generation}.key"


# What somebody did, and in which place the verification finds what.


def change_a_row(site: Installation, name: str) -> None:
    sql(site, name, "UPDATE request SET result = 1616 WHERE batch = 2", is_restated=True)


def put_the_database_back(site: Installation) -> None:
    older = (site.directory / "control.db").read_bytes()
    audit.record(site.control, WORKER, "log.search")
    for path in site.directory.glob("control.db*"):
        path.unlink()
    (site.directory / "control.db").write_bytes(older)
    site.open()


def rename_actors(entries: list[AuditEntry]) -> list[AuditEntry]:
    return [msgspec.structs.replace(entry, actor="nobody") for entry in entries]


def destroy_all(site: Installation) -> None:
    Retention(site.holdings, 1, SYSTEM).run(MONDAY + 90 * DAY_US, confirmed_by="liga")
