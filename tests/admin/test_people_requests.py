"""People's requests in the admin area: by role, by deadline, step by step."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from consentkit.archive.subject import register
from consentkit.archive.subject.requests import find_request, today_utc
from tests.admin.area import Area, Client, run, text_of
from tests.archive.installation import DAY_US, MONDAY, WORKER, request

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

OFFICE = "198.51.100.9"
HIDDEN = "<script>alert(1)</script>"
BY_HAND = {
    "address": "192.0.2.7",
    "since": "2026-03-02",
    "until": "2026-03-02",
    "reason": "a bill of the provider",
}


async def entered(client: Client, kind: str = "export", **fields: str) -> str:
    """Enter a request and return the path of its page."""
    form = {"kind": kind, "received": today_utc().isoformat(), "reference": "letter 1", **fields}
    answer = await client.post("/people/new", form)
    assert answer.status_code == 303, text_of(answer)
    return str(answer.headers["location"]).removeprefix("/consentkit/admin").partition("?")[0]


def area_with_rows(folder: Path) -> Area:
    area = Area(folder)
    area.installation.store(
        request(MONDAY + 1, "/hers"),
        request(MONDAY + 2, "/others", address="192.0.2.8"),
        request(MONDAY + DAY_US + 1, "/later"),
    )
    return area


@pytest.mark.parametrize("role", ["viewer", "investigator", "admin"])
def test_only_officers_see_and_answer_requests(tmp_path: Path, role: str) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            made = await entered(await area.client("officer", OFFICE))
            client = await area.client(role)
            for path in ("/people", "/people/new", made, f"{made}/preview", f"{made}/recipients"):
                assert (await client.get(path)).status_code == 403, path
            for path in (
                "link",
                "identify",
                "export",
                "erase",
                "close",
                "extend",
                "restrict",
                "restrictions/1/lift",
            ):
                assert (await client.post(f"{made}/{path}", {})).status_code == 403, path
            assert find_request(area.installation.control, 1).state == "open"

    run(story)


def test_a_request_is_entered_listed_and_found_when_it_is_overdue(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer", OFFICE)
            long_ago = (today_utc() - timedelta(days=40)).isoformat()
            await entered(officer, "erase", received=long_ago, reference="late letter")
            await entered(officer, "export", reference="fresh letter")
            words = text_of(await officer.get("/people"))
            assert "late letter" in words
            assert "fresh letter" in words
            assert "overdue" in words
            only = text_of(await officer.get("/people?overdue=1"))
            assert "late letter" in only
            assert "fresh letter" not in only
            erasures = text_of(await officer.get("/people?kind=erase&state=open"))
            assert "fresh letter" not in erasures

    run(story)


def test_a_long_list_goes_on_by_its_last_number(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            for number in range(51):
                register.enter(
                    area.installation.control, WORKER, "export", reference=f"no-{number}-", received=today_utc()
                )
            officer = await area.client("officer", OFFICE)
            assert "no-0-" not in (first := await officer.get("/people")).text
            assert "?before=2" in first.text
            assert "no-0-" in (await officer.get("/people?before=2")).text
            assert (await officer.get("/people?before=x&kind=%00&state=%F0")).status_code == 200

    run(story)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("kind", "everything", id="no kind"),
        pytest.param("received", "yesterday", id="no date"),
        pytest.param("received", "2999-01-01", id="to come"),
        pytest.param("reference", " ", id="no reference"),
        pytest.param("grounds", "x" * 2001, id="too much"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field(tmp_path: Path, field: str, value: str) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer", OFFICE)
            form = {"kind": "object", "received": today_utc().isoformat(), "reference": HIDDEN, field: value}
            page = await officer.post("/people/new", form)
            assert page.status_code == 400
            assert "ck-error" in page.text
            assert HIDDEN not in page.text

    run(story)


def test_texts_of_a_request_are_shown_as_texts(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer", OFFICE)
            made = await entered(officer, "object", reference=HIDDEN, grounds=HIDDEN)
            await officer.post(f"{made}/identify", {**BY_HAND, "agent": HIDDEN, "reason": HIDDEN})
            window = {"restrict_since": "2026-03-02", "restrict_until": "2026-03-03"}
            form = {**window, "network": "192.0.2.7", "restrict_agent": HIDDEN, "restriction": HIDDEN}
            assert (await officer.post(f"{made}/restrict", form)).status_code == 303
            for path in (made, "/people", f"{made}/preview"):
                assert HIDDEN not in (await officer.get(path)).text
            closing = {"ending": "refused", "decision": HIDDEN}
            assert (await officer.post(f"{made}/close", closing)).status_code == 303
            assert HIDDEN not in (await officer.get(made)).text

    run(story)


def test_a_copy_is_shown_in_numbers_and_handed_over_with_its_person_s_rows_alone(tmp_path: Path) -> None:
    area = area_with_rows(tmp_path)

    async def story() -> None:
        async with area:
            officer = await area.client("officer", OFFICE)
            made = await entered(officer)
            assert (await officer.post(f"{made}/export", {"what": "requests"})).status_code == 409
            assert (await officer.post(f"{made}/identify", BY_HAND)).status_code == 303
            preview = await officer.get(f"{made}/preview")
            assert "2026-03-02" in preview.text
            assert "/hers" not in preview.text
            file = await officer.post(f"{made}/export", {"what": "requests", "language": "lv"})
            assert file.headers["content-disposition"] == 'attachment; filename="request-1-address.zip"'
            assert urls_in(file) == ["/hers"]
            assert find_request(area.installation.control, 1).copy > 0
            assert list((area.installation.directory / "exports").glob("*")) == []
            assert list(area.installation.keyring.names("export")) == []

    run(story)
    (planned,) = area.installation.audited("subject.planned")
    assert (planned.purpose, planned.case_id) == ("person", "request 1")
    assert "192.0.2.7" not in planned.detail
    assert area.installation.actions("copy.made") == ["copy.made"]


def urls_in(file: httpx.Response) -> list[str]:
    assert file.status_code == 200, text_of(file)
    with zipfile.ZipFile(io.BytesIO(file.content)) as held:
        lines = held.read("requests.ndjson").decode().splitlines()
        assert "language" in json.loads(held.read("manifest.json"))["about"]
    return [json.loads(line)["url"] for line in lines]


def test_others_behind_the_same_address_are_left_out_where_the_browser_is_named(tmp_path: Path) -> None:
    area = Area(tmp_path)
    colleague = msgspec.structs.replace(request(MONDAY + 2, "/colleague"), user_agent="Mozilla/5.0 colleague")
    area.installation.store(request(MONDAY + 1, "/hers"), colleague)

    async def story() -> None:
        async with area:
            officer = await area.client("officer", OFFICE)
            made = await entered(officer)
            await officer.post(f"{made}/identify", {**BY_HAND, "agent": "curl/8.0"})
            words = text_of(await officer.get(f"{made}/preview"))
            assert "1 request of the same address by other browsers is left out" in words
            assert "colleague" not in words
            file = await officer.post(f"{made}/export", {"what": "requests"})
            assert urls_in(file) == ["/hers"]

            erasure = await entered(officer, "erase")
            await officer.post(f"{erasure}/identify", {**BY_HAND, "agent": "curl/8.0"})
            assert (await officer.post(f"{erasure}/erase", {})).status_code == 303
            assert kept_urls(area) == ["/colleague"]

    run(story)


def test_erasing_leaves_certificates_and_can_t_be_done_for_what_was_not_asked(tmp_path: Path) -> None:
    area = area_with_rows(tmp_path)

    async def story() -> None:
        async with area:
            officer = await area.client("officer", OFFICE)
            copy = await entered(officer, "export")
            await officer.post(f"{copy}/identify", BY_HAND)
            assert (await officer.post(f"{copy}/erase", {})).status_code == 409
            made = await entered(officer, "erase")
            await officer.post(f"{made}/identify", BY_HAND)
            assert (await officer.post(f"{made}/export", {"what": "requests"})).status_code == 409
            assert (await officer.post(f"{made}/erase", {})).status_code == 303
            assert kept_urls(area) == ["/later", "/others"]
            number = find_request(area.installation.control, 2).certificate
            file = await officer.get(f"{made}/certificates/{number}")
            certificate = file.json()["certificate"]
            assert (certificate["action"], certificate["detail"]["places"][0]["erased"]) == ("subject.erased", 1)
            assert "192.0.2.7" not in file.text
            assert (await officer.get(f"{copy}/certificates/{number}")).status_code == 404
            assert (await officer.get(f"{made}/certificates/1")).status_code == 404

    run(story)


def test_a_decision_needs_its_reasons_and_closes_the_request_for_good(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer", OFFICE)
            made = await entered(officer, "object", grounds="My employer can see it.")
            assert (await officer.post(f"{made}/close", {"ending": "refused"})).status_code == 400
            assert (await officer.post(f"{made}/close", {"decision": "No."})).status_code == 400
            decision = {"ending": "refused", "decision": "Attacks from this network go on."}
            assert (await officer.post(f"{made}/close", decision)).status_code == 303
            words = text_of(await officer.get(made))
            assert "Attacks from this network go on." in words
            assert "My employer can see it." in words
            for path, form in (("close", decision), ("identify", BY_HAND), ("link", {}), ("restrict", {})):
                assert (await officer.post(f"{made}/{path}", form)).status_code == 409, path
            (entry,) = area.installation.audited("subject.request.closed")
            assert entry.actor == "officer"

    run(story)


def test_what_can_t_be_a_person_is_said_and_nothing_is_noted(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer", OFFICE)
            made = await entered(officer)
            for change in (
                {"address": "192.0.2.0/24"},
                {"until": "2026-03-01"},
                {"since": "soon"},
                {"until": "9999-12-31"},
                {"consent_id": "short"},
                {"reason": ""},
                {"address": ""},
            ):
                page = await officer.post(f"{made}/identify", {**BY_HAND, **change})
                assert page.status_code == 400, change
                assert "ck-error" in page.text
            assert find_request(area.installation.control, 1).identified == ""

    run(story)


@pytest.mark.parametrize("path", ["/people/2", "/people/99999999999999999999", "/people/2/preview"])
def test_a_request_that_is_not_there_is_404(tmp_path: Path, path: str) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer", OFFICE)
            assert (await officer.get(path)).status_code == 404
            assert (await officer.post("/people/2/link", {})).status_code == 404

    run(story)


def test_recipients_are_shown_and_handed_over_as_of_a_day(tmp_path: Path) -> None:
    area = Area(tmp_path)

    async def story() -> None:
        async with area:
            officer = await area.client("officer", OFFICE)
            made = await entered(officer, "recipients")
            assert "No recipient on this day" in text_of(await officer.get(f"{made}/recipients"))
            assert (await officer.get(f"{made}/recipients?on=never")).status_code == 400
            file = await officer.get(f"{made}/recipients?on=2026-01-01&as=json")
            assert file.json() == {"on": "2026-01-01", "recipients": []}

    run(story)


def test_a_link_is_shown_once_and_leads_to_the_visitor_s_page(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await area.client("officer", OFFICE)
            made = await entered(officer)
            page = await officer.post(f"{made}/link")
            (link,) = re.findall(r"https://www\.example\.lv(/consentkit/me/[0-9a-f]{40})", page.text)
            assert link not in (shown := await officer.get(made)).text
            assert "waits to be used" in shown.text
            assert (await area.stranger().http.get(link)).status_code == 200

    run(story)


def kept_urls(area: Area) -> list[str]:
    """What is kept of the site; the officer's own visits aside."""
    return [url for url in area.installation.urls() if not url.startswith("/consentkit/")]
