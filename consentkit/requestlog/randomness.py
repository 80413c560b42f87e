"""Tells random strings from words, by how their characters follow one another.

Owns one judgement: would a person have written this, or a generator? `identifiers` asks it of words that
are long enough to be secrets.
"""

from __future__ import annotations

from typing import Final

_MAX_WORD_BYTES: Final = 256  # more of a random string tells nothing new

# Classes: 0 lower-case vowel, 1 lower-case consonant, 2 upper-case vowel, 3 upper-case consonant, 4 digit,
# 5 separator. In words vowels and consonants take turns, capitals begin and digits keep together.
_CLASSES: Final = bytes(
    5
    if not chr(code).isalnum() or code > 0x7F
    else 4
    if chr(code).isdigit()
    else (2 if chr(code).isupper() else 0) + (chr(code).lower() not in "aeiouy")
    for code in range(256)
)
# Bits by which a pair (before, after) is likelier in random base64url and base36 than in names of files,
# identifiers of programs and pages of web sites: log2 of the ratio of frequencies, measured and rounded.
# A separator always counts -2: slugs have many, and in a token one would outweigh much of the rest.
_BITS: Final = (
    (0, -1, 3, 3, 7, -2),
    (-2, 0, 3, 3, 6, -2),
    (1, -1, 1, 1, 4, -2),
    (-3, 1, 1, 1, 3, -2),
    (2, 2, 1, 1, -1, -2),
    (-1, -1, 2, 2, 1, 0),
)


def looks_random(word: bytes) -> bool:
    """Tell whether a word of letters, digits, ``-``, ``_`` and ``+`` looks generated rather than written.

    Of random base64url words of 22 characters fewer than 1 in 1,500 pass for written, of those of small
    letters and digits 1 in 80 (of 32 characters: 1 in 350). Of names that people wrote fewer than 1 in 100
    pass for random, most of them identifiers of programs. Words in one case and without digits are never
    random: there is nothing to tell them by.
    """
    text = word[:_MAX_WORD_BYTES]
    lower = text.lower()
    if text in (lower, text.upper()):
        if text.translate(None, b"0123456789") == text:
            return False
        text = lower  # all capitals is a way of writing, too
    bits = 0
    before = _BITS[5]
    for kind in text.translate(_CLASSES):
        bits += before[kind]
        before = _BITS[kind]
    return bits >= 0
