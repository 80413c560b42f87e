"""Names against globs: right, in linear time, in bounded memory."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.globs import MAX_NAME_BYTES, NO_MATCH, GlobMatcher, is_glob

NAMES = st.text(st.sampled_from("ab_.-[]\\^$\n"), max_size=12)
GLOBS = st.text(st.sampled_from("ab_.-[]\\^$*?"), max_size=8)


def reference(name: bytes, globs: list[str]) -> int:
    """Answer with the standard library's matcher, its bracket made literal: ours knows * and ? alone."""
    text = name.decode("latin-1")
    plain = [glob.encode("utf-8").decode("latin-1").replace("[", "[[]") for glob in globs]
    return next((index for index, glob in enumerate(plain) if fnmatchcase(text, glob)), NO_MATCH)


@given(st.lists(GLOBS, max_size=5), st.lists(NAMES, min_size=1, max_size=8))
def test_first_glob_that_matches_is_the_reference_matchers(globs: list[str], names: list[str]) -> None:
    matcher = GlobMatcher(globs)

    for name in (*names, *names):  # the second time from memory
        assert matcher.first(name.encode()) == reference(name.encode(), globs)


@given(st.lists(st.text(max_size=6), max_size=4), st.binary(max_size=40))
def test_any_bytes_match_as_the_reference_says(globs: list[str], name: bytes) -> None:
    assert GlobMatcher(globs).first(name) == reference(name, globs)


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        pytest.param("_ga_*", b"_ga_ABC", True, id="star at the end"),
        pytest.param("_ga_*", b"_ga_", True, id="star for nothing"),
        pytest.param("_ga_*", b"x_ga_ABC", False, id="anchored at the beginning"),
        pytest.param("*_id", b"a_idx", False, id="anchored at the end"),
        pytest.param("*_id", b"a_id\n", False, id="a line break is no end"),
        pytest.param("theme", b"Theme", False, id="case"),
        pytest.param("p?", b"p", False, id="question mark wants one"),
        pytest.param("p?", b"pq", True, id="question mark takes one"),
        pytest.param("*ab", b"aab", True, id="overlapping beginnings"),
        pytest.param("*a*ab", b"aab", True, id="the last piece keeps its room"),
        pytest.param("a*a", b"a", False, id="pieces do not overlap"),
        pytest.param("**a", b"ba", True, id="two stars are one"),
        pytest.param("[a]*", b"[a]b", True, id="brackets are themselves"),
        pytest.param("[a]*", b"ab", False, id="brackets are no set"),
        pytest.param("ē*", "ēx".encode(), True, id="UTF-8 on the wire"),
    ],
)
def test_match(glob: str, name: bytes, *, matches: bool) -> None:
    assert (GlobMatcher([glob]).first(name) == 0) is matches


def test_over_long_name_is_nobodys() -> None:
    matcher = GlobMatcher(["a*"])

    assert matcher.first(b"a" * MAX_NAME_BYTES) == 0
    assert matcher.first(b"a" * (MAX_NAME_BYTES + 1)) == NO_MATCH


def test_no_globs_match_nothing() -> None:
    assert GlobMatcher([]).first(b"") == NO_MATCH


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        pytest.param("*a" * 30 + "*b", b"a" * MAX_NAME_BYTES, id="many stars, no end"),
        pytest.param("*" + "a" * 60 + "b*", b"a" * MAX_NAME_BYTES, id="long piece that nearly fits"),
        pytest.param("*?" * 30 + "*b", b"a" * MAX_NAME_BYTES, id="stars and question marks"),
        pytest.param("a*" * 60 + "b", b"a" * MAX_NAME_BYTES, id="pieces all the way"),
    ],
)
def test_hostile_name_costs_less_than_a_few_milliseconds(glob: str, name: bytes) -> None:
    matcher = GlobMatcher([glob])

    took_s = min(_seconds(matcher, name) for _ in range(5))

    assert took_s < 0.02  # with backtracking the first of them takes longer than the age of the universe


def test_flood_of_invented_names_does_not_grow_memory() -> None:
    matcher = GlobMatcher(["_ga_*", "*x*y*"])

    for number in range(20_000):
        matcher.first(b"_ga_%d" % number)
        matcher.first(b"n%d" % number)
        matcher.first(b"l" * 200 + b"%d" % number)

    assert len(matcher._recent) <= 1024
    assert max(map(len, matcher._recent._younger), default=0) <= 64


def test_name_in_use_stays_remembered_through_a_flood() -> None:
    matcher = GlobMatcher(["_ga_*"])

    for number in range(5_000):
        matcher.first(b"invented%d" % number)
        if number % 100 == 0:
            matcher.first(b"_ga_REAL")

    assert matcher._recent.get(b"_ga_REAL") == 0


@pytest.mark.parametrize(("name", "expected"), [("a*", True), ("a?", True), ("[a]", False), ("", False)])
def test_glob_is_what_has_a_wildcard(name: str, *, expected: bool) -> None:
    assert is_glob(name) is expected


def _seconds(matcher: GlobMatcher, name: bytes) -> float:
    started = time.perf_counter()
    matcher.first(name)
    return time.perf_counter() - started
