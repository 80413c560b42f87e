from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from consentkit.archive.holdings import Holdings
from consentkit.archive.ingest import Ingester
from consentkit.archive.period import Catalogue
from consentkit.archive.resolve import AgentResolver, PlaceResolver, Resolvers
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters, FoundRequest
from consentkit.cli.filters import parse_time
from consentkit.control import Control
from consentkit.crypto import Keyring
from consentkit.errors import StorageError
from consentkit.requestlog.record import Gap, Record
from consentkit.requestlog.spool import Spool
from consentkit.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

DAY_US = 86_400_000_000
NOON = parse_time("since", "2026-11-23T12:00Z")
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/120.0.0.0 Safari/537.36"
)
ROBOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"


def record(
    time_us: int = NOON,
    *,
    address: str = "192.0.2.7",
    method: str = "GET",
    host: str = "www.example.lv",
    url: str = "/",
    flags: int = 0,
    status: int = 200,
    outcome: str = "complete",
    agent: str = CHROME,
    referrer: str = "",
) -> Record:
    assert outcome in ("complete", "client_gone", "app_error")
    return Record(
        time_us, address, "198.51.100.1", "peer", method, "https", host, url, flags, status,
        outcome, 512, 1500, agent, referrer,  # type: ignore[arg-type] # checked above
    )  # fmt: skip


RESOLVERS = Resolvers(AgentResolver(), PlaceResolver(None, "country"))


