from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.choice import Consent
from consentkit.consent.edits import Edit, edited
from consentkit.consent.places import SEARCH_LIMIT_BYTES
from consentkit.consent.waiting import granted_tags

OPTIONAL = ("preferences", "statistics", "marketing")
DECLARED = {"video": "marketing", "map": "marketing"}
SOME = Consent(frozenset({"statistics"}), frozenset({"marketing"}), OPTIONAL, frozenset({"video"}), DECLARED)
NOBODY = Consent(frozenset(), frozenset(), OPTIONAL, declared=DECLARED)


def resolved(page: bytes, consent: Consent = SOME) -> bytes:
    return bytes(edited(page, [Edit(at, b"", end - at) for at, end in granted_tags(page, consent)]))


@pytest.mark.parametrize(
    ("page", "sent"),
    [
        (b'a<template data-consent="statistics">b</template>c', b"abc"),
        (b"a<TEMPLATE  class=x data-consent='statistics' >b</Template >c", b"abc"),
        (
            b'<template data-consent=statistics><script nonce="n0">1 < 2</script><script>3</script></template>',
            b'<script nonce="n0">1 < 2</script><script>3</script>',
        ),
        (b"<template data-consent=marketing data-service=video>b</template>", b"b"),
        (
            b"<template data-consent=statistics>a<template data-consent=marketing>b</template>c</template>",
            b"a<template data-consent=marketing>b</template>c",
        ),
        (
            b"<template data-consent=statistics><template data-consent=statistics>b</template></template>",
            b"b",
        ),
        (
            b"<svg><title>x</title></svg><template data-consent=statistics>b</template>",
            b"<svg><title>x</title></svg>b",
        ),
    ],
    ids=["in place", "other spelling", "scripts", "service", "inner stays", "both", "behind a drawing"],
)
def test_granted_markup_stands_in_its_place(page: bytes, sent: bytes) -> None:
    assert resolved(page) == sent


@pytest.mark.parametrize(
    "page",
    [
        b"<template data-consent=marketing>b</template>",
        b"<template data-consent=marketing data-service=map>b</template>",
        b"<template data-consent>b</template>",
        b"<template data-service=video>b</template>",
        b"<template id=row><template data-consent=statistics>b</template></template>",
        b"<template data-consent=statistics>never closed",
        b"</template><p data-consent=statistics></template>",
        b"<!-- <template data-consent=statistics>b</template> -->",
        b"<textarea><template data-consent=statistics>b</template></textarea>",
        b"<script>'<template data-consent=statistics>b</template>'</script>",
        b'<p title="<template data-consent=statistics>b</template>">',
        b"<plaintext><template data-consent=statistics>b</template>",
        # What a browser reads as an attribute's value, and a reader that takes these for raw text as markup.
        b'<svg><style></svg><p title="</style><template data-consent=statistics>b</template>">',
        b'<select><style></select><p title="</style><template data-consent=statistics>b</template>">',
        b'<svg><![CDATA[><p title="]]><p title="<template data-consent=statistics>b</template>">',
    ],
)
def test_everything_else_stays_byte_for_byte(page: bytes) -> None:
    assert resolved(page) == page


def test_without_a_grant_nothing_is_looked_for() -> None:
    page = b"<template data-consent=statistics>b</template>"
    assert resolved(page, NOBODY) == page


def test_what_ends_behind_the_first_64_kib_is_left_to_the_script() -> None:
    page = b"<template data-consent=statistics>" + b"b" * SEARCH_LIMIT_BYTES + b"</template>"
    assert resolved(page) == page


PIECES = (
    b"<template data-consent=statistics>|<template>|</template>|<p a='|'>|<svg>|<style>|</style>|<!--|-->|<script>"
    b'|</script>|text|<|"|<select>|<col>'
).split(b"|")
MARKUP = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)


@given(MARKUP | st.binary(max_size=200).map(lambda noise: b"data-consent" + noise))
def test_only_whole_pairs_of_granted_tags_are_taken_out_of_any_bytes(page: bytes) -> None:
    tags = granted_tags(page, SOME)
    assert len(tags) % 2 == 0
    assert [end for _, end in tags] == sorted(end for _, end in tags)
    for at, end in tags:
        assert page[at:end].lower().startswith((b"<template", b"</template"))
        assert page[at:end].endswith(b">")


@pytest.mark.parametrize(
    "piece",
    [b"<", b"<a b='", b"<a =\"'>", b"<template data-consent=statistics>", b"<svg><style>", b"<!--", b"<a ", b"="],
)
def test_a_hostile_page_takes_no_longer_than_its_length(piece: bytes) -> None:
    page = b"<i data-consent>" + piece * (SEARCH_LIMIT_BYTES // len(piece))
    start = time.process_time()
    granted_tags(page, SOME)
    assert time.process_time() - start < 0.5


@given(st.binary(max_size=50), st.lists(st.tuples(st.integers(0, 50), st.binary(max_size=5)), max_size=5))
def test_edits_grow_a_page_by_what_they_say(page: bytes, additions: list[tuple[int, bytes]]) -> None:
    edits = [Edit(min(at, len(page)), text) for at, text in additions]
    made = bytes(edited(page, edits))
    assert len(made) == len(page) + sum(edit.growth for edit in edits)
