"""What leaves as a file: no formula in a spreadsheet, no markup in a document, no name that is more than one."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from consentkit.admin.roles import ROLES
from tests.admin.area import PASSWORD, STAFF, Area, Client, hashed, run, text_of
from tests.admin.forms import Shown, walk
from tests.admin.hostile import EVERYTHING, PAYLOAD, fill, markup_taken
from tests.admin.robot import fill_in

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.custody

_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_DISPOSITION: Final = re.compile(r'attachment; filename="[A-Za-z0-9][A-Za-z0-9._-]*"')
_FORMULA: Final = "=+-@\t\r＝＋－＠"
_WAITS: Final = 100


def formulas_in(content: bytes) -> list[str]:
    """Return the cells that a spreadsheet computes, read with a comma and with a semicolon between cells."""
    text = content.decode("utf-8-sig")
    cells = [
        cell
        for mark in (",", ";")
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        for cell in row
    ]
    begun = [cell.lstrip(' "\n') for cell in cells]
    return [cell for cell in begun if cell.startswith(tuple(_FORMULA)) and not _NUMBER.fullmatch(cell)]


def faults_of(answer: httpx.Response) -> list[str]:
    """Return what is wrong with a download: its header, and each file in it."""
    name = answer.headers["content-disposition"]
    faults = [] if _DISPOSITION.fullmatch(name) else [f"its header is {name!r}"]
    if answer.headers["x-content-type-options"] != "nosniff":
        faults.append("its type can be guessed")
    for member, content in _members(name, answer.content):
        if member.endswith(".csv"):
            faults += [f"{member}: {cell[:60]}" for cell in formulas_in(content)]
        elif member.endswith((".html", ".svg")):
            faults += [f"{member}: {taken}" for taken in markup_taken(content.decode())]
        if member.startswith("/") or ".." in member:
            faults.append(f"a file in it is called {member!r}")
    return faults


def _members(name: str, content: bytes) -> list[tuple[str, bytes]]:
    if content[:4] != b"PK\x03\x04":
        return [(name.removesuffix('"'), content)]
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        return [(one.filename, bundle.read(one)) for one in bundle.infolist()]


def is_file(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and "content-disposition" in answer.headers


async def export(client: Client, path: str, form: dict[str, str]) -> httpx.Response:
    """Order an export and wait for its file."""
    ordered = await client.post(path, form)
    assert ordered.status_code == 303, text_of(ordered)
    wait = ordered.headers["location"].removeprefix("/consentkit/admin")
    for _ in range(_WAITS):
        links = Shown((await client.get(wait)).text, wait).links
        if file := next((link for link in links if link.endswith("/file")), ""):
            return await client.get(file)
        await asyncio.sleep(0.1)
    raise AssertionError(f"{path} made no file")


def test_every_file_is_harmless_whatever_was_recorded(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        fill(area.installation, area.people)
        async with area:
            client = await area.client(EVERYTHING)
            await client.look("incident", reason=PAYLOAD, case="INC-1")
            files = {}
            orders = {"limit": "100", "recipient": PAYLOAD, "destroy_by": "", "confirm-password": PASSWORD}
            for kind in ("csv", "json", "ecs", "combined"):
                files[kind] = await export(client, "/search/export?since=7d", {**orders, "format": kind})
            files["audit"] = await client.post("/audit/export", {"format": "csv", "recipient": PAYLOAD})
            files["audit.json"] = await client.post("/audit/export", {"format": "json", "recipient": PAYLOAD})
            found = await walk(client)
            bundle = next(form for _, form in found.forms() if form.path == "/incidents/1/export")
            files["incident"] = await export(client, bundle.path, {**bundle.sent(), "recipient": PAYLOAD})
            for address in found.files:
                files[address] = await client.get(address)
            for sent in await fill_in(client, found, PAYLOAD):
                files[sent.path] = sent.answer
            told = {name: faults_of(answer) for name, answer in files.items() if is_file(answer)}
            assert set(told) >= {"csv", "json", "ecs", "combined", "audit", "audit.json", "incident"}
            assert {name: faults for name, faults in told.items() if faults} == {}
            assert b"canary-x" in files["csv"].content  # else it holds nothing to be feared
            assert b"canary-x" in files["audit"].content

    run(story)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"a,=1+1\r\n", ["=1+1"]),
        (b'a," @SUM(1)"\r\n', ["@SUM(1)"]),
        (b"a,x;=1+1\r\n", ["=1+1"]),
        (b"a,-5,+x,\xef\xbc\x9d1\r\n", ["+x", "＝1"]),
        (b"a,'=1+1,b\r\n", []),
    ],
    ids=["plain", "quoted", "behind a semicolon", "numbers and wide signs", "made harmless"],
)
def test_a_formula_would_be_found(line: bytes, found: list[str]) -> None:
    assert list(dict.fromkeys(formulas_in(line))) == found


@pytest.mark.parametrize(
    "name", ["%2e%2e", "..%2f..%2fcontrol.db", "%2fetc%2fpasswd", "x.csv", "control.db", "a%00b"]
)
def test_a_file_is_fetched_by_the_name_that_was_given_out_and_no_other(name: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            area.people.add(STAFF, EVERYTHING, ROLES, hashed())
            client = await area.client(EVERYTHING)
            await client.look()
            paths = [f"/search/export/{name}", f"/incidents/1/export/{name}", f"/consent/policies/texts/{name}"]
            for path in [*paths, *(f"{each}/file" for each in paths), f"/records/{name}"]:
                answer = await client.get(path)
                assert answer.status_code in (303, 400, 404), path
                assert "content-disposition" not in answer.headers
                assert b"SQLite" not in answer.content

    run(story)