class Place:
    """An installation in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.from_mapping({"storage": {"directory": str(folder / "data")}}, base=folder)
        self.directory = self.settings.storage.directory
        self.directory.mkdir(exist_ok=True)
        self.keyring = Keyring.open(self.settings.storage.keys, ())
        self.control = Control(self.directory, self.keyring)

    @property
    def holdings(self) -> Holdings:
        return Holdings.open(self.settings.storage, self.keyring, self.control)

    def spool(self) -> Spool:
        return Spool(self.directory, self.keyring, max_bytes=2**30)

    def ingester(self) -> Ingester:
        return Ingester(self.holdings, Catalogue(self.control, "day"), RESOLVERS)

    def found(self, filters: Filters | None = None, *, limit: int = 0) -> list[FoundRequest]:
        archive = Archive(self.settings, self.holdings, resolvers=RESOLVERS)
        return [row for _, row in archive.search(filters or Filters(), limit=limit)]

    def urls(self, filters: Filters | None = None, *, limit: int = 0) -> list[str]:
        return [row.url for row in self.found(filters, limit=limit)]

    def segments(self) -> list[Path]:
        return sorted((self.directory / "spool").glob("*/[0-9]*"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def fill(place: Place, *records: Record | Gap) -> None:
    spool = place.spool()
    for one in records:
        spool.append(one)  # type: ignore[arg-type] # a gap is appended by the spool itself; here by hand
    spool.close()


def test_every_field_comes_back_with_what_was_resolved(place: Place) -> None:
    fill(place, record(url="/a?page=2&q=REDACTED", flags=1, referrer="example.org"))
    assert place.ingester().drain() == 1
    (found,) = place.found()
    assert found.time == "2026-11-23T12:00:00.000000Z"
    assert (found.client_address, found.peer_address, found.address_source) == (
        "192.0.2.7",
        "198.51.100.1",
        "peer",
    )
    assert (found.method, found.scheme, found.host) == ("GET", "https", "www.example.lv")
    assert (found.url, found.query_flags, found.referrer_host) == (
        "/a?page=2&q=REDACTED",
        ("quote",),
        "example.org",
    )
    assert (found.status, found.outcome, found.bytes_sent, found.duration_us) == (200, "complete", 512, 1500)
    assert (found.browser, found.os, found.device_type) == ("Chrome", "Windows", "pc")


def test_a_row_is_found_before_and_after_it_is_ingested(place: Place) -> None:
    fill(place, record(url="/a"))
    before = place.found()
    place.ingester().drain()
    assert place.found() == before
    assert len(before) == 1


def test_a_segment_is_deleted_when_all_of_it_is_stored(place: Place) -> None:
    fill(place, record())
    assert len(place.segments()) == 1
    place.ingester().drain()
    assert place.segments() == []


def test_a_segment_that_is_still_appended_to_is_read_and_kept(place: Place) -> None:
    spool, ingester = place.spool(), place.ingester()
    for number in range(3):
        spool.append(record(NOON + number, url=f"/{number}"))
        assert ingester.drain() == 1
    assert len(place.segments()) == 1
    assert place.urls() == ["/2", "/1", "/0"]


def test_what_was_applied_before_a_crash_is_not_applied_again(place: Place, tmp_path: Path) -> None:
    spool = place.spool()
    for number in range(100):
        spool.append(record(NOON + number, url=f"/{number}"))
    spool.close()
    (segment,) = place.segments()
    shutil.copy(segment, tmp_path / "copy")
    place.ingester().drain()
    segment.parent.mkdir(exist_ok=True)
    shutil.copy(tmp_path / "copy", segment)  # as if the crash came between commit and deletion
    place.ingester().drain()
    assert len(place.urls()) == len(set(place.urls())) == 100
    assert place.segments() == []


def test_records_go_to_the_period_of_their_own_time(place: Place) -> None:
    fill(place, record(NOON), record(NOON - DAY_US, url="/late"), record(NOON + DAY_US, url="/next"))
    place.ingester().drain()
    files = sorted(path.name for path in (place.directory / "requests").glob("*.db"))
    assert files == ["2026-11-22.1.db", "2026-11-23.1.db", "2026-11-24.1.db"]
    assert place.urls() == ["/next", "/", "/late"]


def test_requests_of_one_microsecond_all_stay(place: Place) -> None:
    fill(place, *(record(url=f"/{number}") for number in range(5)))
    other = place.spool()
    other.append(record(url="/other"))
    other.close()
    place.ingester().drain()
    assert len(place.urls()) == 6


def test_a_damaged_segment_costs_its_damaged_frame_alone(place: Place) -> None:
    fill(place, *(record(NOON + number, url=f"/{number}") for number in range(5)))
    (segment,) = place.segments()
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    place.ingester().drain()
    assert place.urls() == ["/4", "/3", "/1", "/0"]


def test_a_store_that_refuses_loses_nothing(place: Place) -> None:
    fill(place, record(NOON, url="/a"), record(NOON - DAY_US, url="/b"))
    (place.directory / "requests").mkdir()
    in_the_way = place.directory / "requests" / "2026-11-22.1.db"
    in_the_way.write_bytes(b"no database at all" * 400)
    Catalogue(place.control, "day").period_of(NOON - DAY_US)
    place.keyring.make("period/2026-11-22.1")
    ingester = place.ingester()
    with pytest.raises(StorageError, match=r"2026-11-22\.1\.db"):
        ingester.drain()
    ingester.close()
    in_the_way.unlink()
    place.ingester().drain()
    assert sorted(place.urls()) == ["/a", "/b"]


def test_the_key_of_a_worker_that_has_ended_is_destroyed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.archive.spoolreader._SETTLED_SECONDS", -1.0)
    fill(place, record())
    ingester = place.ingester()
    ingester.drain()
    assert place.keyring.names("worker") == []
    assert list((place.directory / "spool").iterdir()) == []


def test_the_key_of_a_worker_that_lives_is_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.archive.spoolreader._SETTLED_SECONDS", -1.0)
    spool = place.spool()
    spool.append(record())
    place.ingester().drain()
    assert len(place.keyring.names("worker")) == 1


def test_no_plain_text_lies_on_the_disk(place: Place) -> None:
    needles = ["192.0.2.7", "/some/secret-place", "Googlebot", "www.example.lv"]
    spool, ingester = place.spool(), place.ingester()
    for number in range(50):
        spool.append(record(NOON + number, url="/some/secret-place", agent=ROBOT))
    ingester.drain()
    spool.append(record(NOON + 99, url="/some/secret-place", agent=ROBOT))
    content = b"".join(path.read_bytes() for path in place.directory.rglob("*") if path.is_file())
    assert len(content) > 10_000
    assert [needle for needle in needles if needle.encode() in content] == []


ROWS = [
    record(NOON, address="192.0.2.7", url="/a", status=200),
    record(NOON + 1, address="192.0.2.8", url="/admin/login", method="POST", status=401),
    record(NOON + 2, address="2001:db8::5", url="/admin/x?q=REDACTED", flags=0b101, status=404, agent=ROBOT),
    record(NOON + 3, address="", url="/[odd]", host="shop.example.lv", status=500, outcome="app_error"),
    record(NOON + 4, address="198.51.100.9", url="/b", status=499, outcome="client_gone", referrer="example.org"),
]


@pytest.fixture(scope="module", params=[True, False], ids=["stored", "in the spool"])
def searched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The rows in a place of their own, which no test changes."""
    place = Place(tmp_path_factory.mktemp("searched"))
    fill(place, *ROWS)
    if request.param:
        place.ingester().drain()
    return place


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (Filters(), [4, 3, 2, 1, 0]),
        (Filters(since_us=NOON + 3), [4, 3]),
        (Filters(until_us=NOON + 1), [0]),
        (Filters(networks=("192.0.2.7/32",)), [0]),
        (Filters(networks=("192.0.2.0/24", "2001:db8::/32")), [2, 1, 0]),
        (Filters(path="/admin/*"), [2, 1]),
        (Filters(path="/?"), [4, 0]),
        (Filters(path="/[odd]"), [3]),
        (Filters(host="SHOP.example.lv"), [3]),
        (Filters(method="post"), [1]),
        (Filters(statuses=((400, 499),)), [4, 2, 1]),
        (Filters(statuses=((200, 200), (500, 599))), [3, 0]),
        (Filters(outcome="app_error"), [3]),
        (Filters(flags=0b100), [2]),
        (Filters(flags=0b110), []),
        (Filters(device_type="bot"), [2]),
        (Filters(is_bot=False), [4, 3, 1, 0]),
        (Filters(browser="chrome"), [4, 3, 1, 0]),
        (Filters(text="ADMIN"), [2, 1]),
        (Filters(text="googlebot"), [2]),
        (Filters(text="example.org"), [4]),
        (Filters(text="q=red"), [2]),
        (Filters(text="%"), []),
    ],
)
def test_each_filter_finds_its_rows_newest_first(searched: Place, filters: Filters, numbers: list[int]) -> None:
    assert searched.urls(filters) == [ROWS[number].url for number in numbers]


def test_pages_go_on_where_the_last_ended(place: Place) -> None:
    fill(place, *(record(NOON + number % 7, url=f"/{number}") for number in range(40)))
    fill(place, *(record(NOON - DAY_US + number, url=f"/y{number}") for number in range(20)))
    place.ingester().drain()
    fill(place, *(record(NOON + number % 7, url=f"/s{number}") for number in range(40)))
    archive = Archive(place.settings, place.holdings)
    everything = [row.request_id for _, row in archive.search(Filters(), limit=0)]
    paged: list[str] = []
    cursor = None
    while page := list(archive.search(Filters(), limit=7, before=cursor)):
        cursor = page[-1][0]
        paged += [row.request_id for _, row in page]
    assert paged == everything
    assert len(set(everything)) == 100
