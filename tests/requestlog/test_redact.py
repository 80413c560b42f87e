from __future__ import annotations

import base64
import random
import re
import time
import uuid
from collections.abc import Callable
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.errors import BadSearch
from consentkit.requestlog.identifiers import identifies
from consentkit.requestlog.queryflags import flags_of
from consentkit.requestlog.redact import (
    ELLIPSIS,
    MAX_URL_CHARACTERS,
    QUERY_FLAGS,
    Redactor,
    flag_bits,
    flag_names,
)

REDACTOR = Redactor(["page", "lang", "a b"])
JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl"
HEX_32 = b"0123456789abcdef0123456789ABCDEF"
SHOWN = re.compile(r"[!-~…]*")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(b"page=2", "page=2", id="kept"),
        pytest.param(b"q=x", "q=REDACTED", id="not kept"),
        pytest.param(b"q=", "q=REDACTED", id="empty value"),
        pytest.param(b"q=x=y&page=1", "q=REDACTED&page=1", id="value with an equals sign"),
        pytest.param(b"q=1&q=2&page=1&page=2", "q=REDACTED&q=REDACTED&page=1&page=2", id="duplicates"),
        pytest.param(b"p%61ge=2", "p%61ge=2", id="encoded name"),
        pytest.param(b"p%2561ge=2", "REDACTED=REDACTED", id="twice encoded name"),
        pytest.param(b"a+b=1&a%20b=2", "a+b=1&a%20b=2", id="plus and space in a name"),
        pytest.param(b"Page=2&page[]=2", "Page=REDACTED&page[]=REDACTED", id="names are exact"),
        pytest.param(b"token123", "REDACTED", id="bare component"),
        pytest.param(b"page", "page", id="bare kept name"),
        pytest.param(b"&&page=1&", "&&page=1&", id="empty components"),
        pytest.param(b"=x", "=REDACTED", id="empty name"),
        pytest.param(b"jane@example.org=1", "REDACTED=REDACTED", id="mail address as name"),
        pytest.param(b"jane%40example.org=1", "REDACTED=REDACTED", id="encoded mail address as name"),
        pytest.param(JWT + b"=1", "REDACTED=REDACTED", id="token as name"),
        pytest.param(b"161175-19997=1", "REDACTED=REDACTED", id="personal code as name"),
        pytest.param(b"token%3Dsecret=1", "REDACTED=REDACTED", id="pair as name"),
        pytest.param(b"<script>=1", "REDACTED=REDACTED", id="attack as name"),
        pytest.param(b"n" * 65 + b"=1", "REDACTED=REDACTED", id="long name"),
        pytest.param(
            b"filter[name]=1&utm_source=x", "filter[name]=REDACTED&utm_source=REDACTED", id="usual names"
        ),
        pytest.param(b"page=1;token=secret", "page=REDACTED", id="semicolon in a kept value"),
        pytest.param(b"page=1#fragment", "page=1", id="fragment"),
        pytest.param("page=1\u202e".encode(), "page=1%E2%80%AE", id="direction character"),
        pytest.param(b"page=1\r\n2 3\xff", "page=1%0D%0A2%203%FF", id="line break"),
        pytest.param(b"page=" + b"1" * 300, "page=" + "1" * 255 + "…", id="long kept value"),
        pytest.param(b"page=" + b"\xff" * 100, "page=" + ("%FF" * 86)[:255] + "…", id="kept value grows"),
    ],
)
def test_values_of_keys_that_are_not_kept_are_redacted(query: bytes, expected: str) -> None:
    assert REDACTOR.url(b"/", query).url == f"/?{expected}"


