"""Which requests ask for a page, and which responses are one."""

from __future__ import annotations

import pytest

from consentkit.consent.documents import (
    Asks,
    asked_of,
    content_type,
    is_compressible,
    is_encoded,
    is_html_document,
    nonce_of,
)

# What no browser sends with a navigation; a cache that tells requests apart by Sec-Fetch-Dest can't see it.
FORGED = {
    "htmx": {"hx_request": "true"},
    "a Turbo frame": {"turbo_frame": "cart"},
    "XMLHttpRequest": {"x_requested_with": "XMLHttpRequest"},
    "JSON": {"accept": "application/json"},
}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def asks(path: str = "/", **fields: str) -> Asks | None:
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    asked = asked_of(lines, path)
    return None if asked is None else asked.asks


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"accept": BROWSER, "sec_fetch_dest": "document"}, Asks.PAGE, id="navigation"),
        pytest.param({"accept": BROWSER}, Asks.PAGE, id="navigation of an older browser"),
        pytest.param({"accept": BROWSER, "x_requested_with": "lv.example.app"}, Asks.PAGE, id="Android web view"),
        pytest.param({}, Asks.ANYTHING, id="nothing said"),
        pytest.param({"accept": "*/*"}, Asks.ANYTHING, id="anything"),
        pytest.param({"accept": "application/json"}, None, id="JSON"),
        pytest.param({"accept": "application/xhtml+xml"}, None, id="XHTML"),
        pytest.param({"accept": BROWSER, "sec_fetch_dest": "iframe"}, None, id="iframe"),
        pytest.param({"accept": BROWSER, "sec_fetch_dest": "frame"}, None, id="frame"),
        pytest.param({"accept": BROWSER, "sec_fetch_dest": "embed"}, None, id="embed"),
        pytest.param({"accept": BROWSER, "sec_fetch_dest": "object"}, None, id="object"),
        pytest.param({"accept": "*/*", "sec_fetch_dest": "image"}, None, id="image"),
        pytest.param({"accept": "text/html", "sec_fetch_dest": "empty"}, None, id="fetch"),
        pytest.param({"accept": "text/event-stream", "sec_fetch_dest": "empty"}, None, id="event stream"),
        pytest.param({"accept": BROWSER, "x_requested_with": "XMLHttpRequest"}, None, id="XMLHttpRequest"),
        pytest.param({"accept": BROWSER, "hx_request": "true"}, None, id="htmx fragment"),
        pytest.param(
            {"accept": "*/*", "hx_request": "true", "hx_boosted": "true", "sec_fetch_dest": "empty"},
            Asks.PAGE_FOR_SCRIPT,
            id="htmx boosted",
        ),
        pytest.param(
            {"hx_request": "true", "hx_history_restore_request": "true"},
            Asks.PAGE_FOR_SCRIPT,
            id="htmx history",
        ),
        pytest.param({"accept": BROWSER, "turbo_frame": "cart"}, None, id="Turbo frame"),
        *(
            pytest.param({**forged, "sec_fetch_dest": "document"}, Asks.PAGE, id=f"navigation beside {name}")
            for name, forged in FORGED.items()
        ),
        pytest.param(
            {"accept": "text/html, application/xhtml+xml", "turbo_frame": "cart", "sec_fetch_dest": "empty"},
            None,
            id="Turbo frame, fetched",
        ),
        pytest.param(
            {"x_turbo_request_id": "1", "sec_fetch_dest": "empty"},
            Asks.PAGE_FOR_SCRIPT,
            id="Turbo navigation",
        ),
        pytest.param(
            {"accept": "text/html, application/xhtml+xml", "sec_fetch_dest": "empty"},
            Asks.PAGE_FOR_SCRIPT,
            id="older Turbo navigation",
        ),
        pytest.param({"sec_purpose": "prefetch", "sec_fetch_dest": "empty"}, Asks.PAGE_FOR_SCRIPT, id="prefetch"),
        pytest.param({"path": "/app.js", "accept": "*/*"}, None, id="script of an older browser"),
        pytest.param({"path": "/a.b/page", "accept": "*/*"}, Asks.ANYTHING, id="dot in a folder"),
        pytest.param({"path": "/a.b/css", "accept": "*/*"}, Asks.ANYTHING, id="name like a suffix"),
        pytest.param({"path": "/user.name", "accept": "*/*"}, Asks.ANYTHING, id="dot in a name"),
        pytest.param(
            {"path": "/a.xml", "accept": BROWSER, "sec_fetch_dest": "document"}, Asks.PAGE, id="file, shown"
        ),
    ],
)
def test_requests_that_may_be_answered_with_a_page_are_told(fields: dict[str, str], expected: Asks | None) -> None:
    assert asks(**fields) is expected


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        pytest.param("gzip, deflate, br", True, id="named"),
        pytest.param("br;q=1.0, GZIP;q=0.5", True, id="weighed"),
        pytest.param("gzip;q=0", False, id="refused"),
        pytest.param("gzip ; q=0.000, br", False, id="refused in digits"),
        pytest.param("gzip;q=0.001", True, id="hardly"),
        pytest.param("br, zstd", False, id="others"),
        pytest.param("", False, id="none"),
    ],
)
def test_gzip_is_used_only_where_it_is_taken(accepted: str, takes: bool) -> None:
    asked = asked_of([(b"accept-encoding", accepted.encode())], "/")
    assert asked is not None
    assert asked.takes_gzip is takes


