"""What answers count as, and how pages with the banner are counted on their way."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.choice import Consent
from consentkit.consent.outcomes import WHOLE, OutcomeKind, outcomes
from consentkit.consent.showings import FOLDER, KEPT_DAYS, Showing, Showings, ShowingsFile, Shown

CATEGORIES = ("preferences", "statistics")
LETTERS = {"preferences": "p", "statistics": "s"}
DAY_S = 86_400
TODAY = 20_780
ANSWERS = st.sampled_from("01-")


def consent(answers: str, *services: str) -> Consent:
    """Return a consent: for each category 1 granted, 0 denied, - undecided."""
    given_ = dict(zip(CATEGORIES, answers, strict=True))
    return Consent(
        frozenset(name for name, answer in given_.items() if answer == "1"),
        frozenset(name for name, answer in given_.items() if answer == "0"),
        CATEGORIES,
        frozenset(services),
    )


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        ("--", "11", "whole accepted, p accepted, s accepted"),
        ("--", "00", "whole refused, p refused, s refused"),
        ("--", "01", "whole partly, p refused, s accepted"),
        ("00", "01", "whole changed, s changed"),
        ("00", "11", "whole changed, p changed, s changed"),
        ("11", "00", "whole withdrawn, p withdrawn, s withdrawn"),
        ("11", "10", "whole withdrawn, s withdrawn"),
        ("10", "01", "whole changed, p withdrawn, s changed"),
        ("1-", "11", "whole accepted, s accepted"),
        ("1-", "10", "whole partly, s refused"),
        ("1-", "00", "whole refused, p withdrawn, s refused"),
        ("0-", "01", "whole partly, s accepted"),
        ("0-", "00", "whole refused, s refused"),
        ("0-", "11", "whole accepted, p changed, s accepted"),
        ("--", "-1", "whole partly, s accepted"),
        ("--", "--", ""),
        ("10", "10", ""),
    ],
)
def test_an_answer_counts_as_what_it_moves(before: str, after: str, counted: str) -> None:
    found = outcomes(consent(before), consent(after), CATEGORIES)
    assert ", ".join(f"{LETTERS.get(each.category, 'whole')} {each.kind}" for each in found) == counted


def test_allowing_one_service_moves_no_category() -> None:
    assert outcomes(consent("--"), consent("--", "video"), CATEGORIES) == ()
    assert outcomes(consent("00", "video"), consent("00"), CATEGORIES) == ()


@given(st.tuples(ANSWERS, ANSWERS), st.tuples(ANSWERS, ANSWERS))
def test_each_answer_counts_once_as_a_whole_and_once_for_each_category_it_moves(
    before: tuple[str, str], after: tuple[str, str]
) -> None:
    found = outcomes(consent("".join(before)), consent("".join(after)), CATEGORIES)
    names = [each.category for each in found]
    assert len(set(names)) == len(names)
    assert names.count(WHOLE) == bool(names[1:])
    assert all(each.kind != "partly" for each in found if each.category != WHOLE)


@given(st.lists(st.sampled_from(["".join(pair) for pair in itertools.product("01", repeat=2)]), max_size=8))
def test_the_counts_of_a_visitor_add_up_to_what_the_visitor_allows(answers: list[str]) -> None:
    granted = dict.fromkeys(CATEGORIES, 0)
    moves: dict[OutcomeKind, int] = {"accepted": 1, "changed": 1, "withdrawn": -1, "refused": 0}
    for before, after in itertools.pairwise(["--", *answers]):
        for each in outcomes(consent(before), consent(after), CATEGORIES):
            if each.category != WHOLE:
                granted[each.category] += moves[each.kind]
    last = consent(["--", *answers][-1])
    assert granted == {name: int(last.allows(name)) for name in CATEGORIES}


class Clock:
    def __init__(self, day: int = TODAY) -> None:
        self.now = day * DAY_S + 60.0

    def __call__(self) -> float:
        return self.now


def written(folder: Path, worker: str = "a" * 16) -> Shown:
    return msgspec.json.decode((folder / FOLDER / f"{worker}.json").read_bytes(), type=Shown)


def test_pages_are_counted_by_utc_day_language_and_kind() -> None:
    clock = Clock()
    showings = Showings(clock=clock)
    for language, is_shared in (("lv", False), ("lv", False), ("en", False), ("lv", True)):
        showings.show(language, is_shared=is_shared)
    clock.now = (TODAY + 1) * DAY_S - 0.001
    showings.show("lv")
    clock.now += 0.002
    showings.show("lv")
    assert showings.counts() == (
        Showing(TODAY, "en", False, 1),
        Showing(TODAY, "lv", False, 3),
        Showing(TODAY, "lv", True, 1),
        Showing(TODAY + 1, "lv", False, 1),
    )


def test_no_page_is_lost_between_threads() -> None:
    showings = Showings()

    def show() -> None:
        for _ in range(5000):
            showings.show("lv")

    threads = [threading.Thread(target=show) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.count for each in showings.counts()) == 20_000


def test_a_worker_forgets_days_that_are_too_old_to_be_kept() -> None:
    clock = Clock()
    showings = Showings(clock=clock)
    showings.show("lv")
    clock.now += KEPT_DAYS * DAY_S
    assert len(showings.counts()) == 1
    clock.now += DAY_S
    assert showings.counts() == ()


def test_the_file_holds_what_was_counted_and_nothing_of_who(tmp_path: Path) -> None:
    showings = Showings(clock=Clock())
    file = ShowingsFile(tmp_path, "a" * 16, showings, CATEGORIES)
    file.round()
    assert not (tmp_path / FOLDER).exists()
    showings.show("lv")
    file.round()
    showings.show("lv")
    file.round()
    text = (tmp_path / FOLDER / f"{'a' * 16}.json").read_text()
    assert text == '{"categories":["preferences","statistics"],"showings":[{"day":20780,"language":"lv",' + (
        '"is_shared":false,"count":2}]}'
    )
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [f"{'a' * 16}.json"]


def test_nothing_is_written_while_nothing_is_shown(tmp_path: Path) -> None:
    showings = Showings(clock=Clock())
    file = ShowingsFile(tmp_path, "a" * 16, showings, CATEGORIES)
    showings.show("lv")
    file.round()
    before = (tmp_path / FOLDER / f"{'a' * 16}.json").stat()
    file.round()
    assert (tmp_path / FOLDER / f"{'a' * 16}.json").stat().st_ino == before.st_ino


def test_a_kit_that_is_started_again_counts_no_page_twice(tmp_path: Path) -> None:
    showings = Showings(clock=Clock())
    for worker, pages in (("a" * 16, 3), ("b" * 16, 2)):
        file = ShowingsFile(tmp_path, worker, showings, CATEGORIES)
        for _ in range(pages):
            showings.show("lv")
        file.close()
    assert [written(tmp_path, name * 16).showings[0].count for name in "ab"] == [3, 2]


def test_what_could_not_be_written_is_told_once_and_written_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    showings = Showings(clock=Clock())
    file = ShowingsFile(tmp_path, "a" * 16, showings, CATEGORIES)
    for _ in range(3):
        showings.show("lv")
        file.round()
    assert caplog.text.count("can't be written") == 1
    (tmp_path / FOLDER).unlink()
    file.round()
    assert written(tmp_path).showings == (Showing(TODAY, "lv", False, 3),)