def test_after_64_pairs_the_rest_is_left_out_and_flagged() -> None:
    at_limit = REDACTOR.url(b"/", b"&".join([b"q=1"] * 64))
    assert (at_limit.url.count("q=REDACTED"), at_limit.url[-1], at_limit.flags) == (64, "D", 0)
    beyond = REDACTOR.url(b"/", b"&".join([b"q=1"] * 64 + [b"q=<"]))
    assert (beyond.url.count("q=REDACTED"), beyond.url[-1]) == (64, ELLIPSIS)
    assert flag_names(beyond.flags) == ("angle", "long")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        pytest.param(b"/" + b"a/" * 5000, b"", id="path"),
        pytest.param(b"/" + b"a" * 5000, b"", id="path of one piece"),
        pytest.param(b"/" + b"\xff" * 1000, b"", id="path that grows"),
        pytest.param(b"/", b"&".join([b"n" * 60 + b"=1"] * 60), id="query"),
        pytest.param(b"/" + b"a/" * 1000, b"page=" + b"1" * 200, id="both"),
        pytest.param(b"/", b"q=" + b"x" * 60_000, id="value"),
    ],
)
def test_a_long_url_is_cut_and_flagged(path: bytes, query: bytes) -> None:
    redacted = REDACTOR.url(path, query)
    assert len(redacted.url) <= MAX_URL_CHARACTERS
    assert "long" in flag_names(redacted.flags)
    assert ELLIPSIS in redacted.url


