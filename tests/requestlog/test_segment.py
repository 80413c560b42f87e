from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.requestlog.record import Entry, Gap, Record
from consentkit.requestlog.segment import MAGIC, SegmentOpener, SegmentSealer

KEY = b"k" * 32


def record(number: int = 0, url: str = "/") -> Record:
    return Record(
        number,
        "192.0.2.7",
        "192.0.2.7",
        "peer",
        "GET",
        "https",
        "example.lv",
        url,
        0,
        200,
        "complete",
        5,
        9,
        "",
        "",
    )


def sealed(entries: list[Entry]) -> list[bytes]:
    sealer = SegmentSealer("w", 1, KEY)
    return [sealer.seal(entry) for entry in entries]


def opened(data: bytes, *, worker: str = "w", segment: int = 1, complete: bool = True) -> list[tuple[int, Entry]]:
    return list(SegmentOpener(worker, segment, KEY).frames(data, complete=complete))


def test_what_is_sealed_opens_in_order() -> None:
    entries: list[Entry] = [record(1), Gap(1, 2, 3, "full"), record(2)]
    assert opened(b"".join(sealed(entries))) == list(enumerate(entries))


@pytest.mark.parametrize(
    ("worker", "segment"), [("x", 1), ("w", 2)], ids=["another worker's place", "another segment's place"]
)
def test_a_frame_does_not_open_elsewhere(worker: str, segment: int) -> None:
    assert opened(sealed([record()])[0], worker=worker, segment=segment) == []


def test_a_segment_is_read_as_it_grows() -> None:
    data = b"".join(sealed([record(1), record(2)]))
    opener = SegmentOpener("w", 1, KEY)
    seen: list[int] = []
    for end in range(len(data) + 1):
        seen += [number for number, _ in opener.frames(data[opener.offset : end], complete=False)]
    assert seen == [0, 1]
    assert opener.damaged == 0


def test_a_torn_tail_is_counted_and_the_rest_kept() -> None:
    data = b"".join(sealed([record(1), record(2)]))[:-1]
    opener = SegmentOpener("w", 1, KEY)
    assert [number for number, _ in opener.frames(data, complete=True)] == [0]
    assert opener.damaged == 1


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_changed_byte_costs_one_frame_at_most(position: int, flip: int) -> None:
    frames = sealed([record(number, f"/{MAGIC.decode()}") for number in range(5)])
    data = bytearray(b"".join(frames))
    data[position % len(data)] ^= flip
    found = [number for number, _ in opened(bytes(data))]
    hit = (position % len(data)) // len(frames[0])
    assert found == [number for number in range(5) if number != hit]


@given(st.binary(max_size=300))
def test_any_bytes_are_passed_over_to_the_next_frame_that_opens(noise: bytes) -> None:
    frames = sealed([record(1), record(2)])
    assert [number for number, _ in opened(frames[0] + noise + frames[1])] == [0, 1]


@given(st.binary(max_size=500))
def test_bytes_that_are_no_segment_give_no_frame(noise: bytes) -> None:
    assert opened(noise) == []