@pytest.mark.parametrize(
    ("path", "headers", "keeps"),
    [
        pytest.param("/", [(b"accept", b"text/html")], False, id="navigation"),
        pytest.param("/report.pdf", [(b"accept", b"text/html")], True, id="file in a tab"),
        pytest.param("/feed", [(b"accept", b"*/*")], True, id="program"),
        pytest.param("/", [(b"hx-request", b"true"), (b"hx-boosted", b"true")], False, id="boosted"),
    ],
)
def test_validators_of_what_may_be_no_page_are_kept(
    path: str, headers: list[tuple[bytes, bytes]], keeps: bool
) -> None:
    asked = asked_of([*headers, (b"if-none-match", b'"x"')], path)
    assert asked is not None
    assert (asked.keeps_foreign, asked.has_conditions) == (keeps, True)


@pytest.mark.parametrize(
    ("value", "is_html", "has_charset", "takes_ascii"),
    [
        pytest.param(b"text/html", True, False, True, id="plain"),
        pytest.param(b' Text/HTML ; Charset="UTF-8"', True, True, True, id="capitals, quotes"),
        pytest.param(b"text/html; charset=windows-1257", True, True, True, id="Baltic"),
        pytest.param(b"text/html;charset=utf-16", True, True, False, id="UTF-16"),
        pytest.param(b"text/html;charset=UTF-16LE", True, True, False, id="UTF-16LE"),
        pytest.param(b"text/html;charset='ucs-2'", True, True, False, id="UCS-2"),
        pytest.param(b"text/html;charset=utf-32", True, True, False, id="UTF-32"),
        pytest.param(b"application/xhtml+xml", False, False, True, id="XHTML"),
        pytest.param(b"text/html-sandboxed", False, False, True, id="another type"),
        pytest.param(b"text/vnd.turbo-stream.html; charset=utf-8", False, True, True, id="Turbo stream"),
        pytest.param(b"", False, False, True, id="none"),
    ],
)
def test_content_types_are_read(value: bytes, is_html: bool, has_charset: bool, takes_ascii: bool) -> None:
    read = content_type(value)
    assert (read.is_html, read.has_charset, read.takes_ascii) == (is_html, has_charset, takes_ascii)


@pytest.mark.parametrize(
    ("disposition", "shown"),
    [
        pytest.param(b"attachment; filename=a.html", False, id="attachment"),
        pytest.param(b"ATTACHMENT", False, id="capitals"),
        pytest.param(b"form-data", False, id="unknown means attachment"),
        pytest.param(b"inline; filename=attachment.html", True, id="inline"),
        pytest.param(b"", True, id="empty"),
    ],
)
def test_html_to_be_saved_is_no_page(disposition: bytes, shown: bool) -> None:
    assert is_html_document({b"content-type": [b"text/html"], b"content-disposition": [disposition]}) is shown


