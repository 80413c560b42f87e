"""What entries say of a period that several hosts write: each has a chain of its own, and a seal is over all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consentkit import audit
from consentkit.archive.evidence.heads import WrittenHead, note_heads
from consentkit.archive.evidence.replay import Expected, Replay
from consentkit.archive.leading import Leading, no_other_host
from consentkit.archive.store.places import Head, Noted
from consentkit.audit import SYSTEM
from tests.archive.installation import DAYS, Installation, detail

if TYPE_CHECKING:
    from pathlib import Path

RIGA, TARTU = "a" * 16, "b" * 16


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def wrote(site: Installation, lane: str, batch: int, digest: str, *, generation: int = 1) -> None:
    head = Head(batch, bytes.fromhex(digest * 32), lane)
    note_heads(site.control, SYSTEM, {DAYS[0]: WrittenHead(generation, head)})


def say(site: Installation, action: str, **said: object) -> None:
    audit.record(site.control, SYSTEM, f"period.{action}", detail={"period": DAYS[0], "generation": 1, **said})


def played(site: Installation) -> Expected:
    replay = Replay()
    for entry in site.audited():
        replay.take(entry)
    return replay.periods[DAYS[0]]


def test_each_lane_has_its_heads_and_may_be_behind_the_other(site: Installation) -> None:
    wrote(site, RIGA, 7, "11")
    wrote(site, TARTU, 2, "22")
    wrote(site, RIGA, 8, "33")
    expected = played(site)
    assert expected.faults == []
    assert expected.noted == {
        (RIGA, 7): Noted("11" * 32, 1),
        (TARTU, 2): Noted("22" * 32, 2),
        (RIGA, 8): Noted("33" * 32, 3),
    }


@pytest.mark.parametrize(("batch", "digest"), [(1, "33"), (2, "33")], ids=["an earlier batch", "another head"])
def test_a_lane_that_goes_another_course_is_told(site: Installation, batch: int, digest: str) -> None:
    wrote(site, RIGA, 2, "11")
    wrote(site, TARTU, 2, "22")
    wrote(site, RIGA, batch, digest)
    assert played(site).faults == ["entry 3 notes another course of its rows than the entries before"]


def test_a_seal_over_several_lanes_notes_no_head_and_forgets_none(site: Installation) -> None:
    wrote(site, RIGA, 1, "11")
    wrote(site, TARTU, 1, "22")
    say(site, "sealed", rows=2, file_hash="cc", batch=0, head="")
    wrote(site, TARTU, 2, "33")  # written before the seal, and noted after
    expected = played(site)
    assert (expected.state, expected.faults) == ("sealed", [])
    assert sorted(expected.noted) == [(RIGA, 1), (TARTU, 1), (TARTU, 2)]


def test_what_was_written_anew_has_the_one_head_that_its_entry_names(site: Installation) -> None:
    wrote(site, RIGA, 1, "11")
    say(site, "sealed", rows=1, file_hash="cc", batch=0, head="")
    fresh = {"generation": 2, "rows": 1, "file_hash": "dd", "replaces_file_hash": "cc"}
    say(site, "truncated", **fresh, batch=1, head="ee" * 32)
    assert played(site).noted == {("", 1): Noted("ee" * 32, 3)}


def test_one_writer_has_no_lane_in_its_entries(site: Installation) -> None:
    wrote(site, "", 1, "11")
    (entry,) = site.audited("period.head")
    heads = [{"period": DAYS[0], "generation": 1, "batch": 1, "head": "11" * 32}]
    assert detail(entry) == {"heads": heads}


def test_an_embedded_installation_has_one_host_which_leads(site: Installation) -> None:
    leading = Leading(site.control)
    leading.renew()
    leading.release()
    assert leading.leads
    with no_other_host(site.control):
        leading.attend()