def test_a_cut_leaves_no_half_of_a_mail_address() -> None:
    path = b"/" + b"a" * 2030 + b"/jane.doe@example.org"
    assert "jane" not in REDACTOR.url(path, b"").url


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(b"/u/jane@example.org/edit", "/u/REDACTED/edit", id="mail address"),
        pytest.param(b"/u/jane%40example.org/edit", "/u/REDACTED/edit", id="encoded"),
        pytest.param(b"/u/jane%2540example.org", "/u/REDACTED", id="encoded twice"),
        pytest.param(b"/u/j%61ne@ex%61mple.org", "/u/REDACTED", id="encoded elsewhere"),
        pytest.param(b"/u/jane@example.org.html", "/u/REDACTED", id="mail address as a page"),
        pytest.param(b"/u/a+b=c@example.org,x", "/u/REDACTED", id="mail address with signs"),
        pytest.param("/u/jānis@piemērs.example".encode(), "/u/REDACTED", id="international mail address"),
        pytest.param(b"/@alice@example.org", "/REDACTED", id="handle with its server"),
        pytest.param(b"/x/user:secret@host/y", "/x/REDACTED/y", id="user and password in a segment"),
        pytest.param(b"/reset/" + JWT + b"/x", "/reset/REDACTED/x", id="JWT"),
        pytest.param(b"/h/" + HEX_32, "/h/REDACTED", id="32 hexadecimal digits"),
        pytest.param(b"/h/" + HEX_32 + b".pdf", "/h/REDACTED", id="32 hexadecimal digits of a document"),
        pytest.param(b"/r/123e4567-e89b-42d3-a456-426614174000", "/r/REDACTED", id="UUID"),
        pytest.param(b"/r/%7B123e4567-e89b-42d3-a456-426614174000%7D", "/r/REDACTED", id="UUID in braces"),
        pytest.param(b"/r/Zb3mXq0pT9vK2sLw8uYd1A", "/r/REDACTED", id="22 random characters"),
        pytest.param(b"/a%2Freset%2FZb3mXq0pT9vK2sLw8uYd1A/b", "/REDACTED/b", id="token after an encoded slash"),
        pytest.param(b"/p;jsessionid=" + HEX_32 + b"/x", "/p;REDACTED/x", id="parameter"),
        pytest.param(b"/p/161175-19997", "/p/REDACTED", id="LV code with check digit"),
        pytest.param(b"/p/161175%2D19997", "/p/REDACTED", id="LV code, encoded hyphen"),
        pytest.param(b"/p/161175%E2%80%9319997", "/p/REDACTED", id="LV code, dash"),
        pytest.param(b"/p/16117519997", "/p/REDACTED", id="LV code without hyphen"),
        pytest.param(b"/p/161175-19990", "/p/REDACTED", id="LV code with a date, mistyped"),
        pytest.param(b"/p/327483-64785", "/p/REDACTED", id="LV code since 2017"),
        pytest.param(b"/p/32748364785", "/p/REDACTED", id="LV code since 2017 without hyphen"),
        pytest.param(b"/p/id-36805280109.pdf", "/p/REDACTED", id="EE code"),
        pytest.param(b"/p/33309240064", "/p/REDACTED", id="LT code"),
        pytest.param(b"/p/51001091072", "/p/REDACTED", id="LT code, second row of weights"),
    ],
)
def test_pieces_of_a_path_that_name_or_authorise_a_person_are_redacted(path: bytes, expected: str) -> None:
    assert REDACTOR.url(path, b"").url == expected
    assert Redactor(redact_paths=False).url(path, b"").url != expected


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        "/a/b.html",
        "/a%20b/%C4%81/%2F/%zz%",
        "/@alice",
        "/npm/@types/node@latest/jquery@3.7.1/dist/jquery@3.7.1.min.js",
        "/img/logo@2x.png",
        "/maps/@56.9,24.1,12z",
        "/app.3f2a9c1b.js",
        "/static/main-3f2a9c1b4d5e6f708192a3b4c5d6e7f8.chunk.js",
        "/presentations/logstash-monitorama-2013/images/kibana-dashboard3.png",
        "/blog/geekery/Kyocera-KPC650-EVDO-in-FreeBSD.html",
        "/2013-11-23-how-to-configure-nginx-2024-edition",
        "/List_of_ISO_3166_country_codes_and_their_names",
        "/IMG_20231123_123456_HDR.jpg",
        "/MyVeryLongClassNameForTheDocs/parseUserAgentString",
        "/donaudampfschifffahrtsgesellschaftskapitaen",
        "/API_REFERENCE_FOR_ADMINISTRATORS_V2",
        "/samsung-galaxy-s23-ultra-5g-12gb-512gb",
        "/orders/123456-789012",
        "/orders/12345678901",
        "/orders/123456789012",
        "/t/1700000000000",
        "/h/0123456789abcdef",
        "/a;v=1;w=2/b",
        "/%F0%9F%98%80%F0%9F%98%80",
    ],
)
def test_ordinary_paths_stay_as_they_came(path: str) -> None:
    for _ in range(2):  # the second time from memory
        assert REDACTOR.url(path.encode(), b"").url == path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(b"/a#b", "/a", id="fragment"),
        pytest.param(b"/a\r\n127.0.0.1 - -", "/a%0D%0A127.0.0.1%20-%20-", id="line break"),
        pytest.param(b"/\x00\x1b\x7f\xff", "/%00%1B%7F%FF", id="control bytes"),
        pytest.param("/\u202e\u200b".encode(), "/%E2%80%AE%E2%80%8B", id="direction and zero width"),
        pytest.param("/a…".encode(), "/a%E2%80%A6", id="our own mark"),
        pytest.param(b"/a?page=1&q=2", "/a?page=1&q=REDACTED", id="query left in the path"),
        pytest.param(b"http://user:secret@example.org/a", "http://example.org/a", id="absolute form"),
        pytest.param(b"http://user:se?cret@example.org/a", "http://REDACTED?REDACTED", id="mark in a password"),
        pytest.param(b"http://user:se/cret@example.org/a", "http://REDACTED/REDACTED/a", id="slash in a password"),
        pytest.param(b"user:secret@example.org:443", "example.org:443", id="authority form"),
        pytest.param(b"secret token/a", "REDACTED/a", id="no form at all"),
    ],
)
def test_a_target_of_any_form_becomes_one_harmless_word(path: bytes, expected: str) -> None:
    assert REDACTOR.url(path, b"").url == expected


def test_a_query_in_the_path_comes_before_the_other() -> None:
    assert REDACTOR.url(b"/a?page=1", b"page=2").url == "/a?page=1&page=2"


