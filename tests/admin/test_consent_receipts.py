"""Receipts in the admin area: shown for a reason, written down first, checked; and files that come in."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from consentkit.admin.decisions import decisions_of
from consentkit.admin.upload import MAX_FILE_BYTES
from consentkit.consent.decision import Decision
from consentkit.consent.ledger import record_decision, register_policy
from consentkit.consent.ledgerpruning import prune_decisions
from consentkit.consent.receipts import make_receipt
from tests.admin.area import FORM, ROOT, Area, Client, run, text_of
from tests.admin.test_consent_upload import BOUNDARY, multipart
from tests.archive.installation import WORKER, Installation, detail
from tests.consent.proofs import POLICY, shown

custody = pytest.mark.custody

ID = "A" * 22
OTHER_ID = "B" * 22
MINUTE = 29_400_000


def decide(installation: Installation, count: int = 1, consent_id: str = ID) -> None:
    register_policy(installation.control, POLICY, lambda _old, _new: frozenset())
    for number in range(count):
        record_decision(
            installation.control,
            Decision(
                consent_id=consent_id,
                granted="statistics,+vimeo",
                denied="marketing",
                method="banner",
                revision=1,
                locale="lv",
                script=number % 2,
                minute=MINUTE + number * 60,
            ),
            shown=shown(),
        )


def sql(installation: Installation, statement: str) -> None:
    with installation.control.transaction() as connection:
        connection.execute(text(statement))


async def send(client: Client, content: bytes, path: str = "/consent/verify") -> httpx.Response:
    headers = {**FORM, "content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    return await client.http.post(ROOT + path, content=multipart("receipt", content), headers=headers)


async def looking(area: Area) -> Client:
    officer = await area.client("officer")
    await officer.look("person")
    return officer


@custody
def test_only_officers_see_decisions(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        decide(area.installation)
        async with area:
            for role in ("viewer", "investigator", "admin"):
                client = await area.client(role)
                await client.look("person")
                answers = [
                    await client.get("/consent/receipts"),
                    await client.post("/consent/receipts", {"consent_id": ID}),
                    await client.post("/consent/receipts/file", {"consent_id": ID}),
                    await client.get("/consent/verify"),
                ]
                assert [answer.status_code for answer in answers] == [403] * 4
                assert all("marketing" not in answer.text.lower() for answer in answers)
                assert "/consent/receipts" not in (await client.get("/consent")).text
        assert not area.installation.audited("consent.show")

    run(story)


@custody
def test_a_purpose_is_asked_for_first(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        decide(area.installation)
        async with area:
            officer = await area.client("officer")
            assert (await officer.get("/consent/receipts")).headers["location"].startswith(f"{ROOT}/look?next=")
            asked = await officer.post("/consent/receipts", {"consent_id": ID})
            assert "Marketing" not in asked.text
            look = {"look-purpose": "person", "look-reason": "asked by mail", "look-case": "P-7"}
            page = await officer.post("/consent/receipts", {"consent_id": ID, **look})
        assert "Marketing" in page.text
        entry = area.installation.audited("consent.show")[-1]
        assert (entry.purpose, entry.case_id, entry.rows) == ("person", "P-7", 1)
        assert detail(entry)["consent_id"] == ID

    run(story)


@custody
def test_decisions_are_shown_oldest_first_with_what_proves_them(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        decide(area.installation, 2)
        decide(area.installation, 1, OTHER_ID)
        async with area:
            page = text_of(await (await looking(area)).post("/consent/receipts", {"consent_id": ID}))
        assert "2 decisions, oldest first" in page
        assert page.index("no. 1 ") < page.index("no. 2, after no. 1")
        assert "no. 3" not in page
        assert "Statistics and vimeo" in page
        assert page.count("Holds") == 2
        assert "by a plain form" in page
        assert "with a script" in page

    run(story)


DAMAGES = {
    "content": ("UPDATE decision SET granted = 'marketing' WHERE number = 2", "changed"),
    "signature": ("UPDATE decision SET signature = x'00' WHERE number = 2", "unsigned"),
    "before": ("DELETE FROM decision WHERE number = 1", "unlinked"),
    "after": ("UPDATE decision SET previous_hash = 'x' WHERE number = 3", "unlinked"),
    "gone after": ("UPDATE decision SET number = 4 WHERE number = 3", "unlinked"),
    "text": ("UPDATE shown_text SET snapshot = x'7b7d'", "forged"),
    "policy": ("DELETE FROM policy", "forged"),
}


@custody
@pytest.mark.parametrize(("damage", "state"), DAMAGES.values(), ids=DAMAGES)
def test_a_decision_that_does_not_hold_is_found(tmp_path: Path, damage: str, state: str) -> None:
    installation = Installation(tmp_path)
    for consent_id in (OTHER_ID, ID, OTHER_ID):
        decide(installation, 1, consent_id)

    def states() -> list[str]:
        page = decisions_of(installation.control, installation.keyring, ID, operator="")
        return [row.state for row in page.rows]

    assert states() == ["good"]
    sql(installation, damage)
    assert states() == [state]


@custody
def test_rows_that_were_let_go_break_no_chain(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    decide(installation, 1, OTHER_ID)
    decide(installation)
    prune_decisions(installation.control, WORKER, now_minute=MINUTE + 14_400, keep_days=1, lifetime_days=1)
    decide(installation)
    page = decisions_of(installation.control, installation.keyring, ID, operator="")
    assert [row.state for row in page.rows] == ["good"]


@custody
def test_a_fault_is_told_on_the_page(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        decide(area.installation)
        sql(area.installation, "UPDATE decision SET denied = '' WHERE number = 1")
        async with area:
            page = text_of(await (await looking(area)).post("/consent/receipts", {"consent_id": ID}))
        assert "Not all of it holds. consentkit audit verify" in page
        assert "Was changed" in page

    run(story)


@custody
def test_many_decisions_are_paged_by_form(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        decide(area.installation, 53)
        async with area:
            officer = await looking(area)
            first = await officer.post("/consent/receipts", {"consent_id": ID})
            rest = await officer.post("/consent/receipts", {"consent_id": ID, "after": "50"})
            forged = await officer.post("/consent/receipts", {"consent_id": ID, "after": "-1 OR 1=1"})
        assert 'name="after" value="50"' in first.text
        assert [page.text.count("no. ") for page in (first, rest)] == [50 + 49, 3 + 3]
        assert forged.text.count("no. ") == 50 + 49
        assert [entry.rows for entry in area.installation.audited("consent.show")] == [50, 3, 50]

    run(story)


FORGED = ("", "A" * 21, "A" * 23, "' OR 1=1 --", "<script>alert(1)</script>", "Ā" * 22, "A" * 21 + "\n")


@custody
def test_what_is_no_id_is_refused_and_not_written_down(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer = await looking(area)
            for forged in FORGED:
                page = await officer.post("/consent/receipts", {"consent_id": forged})
                file = await officer.post("/consent/receipts/file", {"consent_id": forged})
                assert (page.status_code, file.status_code) == (400, 404)
                assert "This is no consent id" in text_of(page)
                assert "<script>alert" not in page.text
        assert not area.installation.audited("consent.show")

    run(story)


@custody
def test_an_unknown_id_gets_kind_words(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            page = await (await looking(area)).post("/consent/receipts", {"consent_id": OTHER_ID})
        assert page.status_code == 200
        assert "No decision is kept under this id Who never agreed to anything has none." in text_of(page)
        assert area.installation.audited("consent.show")[-1].rows == 0

    run(story)


@custody
def test_a_receipt_is_handed_out_and_holds_where_it_comes_back(tmp_path: Path) -> None:
    async def story() -> None:
        area = Area(tmp_path)
        decide(area.installation, 3)
        async with area:
            officer = await looking(area)
            file = await officer.post("/consent/receipts/file", {"consent_id": ID})
            assert file.headers["content-disposition"] == 'attachment; filename="receipt.json"'
            assert detail(area.installation.audited("consent.show")[-1])["receipt"] is True
            good = text_of(await send(officer, file.content))
            changed = text_of(await send(officer, file.content.replace(b"marketing", b"marketinh", 1)))
            other = text_of(await send(officer, b'{"receipt": "\xff<script>"}'))
        assert "It holds." in good
        assert good.index("no. 3") < good.index("no. 1")
        assert "It does not hold. The receipt is not signed by a key of the site" in changed
        assert "It does not hold. It is no receipt of consentkit" in other
        assert [detail(each)["good"] for each in area.installation.audited("consent.verify")] == [
            True,
            False,
            False,
        ]

    run(story)


@custody
def test_a_receipt_of_another_site_does_not_hold(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "other").mkdir()
        other = Installation(tmp_path / "other")
        decide(other)
        theirs = make_receipt(other.control, ID, operator="<b>SIA</b>")
        assert theirs is not None
        (tmp_path / "ours").mkdir()
        async with Area(tmp_path / "ours") as area:
            page = await send(await looking(area), theirs)
        assert "It is from another site than these keys." in page.text
        assert "<b>SIA" not in page.text

    run(story)


@custody
def test_files_are_bounded_and_taken_by_one_page_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with Area(tmp_path) as area:
            officer, viewer = await looking(area), await area.client("viewer")
            assert (await send(officer, b"")).status_code == 400
            assert (await send(officer, bytes(MAX_FILE_BYTES))).status_code == 200
            assert (await send(officer, bytes(MAX_FILE_BYTES + 1))).status_code == 413
            assert (await send(officer, bytes(2 * MAX_FILE_BYTES))).status_code == 413
            assert (await send(officer, b"x", "/consent/receipts")).status_code == 415
            assert (await send(viewer, b"x")).status_code == 415
            assert (await send(area.stranger(), b"x")).status_code == 415
            foreign = {"sec-fetch-site": "cross-site", "content-type": f"multipart/form-data; boundary={BOUNDARY}"}
            sent = await officer.http.post(
                f"{ROOT}/consent/verify", content=multipart("receipt", b"x"), headers=foreign
            )
            assert sent.status_code == 403

    run(story)
