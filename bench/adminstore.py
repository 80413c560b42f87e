"""A store as large as a busy site's: ninety sealed days, their statistics, an audit and rates, one person.

Owns how it is made in minutes. A few days are stored as the ingester stores them; the others are copies of those
under keys of their own: rows lie at times within their period, so that a copy is another day as it stands. The
digest of a copy is not its key's, so that it can't be verified, and need not be here.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import text

from bench.ingest import as_record
from bench.installation import make_installation
from bench.traffic import WORDS, traffic
from consentkit import audit
from consentkit.admin import passwords
from consentkit.admin.people import People
from consentkit.admin.roles import ROLES
from consentkit.archive.aggregate.hours import Aggregator
from consentkit.archive.holdings import Holdings
from consentkit.archive.period import Catalogue
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.sealing import seal
from consentkit.archive.store import Batch
from consentkit.control import Control, open_sqlcipher
from consentkit.control import period as period_table
from consentkit.crypto import Keyring
from consentkit.errors import ConsentKitError
from consentkit.requestlog.redact import Redactor
from consentkit.settings import Settings, read_secrets

if TYPE_CHECKING:
    from bench.traffic import Sample
    from consentkit.archive.period import Period

PERIODS: Final = 90
NAME: Final = "measurer"
PASSWORD: Final = "only for the measurement"
PAGE_ROWS: Final = 50

_ACTOR: Final = audit.Actor(NAME, "admin")
_LOOK: Final = audit.Look("security", "INC-7", "attempts at the sign-in")
_SETTINGS: Final = '[requestlog]\ningest = "external"\n'
_MADE_DAYS: Final = 6
_BATCH_ROWS: Final = 20_000
_AUDIT_ENTRIES: Final = 20_000
_DAY_US: Final = 86_400_000_000
_LANGUAGES: Final = ("lv", "ru", "en", "et", "lt")
_CATEGORIES: Final = ("", "preferences", "statistics", "marketing")
_ANSWERS: Final = (("accepted", 30), ("refused", 50), ("partly", 12), ("changed", 3), ("withdrawn", 2))


class BadStore(ConsentKitError):
    """Report a store that can't be measured on."""


class Made(msgspec.Struct, frozen=True):
    """What was made.

    Attributes:
        settings_file: of the installation.
        address: one that was there on the oldest day alone, and `rows`: how often.
        path: of a page that is asked for each day.
        agent: a word of an agent that few have.
        bytes: of the periods' files.
        seconds: that it took.
    """

    settings_file: Path
    address: str
    rows: int
    path: str
    agent: str
    bytes: int
    seconds: float


def make_store(folder: Path, *, rows: int, periods: int = PERIODS) -> Made:
    """Make an installation with so many requests in each of its periods, the last of them yesterday.

    Raises:
        BadStore: the made traffic has no address that fits on a page.
    """
    started = time.monotonic()
    settings_file = make_installation(folder)
    settings_file.write_text(settings_file.read_text("utf-8") + _SETTINGS, "utf-8")
    settings = Settings.load(settings_file)
    directory = settings.storage.directory
    (directory / "requests").mkdir(mode=0o700, parents=True)
    keyring = Keyring.open(settings.storage.keys, read_secrets(os.environ))
    holdings = Holdings.open(settings.storage, keyring, Control(directory, keyring))
    first_day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=periods)
    wanted = _fill(holdings, first_day, rows, periods)
    _count_rates(holdings.control, first_day, periods)
    _fill_audit(holdings.control)
    People(holdings.control).add(_ACTOR, NAME, ROLES, passwords.hash_password(PASSWORD))
    stored = sum(path.stat().st_size for path in (directory / "requests").iterdir())
    return Made(settings_file, *wanted, f"/shop/items/{WORDS[0]}*", "Zune", stored, time.monotonic() - started)