def test_nearly_all_random_tokens_are_found() -> None:
    chance = random.Random(20130512)
    kinds: dict[str, Callable[[], str]] = {
        "base64url, 16 bytes": lambda: base64.urlsafe_b64encode(chance.randbytes(16)).decode().rstrip("="),
        "base64url, 32 bytes": lambda: base64.urlsafe_b64encode(chance.randbytes(32)).decode().rstrip("="),
        "letters and digits": lambda: "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=32)),
        "hexadecimal": lambda: chance.randbytes(16).hex(),
        "UUID": lambda: str(uuid.UUID(bytes=chance.randbytes(16), version=4)),
        "encoded text": lambda: base64.urlsafe_b64encode(f"user=jane;id={chance.random()}".encode()).decode(),
    }
    for kind, make in kinds.items():
        found = sum(identifies(make().encode()) for _ in range(1000))
        assert found >= 990, kind


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param(b"q=hello+world&page=2", (), id="nothing"),
        pytest.param(b"q=O%27Brien", ("quote",), id="quote"),
        pytest.param(b"q=%22", ("quote",), id="double quote"),
        pytest.param(b"q=%3Csvg%3E", ("angle",), id="angle"),
        pytest.param(b"f=../../etc/hosts", ("traversal",), id="traversal"),
        pytest.param(b"f=..%5C..%5Cboot.ini", ("traversal",), id="traversal, backslash"),
        pytest.param(b"f=%c0%ae%c0%ae/", ("traversal",), id="traversal, overlong"),
        pytest.param(b"q=${jndi:ldap://192.0.2.1/a}", ("template",), id="template"),
        pytest.param(b"q={{7*7}}", ("template",), id="template, braces"),
        pytest.param(b"q=a%00b", ("null_byte",), id="null byte"),
        pytest.param(b"id=1+UNION+ALL+SELECT+1", ("sql",), id="sql, union"),
        pytest.param(b"id=1/**/union/**/select+1", ("sql",), id="sql, comments"),
        pytest.param(b"id=1+or+1=1", ("sql",), id="sql, tautology"),
        pytest.param(b"id=1'--", ("quote", "sql"), id="sql, comment"),
        pytest.param(b"id=sleep(5)", ("sql",), id="sql, sleep"),
        pytest.param(b"id=1+drop+table+users", ("sql",), id="sql, drop"),
        pytest.param(b"c=;cat+x", ("shell",), id="shell"),
        pytest.param(b"c=$(id)", ("shell",), id="shell, substitution"),
        pytest.param(b"c=%60id%60", ("shell",), id="shell, backticks"),
        pytest.param(b"f=/etc/passwd", ("shell",), id="shell, file"),
        pytest.param(b"q=%2527", ("quote", "encoded_twice"), id="encoded twice"),
        pytest.param(b"q=100%2525", ("encoded_twice",), id="percent sign encoded twice"),
        pytest.param(b"q=100%25", (), id="percent sign"),
        pytest.param(b"q=" + b"a" * 1025, ("long",), id="long"),
        pytest.param(b"<script>", ("angle",), id="bare component"),
        pytest.param(b"<script>=1", ("angle",), id="name"),
        pytest.param(b"page='", ("quote",), id="kept value"),
        pytest.param(b"q=cats+and+dogs+or+fish", (), id="words"),
        pytest.param(b"q=select+a+colour", (), id="more words"),
        pytest.param(b"url=https%3A%2F%2Fexample.org%2Fa", (), id="address"),
    ],
)
def test_flags_say_what_the_values_looked_like(query: bytes, names: tuple[str, ...]) -> None:
    assert flag_names(REDACTOR.url(b"/", query).flags) == names


def test_flags_and_names_are_two_forms_of_one_thing() -> None:
    assert " ".join(QUERY_FLAGS) == "quote angle traversal template null_byte sql shell long encoded_twice"
    for bits in range(1 << len(QUERY_FLAGS)):
        assert flag_bits(flag_names(bits)) == bits
    with pytest.raises(BadSearch, match="quote, angle"):
        flag_bits(["no such flag"])


@given(path=st.binary(max_size=300), query=st.binary(max_size=300))
def test_any_bytes_give_one_short_visible_word(path: bytes, query: bytes) -> None:
    redacted = REDACTOR.url(path, query)
    assert SHOWN.fullmatch(redacted.url)
    assert len(redacted.url) <= MAX_URL_CHARACTERS
    assert flag_bits(flag_names(redacted.flags)) == redacted.flags
    assert REDACTOR.url(path, query) == redacted


