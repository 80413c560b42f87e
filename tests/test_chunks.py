"""Content that is sealed in chunks: all of it comes back, and nothing else does."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentkit.crypto import BadChunk, ChunkSealer, open_chunks, opened_bytes
from consentkit.crypto.chunks import CHUNK_BYTES, TAG_BYTES

KEY = bytes(range(32))
WHAT = b"export/of-a-test"
CHUNK = CHUNK_BYTES + TAG_BYTES


def sealed(content: bytes, *cuts: int, key: bytes = KEY) -> bytes:
    """Seal a content that comes in pieces, cut at places."""
    sealer = ChunkSealer(key, WHAT)
    ends = [*sorted(min(cut, len(content)) for cut in cuts), len(content)]
    pieces = [content[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return b"".join([*map(sealer.update, pieces), sealer.finish()])


def opened(data: bytes, *, key: bytes = KEY, context: bytes = WHAT) -> bytes:
    return b"".join(open_chunks(io.BytesIO(data), key, context))


@settings(deadline=None, max_examples=30)
@given(
    length=st.sampled_from(
        [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7]
    ),
    cuts=st.lists(st.integers(0, 4 * CHUNK_BYTES), max_size=4),
)
def test_what_was_sealed_in_any_pieces_opens_and_its_length_is_known(length: int, cuts: list[int]) -> None:
    content = (bytes(range(251)) * (length // 251 + 1))[:length]
    data = sealed(content, *cuts)
    assert opened(data) == content
    assert opened_bytes(len(data)) == length


THREE = sealed(bytes(2 * CHUNK_BYTES + 10))
FIRST, SECOND, LAST = THREE[:CHUNK], THREE[CHUNK : 2 * CHUNK], THREE[2 * CHUNK :]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda: b"", id="emptied"),
        pytest.param(lambda: FIRST, id="all-but-the-first-cut-off"),
        pytest.param(lambda: FIRST + SECOND, id="the-last-cut-off"),
        pytest.param(lambda: THREE[:-1], id="a-byte-cut-off"),
        pytest.param(lambda: FIRST + LAST, id="one-left-out"),
        pytest.param(lambda: SECOND + FIRST + LAST, id="exchanged"),
        pytest.param(lambda: FIRST + FIRST + SECOND + LAST, id="repeated"),
        pytest.param(lambda: THREE + bytes(5), id="more-behind"),
        pytest.param(lambda: THREE + LAST, id="the-last-twice"),
        pytest.param(lambda: sealed(bytes(2 * CHUNK_BYTES + 10), key=bytes(32)), id="of-another-key"),
    ],
)
def test_what_was_changed_breaks_off(change: Callable[[], bytes]) -> None:
    with pytest.raises(BadChunk):
        opened(change())


@settings(deadline=None, max_examples=40)
@given(place=st.integers(0, len(THREE) - 1), bit=st.integers(0, 7))
def test_a_bit_that_was_turned_is_seen_before_its_chunk_comes_out(place: int, bit: int) -> None:
    data = bytearray(THREE)
    data[place] ^= 1 << bit
    chunks = open_chunks(io.BytesIO(bytes(data)), KEY, WHAT)
    proved: list[bytes] = []
    with pytest.raises(BadChunk):
        proved.extend(chunks)
    assert len(proved) <= place // CHUNK


def test_it_opens_as_what_it_is_alone() -> None:
    with pytest.raises(BadChunk):
        opened(THREE, context=b"export/another")


@pytest.mark.parametrize("length", [0, 1, TAG_BYTES - 1, CHUNK + 1, CHUNK + TAG_BYTES])
def test_a_length_that_no_content_gives_is_refused(length: int) -> None:
    with pytest.raises(BadChunk):
        opened_bytes(length)
