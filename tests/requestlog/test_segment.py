from __future__ import annotations

import msgspec
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
    found = opened(sealed([record()])[0], worker=worker, segment=segment)
    assert found == [(0, Gap(0, 0, 1, "damaged"))]


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
def test_one_changed_byte_costs_one_frame_and_a_gap_stands_in_its_place(position: int, flip: int) -> None:
    frames = sealed([record(number, f"/{MAGIC.decode()}") for number in range(5)])
    data = bytearray(b"".join(frames))
    data[position % len(data)] ^= flip
    hit, byte = divmod(position % len(data), len(frames[0]))
    found = opened(bytes(data))
    assert [number for number, entry in found if isinstance(entry, Record)] == [n for n in range(5) if n != hit]
    gaps = [(number, entry.lost) for number, entry in found if isinstance(entry, Gap)]
    # A last frame that seems longer than it is can't be told from one whose writing was cut short.
    assert gaps == [(hit, 1)] or (hit == 4 and byte in range(4, 8) and gaps == [])


def test_a_gap_has_the_time_of_what_stands_around_it() -> None:
    frames = sealed([record(10), record(20), record(30), record(40)])
    assert opened(frames[0] + frames[3]) == [(0, record(10)), (2, Gap(10, 40, 2, "damaged")), (3, record(40))]
    assert opened(frames[2])[0] == (1, Gap(30, 30, 2, "damaged"))


def test_a_segment_of_which_nothing_opens_is_a_gap_at_the_time_it_is_given() -> None:
    opener = SegmentOpener("w", 1, b"x" * 32, time_us=77)
    data = b"".join(sealed([record(1), record(2)]))
    assert list(opener.frames(data, complete=True)) == [(1, Gap(77, 77, 2, "damaged"))]


def test_frames_that_come_twice_are_taken_once() -> None:
    frames = sealed([record(1), record(2), record(3)])
    data = frames[0] + frames[0] + frames[1] + frames[0] + frames[2] + frames[1]
    assert [(number, entry) for number, entry in opened(data) if isinstance(entry, Record)] == [
        (0, record(1)),
        (1, record(2)),
        (2, record(3)),
    ]


@pytest.mark.parametrize("complete", [True, False], ids=["complete", "growing"])
@pytest.mark.parametrize("filling", [b"\0", MAGIC, MAGIC + b"\0\0\x3f\xff"], ids=["zeros", "magics", "headers"])
def test_much_damage_is_passed_over_in_pieces(filling: bytes, *, complete: bool) -> None:
    frames = sealed([record(1), record(2)])
    data = frames[0] + filling * (200_000 // len(filling)) + frames[1]
    opener = SegmentOpener("w", 1, KEY)
    found: list[int] = []
    for _ in range(100):
        piece = data[opener.offset : opener.offset + 64 * 1024]
        is_last = opener.offset + len(piece) == len(data)
        found += [number for number, _ in opener.frames(piece, complete=complete and is_last)]
    assert found == [0, 1]
    assert opener.offset == len(data)


def test_a_gap_from_before_networks_were_told_still_opens() -> None:
    before = msgspec.msgpack.encode(["g", 1, 2, 3, "full"])
    assert msgspec.msgpack.Decoder(Entry).decode(before) == Gap(1, 2, 3, "full", "")


@given(st.binary(max_size=300))
def test_any_bytes_are_passed_over_to_the_next_frame_that_opens(noise: bytes) -> None:
    frames = sealed([record(1), record(2)])
    assert [number for number, _ in opened(frames[0] + noise + frames[1])] == [0, 1]


@given(st.binary(max_size=500))
def test_bytes_that_are_no_segment_give_no_record(noise: bytes) -> None:
    assert [entry for _, entry in opened(noise) if isinstance(entry, Record)] == []
