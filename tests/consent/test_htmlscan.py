"""Tokens of hostile and ordinary markup, however it is cut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.htmlscan import Kind, Token, Tokenizer, attribute


def tokens_of(page: bytes, *, chunk_bytes: int = 1 << 20) -> list[Token]:
    reader = Tokenizer()
    found: list[Token] = []
    seen = bytearray()
    for at in range(0, max(len(page), 1), chunk_bytes):
        seen += page[at : at + chunk_bytes]
        found += reader.read(seen, len(seen), ended=len(seen) == len(page))
    return found


def tags_of(page: bytes, *, chunk_bytes: int = 1 << 20) -> list[bytes]:
    found = tokens_of(page, chunk_bytes=chunk_bytes)
    return [page[token.at : token.end] for token in found if token.kind is not Kind.TEXT]


@pytest.mark.parametrize(
    ("page", "tags"),
    [
        pytest.param(b"<body><p>", [b"<body>", b"<p>"], id="plain"),
        pytest.param(b"<BoDy ONLOAD=x>", [b"<BoDy ONLOAD=x>"], id="capitals"),
        pytest.param(b"<a b='>' c=\">\">", [b"<a b='>' c=\">\">"], id="bracket in quotes"),
        pytest.param(b"<a b='\">'\"><c>", [b"<a b='\">'\">", b"<c>"], id="quote as a name"),
        pytest.param(b"<a b\n= \t'>'>", [b"<a b\n= \t'>'>"], id="space around the equals sign"),
        pytest.param(b'<a ="x>y"><c>', [b'<a ="x>', b"<c>"], id="equals sign begins a name"),
        pytest.param(b'<a b/="x>y"><c>', [b'<a b/="x>', b"<c>"], id="equals sign behind a slash"),
        pytest.param(b'<a b=c="x>y"><d>', [b'<a b=c="x>', b"<d>"], id="quote inside a bare value"),
        pytest.param(b'<a "b=">"><c>', [b'<a "b=">">', b"<c>"], id="quote inside a name"),
        pytest.param(b"<a b=><c>", [b"<a b=>", b"<c>"], id="no value"),
        pytest.param(b'<a b="c"d="e>">', [b'<a b="c"d="e>">'], id="no space between attributes"),
        pytest.param(b"<br/><hr / >", [b"<br/>", b"<hr / >"], id="slashes"),
        pytest.param(b"<!-- <body> --><p>", [b"<p>"], id="comment"),
        pytest.param(b"<!--><p>--><b>", [b"<p>", b"<b>"], id="comment that ends at once"),
        pytest.param(b"<!---><p>", [b"<p>"], id="comment that ends with a dash more"),
        pytest.param(b"<!----><p>", [b"<p>"], id="empty comment"),
        pytest.param(b"<!--!><p>--><b>", [b"<b>"], id="comment that only seems to end"),
        pytest.param(b"<!-- --!><p>", [b"<p>"], id="comment that ends with a mark"),
        pytest.param(b"<!-- - -- -> --\n><p>--><b>", [b"<b>"], id="comment with dashes"),
        pytest.param(b"<!DOCTYPE html PUBLIC '<p>'><b>", [b"<!DOCTYPE html PUBLIC '<p>", b"<b>"], id="doctype"),
        pytest.param(b"<![CDATA[ <p> ]]><b>", [b"<b>"], id="cdata is a bogus comment"),
        pytest.param(b"<?xml version='1.0'?><p>", [b"<p>"], id="processing instruction"),
        pytest.param(b"</ body><p>", [b"<p>"], id="end tag without a name"),
        pytest.param(b"</><p>", [b"<p>"], id="end tag without anything"),
        pytest.param(b"< body><p>", [b"<p>"], id="space behind the bracket"),
        pytest.param(b"1 < 2 <3 <p>", [b"<p>"], id="brackets in text"),
        pytest.param(b"<title><body></title><p>", [b"<title>", b"</title>", b"<p>"], id="title"),
        pytest.param(b"<TEXTAREA><p></textAREA ><b>", [b"<TEXTAREA>", b"</textAREA >", b"<b>"], id="textarea"),
        pytest.param(b"<style><p></stylex></style/><b>", [b"<style>", b"</style/>", b"<b>"], id="style"),
        pytest.param(b"<script><body></script><p>", [b"<script>", b"</script>", b"<p>"], id="script"),
        pytest.param(b"<script/>x<p></script>", [b"<script/>", b"</script>"], id="script is never empty"),
        pytest.param(
            b"<script><!-- <script> </script> <p> --></script><b>",
            [b"<script>", b"</script>", b"<b>"],
            id="script inside a script's comment",
        ),
        pytest.param(
            b"<script><!-- </script><p>",
            [b"<script>", b"</script>", b"<p>"],
            id="script ends inside its comment",
        ),
        pytest.param(
            b"<script><!--><script></script><p>",
            [b"<script>", b"</script>", b"<p>"],
            id="script's comment that ends at once",
        ),
    ],
)
def test_tags_end_where_a_browser_ends_them(page: bytes, tags: list[bytes]) -> None:
    assert tags_of(page) == tags
    assert tags_of(page, chunk_bytes=1) == tags


PIECES = (
    b"< > </ <! <!-- --> --!> - ! / = \" ' a b= body <body <p> <title> </title> <script </script> <style> "
    b"</style> <template> <meta <!doctype <? \n &lt; \xc4\x81 \x00 <SCRIPT> lang=lv <link"
).split(b" ")
MARKUP = st.lists(st.sampled_from([*PIECES, b" "]), max_size=40).map(b"".join)


@given(page=MARKUP, chunk_bytes=st.integers(1, 7))
def test_tags_are_the_same_however_the_page_is_cut(page: bytes, chunk_bytes: int) -> None:
    assert tags_of(page, chunk_bytes=chunk_bytes) == tags_of(page)


@given(page=MARKUP)
def test_tokens_lie_in_order_and_inside_the_page(page: bytes) -> None:
    at = 0
    for token in tokens_of(page):
        assert at <= token.at < token.end <= len(page)
        at = token.end


@given(page=MARKUP)
def test_usual_elements_are_passed_only_where_tokens_would_agree(page: bytes) -> None:
    reader = Tokenizer()
    reader.pass_usual_elements(page, len(page))
    rest = list(reader.read(page, len(page), ended=True))
    assert rest == [token for token in tokens_of(page) if token.at >= (rest[0].at if rest else len(page))]
    names = {token.name for token in tokens_of(page) if token.at < (rest[0].at if rest else len(page))}
    assert names <= {b"meta", b"link", b"base", b"title", b"style", b"script"}


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        pytest.param(b'<html lang="lv">', b"lv", id="double"),
        pytest.param(b"<html class=a lang='lv' dir=ltr>", b"lv", id="single"),
        pytest.param(b"<html LANG = lv>", b"lv", id="bare, capitals, spaces"),
        pytest.param(b"<html lang=lv lang=ru>", b"lv", id="the first counts"),
        pytest.param(b"<html xml:lang=ru data-lang=et lang=lv>", b"lv", id="other names"),
        pytest.param(b"<html title=' lang=ru ' lang=lv>", b"lv", id="name inside a value"),
        pytest.param(b"<html lang>", b"", id="no value"),
        pytest.param(b"<html lang=>", b"", id="equals sign alone"),
        pytest.param(b"<html>", None, id="absent"),
    ],
)
def test_an_attribute_is_read_as_a_browser_reads_it(tag: bytes, value: bytes | None) -> None:
    assert attribute(tag, Token(Kind.START_TAG, b"html", 0, len(tag)), b"lang") == value


HOSTILE = [
    pytest.param(b"<template>", b"<", id="brackets"),
    pytest.param(b"<!--", b"-", id="unclosed comment of dashes"),
    pytest.param(b"", b"<!--", id="comment openers"),
    pytest.param(b'<link b="', b">", id="unclosed value"),
    pytest.param(b"<link ", b"a ", id="names without end"),
    pytest.param(b"<link ", b'a="', id="quotes without end"),
    pytest.param(b"<link a", b" ", id="space without end"),
    pytest.param(b"<link a", b"=", id="equals signs"),
    pytest.param(b"<script>", b"<!--<script ", id="script openers"),
    pytest.param(b"<script>", b"</script", id="script end tags without end"),
    pytest.param(b"<title>", b"</", id="end tag openers"),
    pytest.param(b"", b"<!", id="declarations"),
    pytest.param(b"", b"<a>x", id="tags and text"),
]


@pytest.mark.parametrize(("start", "more"), HOSTILE)
@pytest.mark.parametrize("chunk_bytes", [1, 1 << 20], ids=["byte by byte", "at once"])
def test_time_grows_no_faster_than_the_page(start: bytes, more: bytes, chunk_bytes: int) -> None:
    def seconds(size_bytes: int) -> float:
        page = start + more * (size_bytes // len(more))
        best = 9.0
        for _ in range(3):
            began = time.process_time()
            tokens_of(page, chunk_bytes=chunk_bytes)
            best = min(best, time.process_time() - began)
        return best

    # Eight times the bytes: 8 when linear, 64 when quadratic.
    assert seconds(32_768) < 24 * max(seconds(4_096), 0.0005)