@given(
    name=st.binary(max_size=40).filter(lambda name: b"Zq7" not in name),
    value=st.binary(max_size=60),
    is_encoded=st.booleans(),
    after=st.sampled_from([b"", b"&page=1", b"&&", b"#"]),
)
def test_a_value_that_is_not_kept_never_survives(
    name: bytes, value: bytes, is_encoded: bool, after: bytes
) -> None:
    name = name.replace(b"#", b"").rpartition(b"&")[2]
    secret = b"Zq7" + value.replace(b"&", b"") + b"Zq7"
    sent = quote_from_bytes(secret).encode() if is_encoded else secret
    redactor = Redactor(["page", "lang"])
    if unquote_to_bytes(name.partition(b"=")[0].replace(b"+", b" ")) not in (b"page", b"lang"):
        url = redactor.url(b"/", name + b"=" + sent + after).url
        assert "Zq7" not in url
        assert b"Zq7" not in unquote_to_bytes(url)


@given(
    local=st.text("abcdefgh.+-_0123", min_size=1, max_size=20),
    domain=st.text("abcdefgh-", min_size=1, max_size=20),
    layers=st.integers(0, 3),
    around=st.sampled_from(["{}", "mail-{}", "{}.html", "({})", "a%2F{}"]),
)
def test_a_mail_address_never_survives_in_a_path(local: str, domain: str, layers: int, around: str) -> None:
    piece = around.format(f"{local}@{domain}.example").encode()
    for _ in range(layers):
        piece = b"".join(b"%%%02X" % byte if byte in b"@%." else bytes([byte]) for byte in piece)
    assert REDACTOR.url(b"/u/" + piece + b"/x", b"").url == "/u/REDACTED/x"


def test_no_secret_is_remembered() -> None:
    redactor = Redactor(["page"])
    redactor.url(b"/reset/" + JWT, b"jane@example.org=1&page=Zq7&q=Zq7")
    assert not [value for value in vars(redactor).values() if JWT.decode() in str(value) or "Zq7" in str(value)]
    assert "jane" not in str(vars(redactor))


def test_invented_paths_and_names_are_forgotten_again() -> None:
    redactor = Redactor()
    for number in range(5000):
        redactor.url(b"/%d" % number, b"n%d=1" % number)
    assert all(len(value) <= 2048 for value in vars(redactor).values() if isinstance(value, dict))


HOSTILE = {
    "at signs": b"@",
    "mail domains": b"a.b@",
    "local parts": b"a",
    "digits": b"1",
    "codes": b"123456-",
    "percent": b"%25",
    "nested percent": b"%252525",
    "slashes": b"/",
    "dots": b"../",
    "parameters": b"a;",
    "pairs": b"&",
    "quotes": b" or''''",
    "select": b" select ",
    "update": b" update set ",
    "comments": b"/**/union/**/",
    "backticks": b"`;",
    "line breaks": b"\n ",
    "control bytes": b"\x00",
    "words": b"aB3-",
    "JWTs": b"eyJ",
}


def seconds(call: Callable[[], object]) -> float:
    """CPU time of the fastest of five runs; the least disturbed one."""
    times = []
    for _ in range(5):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_is_linear_in_the_length(unit: bytes) -> None:
    def judge(size: int) -> float:
        raw = unit * (size // len(unit))
        return seconds(lambda: (identifies(raw), flags_of(raw)))

    # Eight times the length takes 8 times as long; were it the square, 64 times. 2 ms: too short to compare.
    assert judge(65536) < max(24 * judge(8192), 0.002)


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_request_of_64_kilobytes_is_judged_by_its_first_part(unit: bytes) -> None:
    raw = unit * (65536 // len(unit))
    # Measured: 3 ms and less.
    assert seconds(lambda: REDACTOR.url(b"/" + raw, b"q=" + raw)) < 0.1
