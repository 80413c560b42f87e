"""Exports from a search: ordered, waited for at any worker, taken along, registered, gone within the hour."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import stat
import time
from pathlib import Path

import httpx
import pytest

from consentkit import ConsentKit
from consentkit.archive.export.pending import FOLDER, KEPT_SECONDS, KEYS, PendingExports
from consentkit.crypto import Keyring
from tests.admin.area import ORIGIN, ROOT, STAFF, Area, Client, hashed, run, text_of
from tests.admin.search_area import many, recent
from tests.archive.installation import detail

pytestmark = pytest.mark.custody

TERMS = {"format": "json", "limit": "1000", "recipient": "The police", "destroy_by": "2099-01-31"}


async def ordered(client: Client, query: str, **terms: str) -> str:
    """Order an export; return its address when it is done."""
    answer = await client.post(f"/search/export?{query}", {**TERMS, **terms})
    assert answer.status_code == 303, text_of(answer)
    address = answer.headers["location"].removeprefix(ROOT)
    await done(client, address)
    return address


async def done(client: Client, address: str) -> httpx.Response:
    for _ in range(200):
        page = await client.get(address)
        if 'http-equiv="refresh"' not in page.text:
            return page
        await asyncio.sleep(0.05)
    raise AssertionError("the export does not come to its end")


def test_each_format_is_written_registered_and_handed_out(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(30), recent(2, "/=formula", user_agent="=HYPERLINK(1)", host="+host"))
        async with area:
            client = await area.client("officer")
            await client.look(case="C-7")
            for form in ("json", "ecs", "combined", "csv"):
                address = await ordered(client, "since=1h&host=www.example.lv&path=/p*", format=form)
                file = await client.get(f"{address}/file")
                assert "attachment" in file.headers["content-disposition"]
                lines = file.content.splitlines()
                assert len(lines) == 30 + (form == "csv")
                copy = detail(area.installation.audited("copy.made")[-1])
                assert copy["sha256"] == hashlib.sha256(file.content).hexdigest()
                assert (copy["recipient"], copy["destroy_by"], copy["rows"]) == ("The police", "2099-01-31", 30)
                again = await client.get(f"{address}/file")
                assert again.content == file.content, "a download that broke off can be begun again"
            (row,) = await _csv(client, "since=1h&host=%2Bhost")
            assert (row["host"], row["user_agent"]) == ("'+host", "'=HYPERLINK(1)")
            actions = area.installation.actions("log.export")
            assert actions.count("log.export.download") == 9
            assert {"log.export", "log.export.page", "log.export.order"} <= set(actions)

    run(story)


async def _csv(client: Client, query: str) -> list[dict[str, str]]:
    file = await client.get(await ordered(client, query, format="csv") + "/file")
    return list(csv.DictReader(io.StringIO(file.text)))


def test_a_masked_address_is_exported_in_full_and_the_limit_holds(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(30))
        area.people.add(STAFF, "both", ["investigator", "officer"], hashed())
        async with area:
            client = await area.client("both")
            await client.look()
            address = await ordered(client, "since=1h&path=/p*", limit="7")
            assert "As many as were asked for" in text_of(await client.get(address))
            rows = [json.loads(line) for line in (await client.get(f"{address}/file")).text.splitlines()]
            assert len(rows) == 7
            assert {row["client_address"] for row in rows} == {f"203.0.113.{one}" for one in range(1, 8)}

    run(story)


def test_another_worker_tells_of_it_and_another_person_does_not(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(3))
        area.people.add(STAFF, "second", ["officer"], hashed())
        async with area:
            client = await area.client("officer")
            await client.look()
            address = await ordered(client, "since=1h&path=/p*")
            second = await area.client("second")
            await second.look()
            for path in (address, f"{address}/file"):
                assert (await second.get(path)).status_code == 404
            assert (await second.post(f"{address}/remove")).status_code == 404
            worker = ConsentKit(area.installation.settings)
            app = worker.wrap(area.app)
            await worker.start()
            transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(
                transport=transport, base_url=ORIGIN, cookies=client.http.cookies
            ) as http:
                assert "Written: 3 requests." in text_of(
                    await Client(http).get(address, **{"accept-language": "en"})
                )
                assert (await Client(http).get(f"{address}/file")).status_code == 200
            await worker.stop()

    run(story)


def test_the_file_is_its_owners_alone_and_gone_when_asked_or_within_the_hour(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        area.installation.store(*many(3))
        folder = area.installation.directory / FOLDER
        async with area:
            client = await area.client("officer")
            await client.look()
            address = await ordered(client, "since=1h&path=/p*")
            await client.get(f"{address}/file")
            (file,) = folder.glob("*.sealed")
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            await client.post(f"{address}/remove")
            assert not file.exists()
            assert (await client.get(f"{address}/file")).status_code == 404
            assert "was removed from the server" in text_of(await client.get(address))
            await ordered(client, "since=1h&path=/p*")
            exports = PendingExports(area.installation.directory, area.installation.keyring)
            assert exports.sweep() == 0
            assert exports.sweep(now_s=time.time() + KEPT_SECONDS + 60) == 3
            assert list(folder.iterdir()) == []
            assert area.installation.keyring.names(KEYS) == []

    run(story)


@pytest.mark.parametrize("name", ["..%2F..%2Fdata", "x" * 22, "AAAA", "%00" * 22])
def test_a_name_that_was_not_given_out_is_not_there(name: str, tmp_path: Path) -> None:
    exports = PendingExports(
        tmp_path / "data", Keyring.open(tmp_path / "keys", ("a secret for tests of exports",))
    )
    (tmp_path / "data").mkdir()
    exports.begin()
    assert exports.find(name, "officer") is None


def test_terms_that_cannot_be_meant_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("officer")
            await client.look()
            for terms, words in (
                ({"format": "xml"}, "Choose a format."),
                ({"limit": "0"}, "A number from 1 to 1000000."),
                ({"limit": "9999999"}, "A number from 1 to 1000000."),
                ({"limit": "٣"}, "A number from 1 to 1000000."),
                ({"destroy_by": "2020-01-01"}, "This day is over."),
                ({"destroy_by": "soon"}, "This is no day."),
                ({"recipient": "x" * 201}, "At most 200 characters."),
            ):
                answer = await client.post("/search/export?since=1h", {**TERMS, **terms})
                assert (answer.status_code, words in text_of(answer)) == (400, True), terms
            assert (await client.post("/search/export?since=foo", TERMS)).status_code == 400
            assert area.installation.actions("log.export") == []

    run(story)


def test_an_investigator_may_not_export(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            client = await area.client("investigator")
            await client.look()
            assert "/search/export" not in (await client.get("/search?since=1h")).text
            assert (await client.get("/search/export")).status_code == 403
            assert (await client.post("/search/export", TERMS)).status_code == 403

    run(story)