def _fill(holdings: Holdings, first_day: datetime, rows: int, periods: int) -> tuple[str, int]:
    """Store the days; return an address that was there on the oldest alone, and how often."""
    made = min(_MADE_DAYS, periods)
    address, times = "", 0
    for day in range(made):
        samples = traffic(rows, start=first_day + timedelta(days=day), seed=day + 1)
        if day == 0:
            # Those of RFC 3849 are drawn from so many that another day has others.
            address, times = Counter(one.address for one in samples if ":" in one.address).most_common(1)[0]
        _store(holdings, day, samples)
    if not 0 < times <= PAGE_ROWS:
        raise BadStore("the traffic has no address that fits on a page")
    Aggregator(holdings).run(time.time_ns() // 1000, budget_seconds=float("inf"))
    templates = Catalogue(holdings.control, "day").list()[-2::-1] if made > 1 else []
    for day in range(made, periods):
        template = templates[day % len(templates)]
        _copy(holdings, template, first_day + timedelta(days=day))
    return address, times


def _store(holdings: Holdings, day: int, samples: list[Sample]) -> None:
    redactor, resolvers = Redactor(("page",)), Resolvers(AgentResolver(), PlaceResolver(None, "country"))
    period = Catalogue(holdings.control, "day").period_of(samples[0].time_us)
    holdings.keyring.make(period.key_name)
    writer = holdings.rows.writer(period.place, resolvers)
    for first in range(0, len(samples), _BATCH_ROWS):
        part = enumerate(samples[first : first + _BATCH_ROWS], first)
        writer.add(Batch(f"{day:016x}", 1, [(number, as_record(sample, redactor)) for number, sample in part]))
        writer.commit()
    writer.close()
    seal(holdings, period, audit.SYSTEM)


def _copy(holdings: Holdings, template: Period, day: datetime) -> None:
    """Make another day of a sealed one, with a key of its own and the same statistics."""
    since_us = int(day.timestamp()) * 1_000_000
    copy = msgspec.structs.replace(
        template, name=day.strftime("%Y-%m-%d"), since_us=since_us, until_us=since_us + _DAY_US
    )
    file = holdings.directory / "requests" / copy.file_name
    shutil.copyfile(file.with_name(template.file_name), file)
    connection = open_sqlcipher(file, holdings.keyring.load(template.key_name))
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute(f"PRAGMA rekey = \"x'{holdings.keyring.make(copy.key_name).hex()}'\"")
    connection.close()
    shift_us = since_us - template.since_us
    oldest_us = None if template.oldest_us is None else template.oldest_us + shift_us
    values = {"shift": shift_us, "since": template.since_us, "until": template.until_us, "name": copy.name}
    with holdings.control.transaction() as connection_:
        row = msgspec.structs.asdict(msgspec.structs.replace(copy, oldest_us=oldest_us))
        connection_.execute(period_table.insert().values(row))
        connection_.execute(_SHIFT_COUNTS, values)
        connection_.execute(_SHIFT_HOURS, values)


_SHIFT_COUNTS: Final = text(
    "INSERT INTO aggregate (hour_us, dimension, value, requests)"
    " SELECT hour_us + :shift, dimension, value, requests FROM aggregate"
    " WHERE hour_us >= :since AND hour_us < :until"
)
_SHIFT_HOURS: Final = text(
    "INSERT INTO aggregate_hour (hour_us, period, generation, file_hash, lost)"
    " SELECT hour_us + :shift, :name, generation, file_hash, lost"
    " FROM aggregate_hour WHERE hour_us >= :since AND hour_us < :until"
)
_ADD_RATES: Final = text(
    "INSERT INTO consent_rate (day, language, category, kind, script, times)"
    " VALUES (:day, :language, :category, :kind, :script, :times)"
)


def _count_rates(control: Control, first_day: datetime, periods: int) -> None:
    days = [(first_day + timedelta(days=day)).strftime("%Y-%m-%d") for day in range(periods)]
    rows = [
        {"day": day, "language": language, "category": category, "kind": kind, "script": 1, "times": times}
        for day in days
        for language in _LANGUAGES
        for category in _CATEGORIES
        for kind, times in _ANSWERS
    ]
    with control.transaction() as connection:
        connection.execute(_ADD_RATES, rows)


def _fill_audit(control: Control) -> None:
    """Write what a year of looks comes to."""
    with control.transaction() as connection:
        for number in range(_AUDIT_ENTRIES):
            detail = {"filters": {"path": f"/articles/{number}*"}, "shown": number % PAGE_ROWS}
            audit.append(connection, _ACTOR, "log.search", look=_LOOK, detail=detail, rows=number % PAGE_ROWS)