@pytest.mark.parametrize(
    ("lines", "is_page"),
    [
        pytest.param({b"content-type": [b"text/html", b"text/html"]}, True, id="one type, twice"),
        pytest.param({b"content-type": [b"text/html", b"text/plain"]}, False, id="two types"),
        pytest.param({b"content-type": [b"text/html", b"text/html; charset=utf-8"]}, False, id="two charsets"),
        pytest.param(
            {b"content-type": [b"text/html"], b"content-disposition": [b"inline", b"attachment"]},
            False,
            id="two dispositions",
        ),
    ],
)
def test_what_is_said_in_two_ways_is_no_page(lines: dict[bytes, list[bytes]], is_page: bool) -> None:
    assert is_html_document(lines) is is_page


@pytest.mark.parametrize(
    ("fields", "compressible"),
    [
        pytest.param({b"content-type": [b"text/html"]}, True, id="HTML"),
        pytest.param({b"content-type": [b"application/problem+json; x=y"]}, True, id="JSON"),
        pytest.param({b"content-type": [b"image/svg+xml"]}, True, id="SVG"),
        pytest.param({b"content-type": [b"text/event-stream"]}, False, id="event stream"),
        pytest.param({b"content-type": [b"application/pdf"]}, False, id="PDF"),
        pytest.param({b"content-type": [b"application/octet-stream"]}, False, id="download"),
        pytest.param({b"content-type": [b"text/csv"], b"content-disposition": [b"attachment"]}, False, id="saved"),
        pytest.param({b"content-type": [b"text/plain"], b"accept-ranges": [b"bytes"]}, False, id="in ranges"),
        pytest.param({b"content-type": [b"text/html"], b"content-encoding": [b"br"]}, False, id="encoded"),
        pytest.param({}, False, id="no type"),
    ],
)
def test_only_text_in_one_piece_is_compressed(fields: dict[bytes, list[bytes]], compressible: bool) -> None:
    assert is_compressible(fields) is compressible


@pytest.mark.parametrize(
    ("codings", "encoded"),
    [([b"gzip"], True), ([b"identity"], False), ([b"identity", b"br"], True), ([], False)],
)
def test_a_coded_body_is_told(codings: list[bytes], encoded: bool) -> None:
    assert is_encoded({b"content-encoding": codings} if codings else {}) is encoded


@pytest.mark.parametrize(
    ("policies", "nonce"),
    [
        pytest.param([b"script-src 'self' 'nonce-abc+/=='"], "abc+/==", id="script-src"),
        pytest.param([b"default-src 'nonce-d'; script-src 'nonce-s'"], "s", id="script-src before default-src"),
        pytest.param([b"script-src 'nonce-s'; script-src-elem 'nonce-e'"], "e", id="script-src-elem first"),
        pytest.param([b"default-src 'nonce-d'; style-src 'nonce-x'"], "d", id="default-src"),
        pytest.param([b"script-src 'self'; default-src 'nonce-d'"], None, id="script-src decides"),
        pytest.param([b"style-src 'nonce-x'"], None, id="style alone"),
        pytest.param([b"SCRIPT-SRC\t'NONCE-Abc'"], "Abc", id="capitals, tab"),
        pytest.param([b"img-src *", b"img-src *, script-src 'nonce-2'"], "2", id="several policies"),
        pytest.param([b"script-src 'nonce-a\"onload=x'"], None, id="not base64"),
        pytest.param([b"script-src 'nonce-'"], None, id="empty"),
        pytest.param([b"script-src 'nonce-a'; script-src 'nonce-b'"], "a", id="first directive counts"),
        pytest.param([], None, id="no policy"),
    ],
)
def test_the_nonce_is_that_of_the_policy_for_scripts(policies: list[bytes], nonce: str | None) -> None:
    assert nonce_of({b"content-security-policy": policies} if policies else {}) == nonce
