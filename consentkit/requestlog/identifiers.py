"""Recognises what names or authorises a person in a piece of a path: mail addresses, tokens, personal codes.

Owns the rules. What is done with a piece that holds one is `redact`'s matter. The rules lean to redacting:
a page's name lost from the log does less harm than a reset link kept in it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from consentkit.requestlog.randomness import looks_random

MIN_TOKEN_BYTES: Final = 22  # 128 random bits in base64url, the least that a link's secret should have
_MAX_DECODINGS: Final = 3  # a proxy and a framework each encode once more

_MIN_BYTES: Final = 11  # the shortest identifier without "@": a personal code
# Where this finds nothing there is no identifier: each rule needs "@", an encoding or 11 of these in a row.
_SUSPECT: Final = re.compile(rb"[^!-$&-?A-~]|[0-9A-Za-z_+-]{11}")
_WORD: Final = re.compile(rb"[0-9A-Za-z_+-]{" + str(MIN_TOKEN_BYTES).encode() + rb",}")
_LONG_HEX: Final = re.compile(rb"[0-9A-Fa-f]{32}")
_UUID: Final = re.compile(rb"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")  # RFC 9562 §4
_ENCODED_JSON: Final = re.compile(rb"eyJ[0-9A-Za-z_-]{9}")  # base64url of '{"': a JWT (RFC 7519 §3) and its kin
# Files a build names by their hash; whoever asks for one shows nothing but the page he was on.
_ASSET: Final = re.compile(rb"\.(?:js|mjs|css|map|wasm|woff2?|ttf)\Z", re.IGNORECASE)

_MAIL_DOMAIN: Final = re.compile(rb"[0-9A-Za-z.\x80-\xff-]{3,255}")
_TOP_LEVEL: Final = re.compile(rb"[a-z\x80-\xff]{2,63}|xn--[0-9a-z-]{1,59}")
# Endings of files, as in logo@2x.png and jquery@3.7.1.min.js; none is a top-level domain.
_FILE_ENDINGS: Final = frozenset(
    b"js mjs css map min esm umd json xml html htm txt pdf png jpg jpeg gif svg webp avif ico bmp mp4".split()
)

# The hyphen, its look-alikes from U+2010 to U+2015, and the minus sign.
_LV_CODE: Final = re.compile(rb"(?<![0-9])([0-9]{6})(?:-|\xe2\x80[\x90-\x95]|\xe2\x88\x92)([0-9]{5})(?![0-9])")
_ELEVEN_DIGITS: Final = re.compile(rb"(?<![0-9])[0-9]{11}(?![0-9])")
_NO_DIGITS: Final = bytes(code for code in range(256) if chr(code) not in "0123456789")
_LV_WEIGHTS: Final = (1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_FIRST_WEIGHTS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)
_SECOND_WEIGHTS: Final = (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)


def may_identify(raw: bytes) -> bool:
    """Tell, at the price of one scan, whether `identifies` could be true of the text or a part of it."""
    return _SUSPECT.search(raw) is not None


def identifies(raw: bytes) -> bool:
    """Tell whether the text names or authorises a person, as it is or percent-decoded up to three times.

    Found are: mail addresses and user:password@, JWTs and other encoded JSON, hexadecimal strings of 32
    digits and more, UUIDs, random-looking words of 22 characters and more, and personal codes of Latvia,
    Estonia and Lithuania. Names of scripts, styles and fonts may hold a hash.

    Args:
        raw: a piece of a path, or the name of a query key. The time is linear in its length.
    """
    for _ in range(_MAX_DECODINGS + 1):
        if b"@" in raw and _holds_mail(raw):
            return True
        if len(raw) >= _MIN_BYTES and (_holds_token(raw) or _holds_personal_code(raw)):
            return True
        if b"%" not in raw:
            return False
        raw = unquote_to_bytes(raw)
    return False


def _holds_mail(text: bytes) -> bool:
    """Tell whether the text holds local@domain.tld or user:password@."""
    start, at = 0, text.find(b"@")
    while at >= 0:
        if text.find(b":", start, at) >= 0:
            return True
        domain = _MAIL_DOMAIN.match(text, at + 1)
        # "/@name" is a handle, as on many sites, and names no mailbox.
        if at > start and domain is not None and _is_mail_domain(domain[0]):
            return True
        start, at = at + 1, text.find(b"@", at + 1)
    return False


def _is_mail_domain(domain: bytes) -> bool:
    labels = domain.lower().rstrip(b".-").split(b".")
    while labels[-1] in _FILE_ENDINGS:
        labels.pop()
        if not labels:
            return False
    return len(labels) > 1 and _TOP_LEVEL.fullmatch(labels[-1]) is not None


def _holds_token(text: bytes) -> bool:
    if b"eyJ" in text and _ENCODED_JSON.search(text) is not None:
        return True
    if _ASSET.search(text) is not None:
        return False
    return any(
        _LONG_HEX.search(word) is not None or _UUID.search(word) is not None or looks_random(word)
        for word in _WORD.findall(text)
    )


def _holds_personal_code(text: bytes) -> bool:
    """Tell whether the text holds a personal code of Latvia, Estonia or Lithuania."""
    if len(text.translate(None, _NO_DIGITS)) < 11:
        return False
    return any(_is_lv_code(date + rest, is_split=True) for date, rest in _LV_CODE.findall(text)) or any(
        _is_lv_code(digits, is_split=False) or _is_ee_or_lt_code(digits) for digits in _ELEVEN_DIGITS.findall(text)
    )


def _is_lv_code(digits: bytes, *, is_split: bool) -> bool:
    """Tell whether eleven digits are a code of the Latvian register of natural persons.

    Codes given since July 2017 begin with 32 and have neither date nor check digit; older ones are
    DDMMYY-CNNNQ. Written with the hyphen, a date or a check digit is enough: little else has that shape.
    """
    if digits.startswith(b"32"):
        return True
    numbers = [digit - ord("0") for digit in digits]
    weighed = sum(number * weight for number, weight in zip(numbers, _LV_WEIGHTS, strict=False))
    is_checked = (1101 - weighed) % 11 % 10 == numbers[10]
    is_dated = _is_day(digits[0:2], digits[2:4]) and numbers[6] <= 2
    return (is_checked or is_dated) if is_split else (is_checked and is_dated)


def _is_ee_or_lt_code(digits: bytes) -> bool:
    """Tell whether eleven digits are an Estonian isikukood or a Lithuanian asmens kodas: GYYMMDDNNNQ.

    Source: EVS 585; Law of Lithuania on the Population Register, annex.
    """
    numbers = [digit - ord("0") for digit in digits]
    if numbers[0] == 0 or not _is_day(digits[5:7], digits[3:5]):
        return False
    check = 0
    for weights in (_FIRST_WEIGHTS, _SECOND_WEIGHTS):
        check = sum(number * weight for number, weight in zip(numbers, weights, strict=False)) % 11
        if check < 10:
            break
    return check % 10 == numbers[10]


def _is_day(day: bytes, month: bytes) -> bool:
    return b"01" <= day <= b"31" and b"01" <= month <= b"12"
