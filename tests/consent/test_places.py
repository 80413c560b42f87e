"""Where a browser opens head and body: the places for markup."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.places import SEARCH_LIMIT_BYTES, PlaceSearch, Verdict


def search(page: bytes, *, chunk_bytes: int = 1 << 20, charset_declared: bool = True) -> PlaceSearch:
    looking = PlaceSearch(charset_declared=charset_declared)
    seen = bytearray()
    for at in range(0, max(len(page), 1), chunk_bytes):
        seen += page[at : at + chunk_bytes]
        if looking.go_on(seen, ended=len(seen) == len(page)) is not Verdict.SEEKING:
            break
    return looking


def marked(page: bytes, *, charset_declared: bool = True) -> bytes:
    """Return the page with H and B in its places."""
    places = search(page, charset_declared=charset_declared).places
    if places is None:
        return page
    head, body = places.head_at, places.body_at
    return page[:head] + b"[H]" + page[head:body] + b"[B]" + page[body:]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<!doctype html><html lang=lv><head>[H]</head><body>[B]<p>", id="all tags"),
        pytest.param(b"<!DOCTYPE html>\n<HTML>\n<HEAD>[H]\n</HEAD>\n<BODY CLASS='a'>[B]", id="capitals"),
        pytest.param(b'<html><head profile="a>b">[H]</head><body data-x="<body>">[B]', id="brackets in values"),
        pytest.param(b"<html><head>[H]<!-- <body> --><title><body></title></head><body>[B]", id="comment, title"),
        pytest.param(b"<html><head>[H]<script>'<body>'</script></head><body>[B]", id="script"),
        pytest.param(b"<html><head>[H]<style>/*<body>*/</style></head><body>[B]", id="style"),
        pytest.param(b"<html><head>[H]<noscript><p><body></noscript></head><body>[B]", id="noscript in the head"),
        pytest.param(
            b"<head>[H]<template><p><body><template></template><textarea></template></textarea></template>"
            b"<body>[B]",
            id="templates",
        ),
        pytest.param(b"<head>[H]<meta a='</head><body>'><link></head><body>[B]", id="tags in a value"),
        pytest.param(b"<html>[H]<body>[B]<p>", id="no head"),
        pytest.param(b"<!doctype html>[H]<title>x</title>\n[B]<p>hello", id="neither tag"),
        pytest.param(b"<!doctype html><head>[H]<title>x</title>\n[B]<p>hello", id="no body tag"),
        pytest.param(b"<head>[H]</head>\n[B]<main>hello", id="no body tag behind the head's end"),
        pytest.param(b"<!-- x -->[H]<script>x</script>[B]text <body>", id="scripts stay behind the head's markup"),
        pytest.param(b"[H][B]text <html><head><body>", id="text first"),
        pytest.param(b"\n [H][B]<h1>hello</h1>", id="content alone"),
        pytest.param(b"[H][B]<custom-element></custom-element><body>", id="unknown element opens the body"),
        pytest.param(b"<head>[H]</head>[B]<noscript><img></noscript><body>", id="noscript behind the head"),
        pytest.param(b"<head>[H]</head><script>x</script><link><body>[B]", id="scripts behind the head"),
        pytest.param(b"[H]</head>[B]<p>", id="end of a head that never began"),
        pytest.param(b"<html><head>[H]</head>[B]</html>", id="no body at all"),
        pytest.param(b"<html>[H][B]</body>", id="end of a body that never began"),
        pytest.param(b"</p></title><head>[H]<body>[B]", id="stray end tags"),
        pytest.param(b"<head>[H]<title>x</title>\n[B]", id="page ends in its head"),
        pytest.param(b"<!doctype html>[H][B]", id="doctype alone"),
        pytest.param(b"\xef\xbb\xbf<html><head>[H]<body>[B]", id="UTF-8 byte order mark"),
        pytest.param(b"<html><head>[H]<head><body>[B]<body>", id="tags twice"),
        pytest.param(b"<html><head>[H]</head><body\n>[B]\x00", id="line break in a tag"),
        pytest.param(b"<!doctype html SYSTEM 'a'><?xml version='1.0'?><html><head>[H]<body>[B]", id="XML prolog"),
    ],
)
def test_markup_stands_right_behind_the_start_of_head_and_body(page: bytes) -> None:
    plain = page.replace(b"[H]", b"").replace(b"[B]", b"")
    assert marked(plain) == page


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \n ", id="white space"),
        pytest.param(b"<!-- only a comment -->", id="comment alone"),
        pytest.param(b"<html><!-- never closed <body>", id="unclosed comment"),
        pytest.param(b"<html><head><title>never closed <body>", id="unclosed title"),
        pytest.param(b"<html><head><template><body>", id="unclosed template"),
        pytest.param(b"<html><head><body class='", id="unclosed tag"),
        pytest.param(b"<html><head></head><frameset cols='1,*'><frame>", id="frameset"),
        pytest.param(b"<html><head>" + b" " * SEARCH_LIMIT_BYTES + b"<body>", id="body tag behind the limit"),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1000, 1 << 20])
def test_a_page_without_a_place_is_given_up(page: bytes, chunk_bytes: int) -> None:
    assert search(page, chunk_bytes=chunk_bytes).verdict is Verdict.NO_PLACE


def test_a_body_tag_that_ends_at_the_limit_is_found() -> None:
    start = b"<html><head>"
    page = start.ljust(SEARCH_LIMIT_BYTES - len(b"<body>")) + b"<body>" + b"x" * 100
    places = search(page).places
    assert places is not None
    assert (places.head_at, places.body_at) == (len(start), SEARCH_LIMIT_BYTES)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20])
def test_a_page_in_a_wide_encoding_is_told_by_its_first_bytes(encoding: str, chunk_bytes: int) -> None:
    page = "<html><head><body>".encode(encoding)
    assert search(page, chunk_bytes=chunk_bytes).verdict is Verdict.WIDE


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b'<head><meta charset="utf-8">[H]<title></title><body>[B]', id="first"),
        pytest.param(
            b"<head>\n<meta name=a><title>x</title><META CHARSET=utf-8>[H]<body>[B]", id="among the first"
        ),
        pytest.param(
            b'<meta http-equiv="Content-Type" content="text/html; charset=utf-8">[H][B]<p>',
            id="old form, no head",
        ),
        pytest.param(b"<head>[H]<script></script><meta charset=utf-8><body>[B]", id="behind a script"),
        pytest.param(b"<head>[H]<title></title><body>[B]", id="absent"),
    ],
)
def test_a_needed_charset_stays_within_reach_of_the_browser(page: bytes) -> None:
    plain = page.replace(b"[H]", b"").replace(b"[B]", b"")
    assert marked(plain, charset_declared=False) == page


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        pytest.param(b"<html lang=lv>", "lv", id="language"),
        pytest.param(b'<html lang="zh-Hant-TW">', "zh-Hant-TW", id="script and region"),
        pytest.param(b'<html lang=" lv_LV ">', "lv-LV", id="underscore"),
        pytest.param(b'<html lang="">', None, id="empty"),
        pytest.param(b'<html lang="x\x00y">', None, id="control character"),
        pytest.param(b'<html lang="{{ language }}">', None, id="no language tag"),
        pytest.param(b'<html lang="' + b"a" * 9000 + b'">', None, id="long"),
        pytest.param(b"<html>", None, id="absent"),
        pytest.param(b"", None, id="no html tag"),
    ],
)
@pytest.mark.parametrize("start", [b"<!doctype html>", b""], ids=["usual", "unusual"])
def test_the_pages_language_is_read_only_where_well_formed(start: bytes, tag: bytes, language: str | None) -> None:
    places = search(start + tag + b"<head></head><body>").places
    assert places is not None
    assert places.language == language


@pytest.mark.parametrize(
    ("page", "is_whole"),
    [
        pytest.param(b"<!doctype html><p>", True, id="doctype"),
        pytest.param(b"<html><p>", True, id="html"),
        pytest.param(b"<title>x</title><p>", True, id="title"),
        pytest.param(b"<body>", True, id="body"),
        pytest.param(b"<script>x</script><title>x</title><p>", True, id="title behind a script"),
        pytest.param(b"<li>item</li>", False, id="list item"),
        pytest.param(b"<style>a{}</style><script>x</script><div>", False, id="fragment with its script"),
    ],
)
def test_a_whole_page_is_told_from_a_fragment(page: bytes, is_whole: bool) -> None:
    places = search(page).places
    assert places is not None
    assert places.is_whole_page is is_whole


PIECES = (
    b"<!doctype html>|<html lang=lv>|<html>|<head>|</head>|<body>|<body class='a>b'>|<!-- x -->|<!--|-->|<!-->"
    b"|<title>|</title>|<title>x</title>|<script>|</script>|<script src=x>|<script>'</p>'</script>|<style>"
    b"|</style>|<meta charset=utf-8>|<meta a=\"b|\">|<link ='>'>|<link a='b'>|<base href=a=\"b>c\">|<template>"
    b"|</template>|<noscript>|</noscript>|<p>|text|<|</|>|\n|<frameset>|\xff\xfe|\xef\xbb\xbf|\x00"
).split(b"|")
PAGES = st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join)


@given(page=PAGES, chunk_bytes=st.integers(1, 9), charset_declared=st.booleans())
def test_places_are_the_same_however_the_page_is_cut(
    page: bytes, chunk_bytes: int, charset_declared: bool
) -> None:
    whole = search(page, charset_declared=charset_declared)
    cut = search(page, chunk_bytes=chunk_bytes, charset_declared=charset_declared)
    assert (cut.verdict, cut.places) == (whole.verdict, whole.places)


@given(page=PAGES)
def test_a_usual_beginning_changes_nothing(page: bytes) -> None:
    usual = b"<!doctype html><html lang=lv><head><meta charset=utf-8><title>x</title>"
    # A capital letter alone makes a page unusual: it is then read token by token.
    unusual = usual.replace(b"<head>", b"<HEAD>")
    assert search(usual + page).places == search(unusual + page).places
