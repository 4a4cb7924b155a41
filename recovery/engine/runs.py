"""Runs of keys that lie alike in a TSM index, read column by column.

Lives here: finding a run, and the times in it. Must not live here: the walk over single keys
(`tsm`), which takes three times as long.

The keys of an index are in order, and so those of one kind of sensor or host follow each other: a
few fields with keys of the same sizes for each, again and again. Where a row of keys with one block
each repeats, every byte of the layout is checked with one slice over all repetitions, and the
times are gathered with sixteen.

Invariants: a run holds only keys whose sizes, types and numbers of blocks were all checked, each
behind the one before it; what is read is what the walk would read.
"""

import sys
from array import array
from collections.abc import Iterator, Sequence
from operator import gt
from struct import Struct
from typing import Final

import msgspec

from recovery.model.shard_groups import TIME_NS_MAX, TIME_NS_MIN

SAMPLE: Final = 64
"""Keys that are looked at to find out how they repeat."""
PERIOD_MAX: Final = 24
REPEATS_MIN: Final = 24
"""Fewer are read faster one by one."""
BLOCK_KIND_MAX: Final = 4

_KEY_SIZE_BYTES: Final = 2
_HEAD_SIZE_BYTES: Final = 3
_TIME_SIZE_BYTES: Final = 8
_TAIL_SIZE_BYTES: Final = 31
_KEY_SIZE: Final = Struct(">H")
_ONE_BLOCK: Final = b"\0\1"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that lie alike.

    Attributes:
        size_bytes: Size of all of them.
        first_ns: The first time of all.
        last_ns: The last time of all.
    """

    size_bytes: int
    key_count: int
    last_key: bytes
    first_ns: int
    last_ns: int


def find_run(piece: bytes, start: int) -> Run | None:
    """Look for a run of keys with one block each.

    Args:
        piece: Part of an index.
        start: Where a key begins in it.

    Returns:
        The run that begins there; None when there is none that is worth it, or when something is
        wrong in it, which the walk finds out.
    """
    sizes = list(_sizes(piece, start))
    period = _period(sizes)
    if period is None:
        return None
    stride = sum(sizes[:period]) + period * (_KEY_SIZE_BYTES + _TAIL_SIZE_BYTES)
    repeats = (len(piece) - start) // stride
    starts = []
    position = start
    for size in sizes[:period]:
        starts.append(position)
        repeats = min(repeats, _alike(piece, position, size, stride, repeats))
        position += size + _KEY_SIZE_BYTES + _TAIL_SIZE_BYTES
    if repeats < REPEATS_MIN:
        return None
    firsts, lasts = array("q"), array("q")
    for begin, size in zip(starts, sizes, strict=False):
        at = begin + _KEY_SIZE_BYTES + size + _HEAD_SIZE_BYTES
        firsts.frombytes(_gathered(piece, at, stride, repeats))
        lasts.frombytes(_gathered(piece, at + _TIME_SIZE_BYTES, stride, repeats))
    if sys.byteorder == "little":
        firsts.byteswap()
        lasts.byteswap()
    first_ns, last_ns = min(firsts), max(lasts)
    if any(map(gt, firsts, lasts)) or not TIME_NS_MIN <= first_ns <= last_ns <= TIME_NS_MAX:
        return None
    last_start = starts[-1] + (repeats - 1) * stride + _KEY_SIZE_BYTES
    return Run(
        size_bytes=stride * repeats,
        key_count=period * repeats,
        last_key=piece[last_start : last_start + sizes[period - 1]],
        first_ns=first_ns,
        last_ns=last_ns,
    )


def _sizes(piece: bytes, start: int) -> Iterator[int]:
    """Give the sizes of the next keys, as long as they have one block."""
    position = start
    for _ in range(SAMPLE):
        if position + _KEY_SIZE_BYTES > len(piece):
            return
        (size,) = _KEY_SIZE.unpack_from(piece, position)
        head = position + _KEY_SIZE_BYTES + size
        if piece[head + 1 : head + _HEAD_SIZE_BYTES] != _ONE_BLOCK:
            return
        yield size
        position = head + _TAIL_SIZE_BYTES


def _period(sizes: Sequence[int]) -> int | None:
    """Find after how many keys their sizes repeat."""
    if len(sizes) < SAMPLE:
        return None
    for period in range(1, PERIOD_MAX + 1):
        if sizes[period:] == sizes[:-period]:
            return period
    return None


def _alike(piece: bytes, position: int, size: int, stride: int, repeats: int) -> int:
    """Count the repetitions in which a key has the same size and one block of a known type."""
    kind = position + _KEY_SIZE_BYTES + size
    expected = _KEY_SIZE.pack(size)
    for offset, byte in (
        (position, expected[:1]),
        (position + 1, expected[1:]),
        (kind + 1, _ONE_BLOCK[:1]),
        (kind + 2, _ONE_BLOCK[1:]),
    ):
        column = piece[offset::stride][:repeats]
        repeats = len(column) - len(column.lstrip(byte))
    kinds = piece[kind::stride][:repeats]
    return repeats if repeats and max(kinds) <= BLOCK_KIND_MAX else 0


def _gathered(piece: bytes, offset: int, stride: int, repeats: int) -> bytearray:
    """Gather the eight bytes of a time of each repetition."""
    gathered = bytearray(_TIME_SIZE_BYTES * repeats)
    for number in range(_TIME_SIZE_BYTES):
        gathered[number::_TIME_SIZE_BYTES] = piece[offset + number :: stride][:repeats]
    return gathered
