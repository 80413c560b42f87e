"""The search page: what it finds, what it hides, what it writes down, and where it goes on."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from click.testing import CliRunner

from consentkit.archive.exposure import exposures
from consentkit.archive.search import Archive
from consentkit.archive.store import Filters
from consentkit.cli.log import log
from consentkit.requestlog.record import Gap
from tests.admin.area import Area, Client, run, text_of
from tests.admin.search_area import FIREFOX, Shown, many, recent
from tests.archive.installation import RESOLVERS, detail

pytestmark = pytest.mark.custody

CONFIG = '[storage]\ndirectory = "data"\n[requestlog]\ningest = "external"\n'

FILTERS = [
    ("since=1h", []),
    ("since=1h&path=/p1", ["--path", "/p1"]),
    ("since=1h&path=/p*&status=4xx", ["--path", "/p*", "--status", "4xx"]),
    ("since=1h&status=404+500", ["--status", "404", "--status", "500"]),
    ("since=1h&address=203.0.113.2", ["--address", "203.0.113.2"]),
    ("since=1h&address=203.0.113.0/30,192.0.2.0/24", ["--address", "203.0.113.0/30", "--address", "192.0.2.0/24"]),
    ("since=1h&method=post", ["--method", "post"]),
    ("since=1h&host=WWW.example.lv", ["--host", "WWW.example.lv"]),
    ("since=1h&browser=Firefox", ["--browser", "Firefox"]),
    ("since=1h&device_type=pc&bot=no", ["--device-type", "pc", "--no-bot"]),
    ("since=1h&text=CURL", ["--text", "CURL"]),
    ("since=1h&outcome=client_gone", ["--outcome", "client_gone"]),
    ("since=1h&flag=quote&flag=sql", ["--flag", "quote", "--flag", "sql"]),
    ("since=1h&until=3m", ["--until", "3m"]),
]


def test_the_page_finds_the_rows_of_the_command_line_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "consentkit.toml").write_text(CONFIG, "utf-8")

    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(20), recent(5, "/gone", outcome="client_gone", query_flags=33))
        area.installation.spool(recent(9, "/spooled?q=REDACTED", query_flags=33))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # before the admin area's own requests
        async with area:
            client = await area.client("investigator")
            await client.look()
            found = []
            for query, options in FILTERS:
                until = query if "until" in query else f"{query}&until={now}"
                found.append(Shown(await client.get(f"/search?{until}")).request_ids)
                assert found[-1] == _of_command_line(tmp_path, ["--until", now, *options]), query
            assert sum(map(bool, found)) == len(FILTERS), "each filter finds something"
            assert len({tuple(page) for page in found}) >= 10, "and not all the same"

    run(story)


async def of_each(client: Client, page: httpx.Response | Shown, name: str) -> list[str]:
    """What the records of all rows say of a field; of one without a value nothing."""
    shown = page if isinstance(page, Shown) else Shown(page)
    return [value for one in shown.records for value in Shown(await client.get(one)).values(name)]


def test_one_request_has_a_page_that_is_written_down_and_hides_its_addresses(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(3), recent(2, "/one", client_address="203.0.113.77", referrer_host=""))
        async with area:
            client = await area.client("investigator")
            await client.look(case="C-7")
            listed = Shown(await client.get("/search?since=1h&path=/one"))
            page = await client.get(listed.records[0])
            assert (Shown(page).values("request_id"), Shown(page).values("url")) == (listed.request_ids, ["/one"])
            assert "113.77" not in page.text
            assert not Shown(page).values("referrer_host"), "what has no value is left out"
            entry = area.installation.audited("log.search")[-1]
            assert (entry.rows, entry.case_id) == (1, "C-7")
            (exposure,) = exposures(area.installation.control, _archive(area), [entry.number])
            assert [one.request_id for _, one in exposure.kept] == listed.request_ids
            ends = {name: Shown(page).hidden(name) for name in ("first", "last")}
            revealed = Shown(await client.post(Shown(page).action("/search/reveal"), ends))
            assert revealed.values("client_address") == ["203.0.113.77"]
            around = next(one for one in Shown(page).paths if one.startswith("/search?since=2"))
            assert listed.request_ids[0] in Shown(await client.get(around)).request_ids
            for at, status in (("2020-01-01T00:00:00Z", 404), ("", 400), ("x" * 5000, 400)):
                assert (await client.get(f"/search/row?at={at}")).status_code == status

    run(story)


def test_a_page_of_rows_stays_small(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(60))
        async with area:
            client = await area.client("investigator")
            await client.look()
            page = await client.get("/search?since=1h&path=/p*")
            assert len(Shown(page).request_ids) == 50
            assert len(page.content) < 80_000

    run(story)


def _of_command_line(folder: Path, options: list[str]) -> list[str]:
    config = ["--config", str(folder / "consentkit.toml"), "--purpose", "security", "--json"]
    done = CliRunner().invoke(log, ["search", *config, "--since", "1h", "--limit", "50", *options])
    assert done.exit_code == 0, done.output
    return [json.loads(line)["request_id"] for line in done.stdout.splitlines()]


def test_addresses_are_masked_everywhere_and_alike_ones_can_be_told(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(
            recent(1, "/h/a", client_address="203.0.113.77", peer_address="198.51.100.9"),
            recent(2, "/h/b", client_address="203.0.113.77"),
            recent(3, "/h/c", client_address="203.0.113.78"),
            recent(4, "/h/d", client_address="2001:db8:7:8::9"),
            recent(5, "/h/e", client_address=""),
        )
        async with area:
            client = await area.client("investigator")
            await client.look()
            page = await client.get("/search?since=1h&path=/h/*")
            assert await of_each(client, page, "client_address") == ["203.0.•.•"] * 3 + ["2001:db8:•"]
            for part in ("113.77", "113.78", "100.9", ":7:8", "198.51.100"):
                assert part not in page.text
            counted = await client.get("/search/top?since=1h&path=/h/*&by=address")
            assert "203.0.•.•" in counted.text
            assert "113.77" not in counted.text

    run(story)


def test_a_masked_address_leads_to_all_of_it_and_not_in_another_session(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(14))
        async with area:
            client = await area.client("investigator")
            await client.look()
            page = Shown(await client.get("/search?since=1h&path=/p*"))
            link = page.links("All of this address")[0]
            assert "203.0" not in link
            of_address = Shown(await client.get(link))
            assert len(of_address.request_ids) == 2
            assert page.request_ids[0] in of_address.request_ids
            assert detail(area.installation.audited("log.search")[-1])["filters"]["address"] == ["203.0.113.1/32"]  # type: ignore[index]
            other = await area.client("officer")
            again = await area.client("investigator")
            for stranger in (again, other):
                await stranger.look()
                refused = await stranger.get(link)
                assert refused.status_code == (400 if stranger is again else 403)
                assert "203.0.113" not in refused.text
                assert not Shown(refused).request_ids

    run(story)


def test_paths_and_agents_lead_to_all_of_them(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(12), recent(3, "/p0/more", user_agent="other/1"))
        async with area:
            client = await area.client("investigator")
            await client.look()
            page = Shown(await client.get("/search?since=1h&path=/p0&browser=Firefox"))
            of_path = Shown(await client.get(page.links("All of this path")[0]))
            assert {url.partition("?")[0] for url in await of_each(client, of_path, "url")} == {"/p0"}
            assert len(of_path.request_ids) == 4
            of_agent = Shown(await client.get(page.links("All of this agent")[0]))
            assert set(await of_each(client, of_agent, "user_agent")) == {FIREFOX}
            assert len(of_agent.request_ids) == 6

    run(story)


def test_addresses_are_shown_for_a_case_and_that_is_an_entry_of_its_own(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(60))
        async with area:
            client = await area.client("investigator")
            await client.look()
            query = "/search?since=1h&path=/p*"
            page = await client.get(query)
            assert "Name a case" in page.text
            ends = {"first": "", "last": ""}
            assert (await client.post("/search/reveal?since=1h", ends)).status_code == 409
            await client.look(case="C-7")
            shown = Shown(await client.get(query))
            area.installation.store(recent(0, "/p0"))  # the page's own rows are shown, whatever came
            ends = {name: shown.hidden(name) for name in ends}
            revealed = Shown(await client.post(shown.action("/search/reveal"), ends))
            assert revealed.request_ids == shown.request_ids
            assert set(revealed.values("client_address")) == {f"203.0.113.{one}" for one in range(1, 8)}
            entry = area.installation.audited("log.reveal")[-1]
            assert (entry.rows, entry.case_id, entry.purpose) == (50, "C-7", "security")
            (exposure,) = exposures(area.installation.control, _archive(area), [entry.number])
            assert [one.request_id for _, one in exposure.kept] == shown.request_ids
            assert "•" in (await client.get(query)).text, "a page of its own, and no other"

    run(story)


def _archive(area: Area) -> Archive:
    site = area.installation
    return Archive(site.settings, site.holdings, resolvers=RESOLVERS)


def test_pages_follow_each_other_while_requests_come_in(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(130))
        before = [row.request_id for _, row in _archive(area).search(Filters(), limit=0)]
        async with area:
            client = await area.client("investigator")
            await client.look()
            address, seen, pages = "/search?since=1h&path=/p*", [], []
            while address:
                page = Shown(await client.get(address))
                pages.append(page)
                seen += page.request_ids
                area.installation.store(recent(0, "/p0/new"))
                address = page.link("next")
            assert seen == before
            assert [len(page.request_ids) for page in pages] == [50, 50, 30]
            back = Shown(await client.get(pages[2].link("prev")))
            assert back.request_ids == pages[1].request_ids
            newest = Shown(await client.get(back.link("prev")))
            assert newest.request_ids == pages[0].request_ids
            above = Shown(await client.get(newest.link("prev")))
            assert await of_each(client, above, "url") == ["/p0/new"] * 3
            assert Shown(await client.get(above.link("next"))).request_ids == pages[0].request_ids

    run(story)


def test_a_search_that_its_time_ends_goes_on_without_loss_or_double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        """A clock that goes on by a tenth of a second whenever it is looked at."""

        now = 0.0

        def monotonic(self) -> float:
            self.now += 0.1
            return self.now

    async def story() -> None:
        area = Area(tmp_path)
        for day in range(12):
            area.installation.store(*(recent(day * 1440 + 5 + number, f"/p{number}") for number in range(4)))
        every = [row.request_id for _, row in _archive(area).search(Filters(path="/p*"), limit=0)]
        async with area:
            client = await area.client("investigator")
            await client.look()
            monkeypatch.setattr(
                "consentkit.archive.search.deadline.time", SimpleNamespace(monotonic=Clock().monotonic)
            )
            address, seen, told = "/search?since=30d&path=/p*", [], 0
            for _ in range(60):
                answer = await client.get(address)
                page = Shown(answer)
                seen += page.request_ids
                told += "Searched back to:" in answer.text
                address = page.link("next")
                if not address:
                    break
            assert seen == every
            assert told >= 2

    run(story)


UNREADABLE = [
    ("since=yesterday", "since", "yesterday"),
    ("since=999999w&until=foo", "until", "foo"),
    ("since=1h&until=2h", "until", "2h"),
    ("address=example.org", "address", "example.org"),
    ("address=~AAAA", "address", ""),
    ("address=~%C3%A4", "address", ""),
    ("status=99", "status", "99"),
    ("text=" + "x" * 601, "text", "x" * 601),
    ("path=/a&address=" + "+".join(["192.0.2.7"] * 21), "path", "/a"),
]


def test_a_value_that_cannot_be_read_is_told_at_its_field_and_nothing_is_lost(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("investigator")
            await client.look()
            for query, field, kept in UNREADABLE:
                answer = await client.get(f"/search?{query}&host=kept.example")
                page = Shown(answer)
                assert (answer.status_code, page.field(field)) == (400, kept), query
                assert page.field("host") == "kept.example"
                assert any(one.attributes.get("aria-invalid") == "true" for one in page.elements), query
                assert not page.request_ids
            assert {entry.rows for entry in area.installation.audited("log.search")} == {0}
            for damaged in ("before=x", "after=2026-13-01", "as_of=never"):
                assert (await client.get(f"/search?{damaged}")).status_code == 400
            assert (await client.get("/search/top?since=foo")).status_code == 400

    run(story)


def test_gaps_and_floods_stand_above_the_rows_of_their_time(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        first = recent(30)
        flood = Gap(first.time_us, first.time_us + 60_000_000, 12345, "sampled", "203.0.113.0/24")
        area.installation.store(*many(3), flood)  # type: ignore[arg-type] # the spool's own
        async with area:
            client = await area.client("investigator")
            await client.look()
            words = text_of(await client.get("/search?since=1h&path=/p*"))
            assert "Flood: 12,345 requests of 203.0.•.• were not kept." in words
            assert words.index("12,345") < words.index("/p0")
            assert "12,345" not in text_of(await client.get("/search?since=20m&path=/p*"))
            assert "12,345" in text_of(await client.get("/search/top?since=1h"))

    run(story)


def test_an_empty_page_says_so_and_is_in_the_audit_with_its_filters(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("investigator")
            assert (await client.get("/search")).headers["location"].startswith("/consentkit/admin/look?next=")
            await client.look()
            assert "No request matches" in text_of(
                await client.get("/search?since=1h&path=/none&address=192.0.2.9")
            )
            entry = area.installation.audited("log.search")[-1]
            asked = detail(entry)["filters"]
            assert asked == {"since": "1h", "path": "/none", "address": ["192.0.2.9/32"]}
            assert (entry.rows, entry.purpose, entry.actor) == (0, "security", "investigator")

    run(story)


def test_an_address_that_was_searched_for_does_not_come_into_our_own_log(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("investigator")
            await client.look()
            await client.get("/search?since=1h&address=203.0.113.99")
            page = Shown(await client.get("/search?since=1h&path=/consentkit/admin/search"))
            urls = await of_each(client, page, "url")
            assert urls[-1] == "/consentkit/admin/search?since=REDACTED&address=REDACTED"

    run(story)


def test_counts_lead_to_the_requests_behind_them(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(21))
        async with area:
            client = await area.client("investigator")
            await client.look()
            for by, behind in (("address", 3), ("path", 7), ("status", 7), ("agent", 11), ("device-type", 11)):
                answer = await client.get(f"/search/top?since=1h&path=/p*&by={by}")
                links = [one.attributes["href"] for one in Shown(answer).elements if one.name == "a"]
                last = [link.removeprefix("/consentkit/admin") for link in links if "/search?" in link][1]
                assert len(Shown(await client.get(last)).request_ids) == behind, by
            entry = area.installation.audited("log.top")[0]
            assert (entry.rows, entry.purpose) == (7, "security")
            assert detail(entry)["by"] == "address"

    run(story)


def test_the_chart_counts_what_the_rows_are(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(21))
        area.installation.spool(recent(1, "/p0"))
        async with area:
            client = await area.client("investigator")
            await client.look()
            answer = await client.get("/search/top?since=1h&path=/p0")
            bars = re.findall(r"<title>[0-9-]{10} [0-9:]{5}: ([0-9]+)</title>", answer.text)
            assert sum(map(int, bars)) == 8
            assert "<title>" in (await client.get("/search?since=1h")).text, "where a time alone is asked for"

    run(story)
