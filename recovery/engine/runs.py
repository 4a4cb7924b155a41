"""Runs of keys that lie alike in a TSM index, read column by column.

Lives here: finding a run, and the times in it. Must not live here: the walk over single keys
(`tsm`), which takes three times as long.

The keys of an index are in order, and so those of one kind of sensor or host follow each other: a
few fields with keys of the same sizes for each, and as many blocks, again and again. Where a row of
such keys repeats, every byte of the layout is checked with one slice over all repetitions, and the
times are gathered with sixteen.

Invariants: a run holds only keys whose sizes, types and numbers of blocks were all checked, each
behind the one before it; what is read is what the walk would read.
"""

import sys
from array import array
from collections.abc import Iterator, Sequence
from operator import gt
from struct import Struct
from typing import Final, NamedTuple

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
_BLOCK_SIZE_BYTES: Final = 28
_NUMBER: Final = Struct(">H")


class _Shape(NamedTuple):
    """What has to be the same for keys to lie alike: the size of the key, and its blocks."""

    key_bytes: int
    block_count: int

    @property
    def size_bytes(self) -> int:
        blocks_bytes = self.block_count * _BLOCK_SIZE_BYTES
        return _KEY_SIZE_BYTES + self.key_bytes + _HEAD_SIZE_BYTES + blocks_bytes


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that lie alike."""

    size_bytes: int
    last_key: bytes
    first_ns: int
    last_ns: int


def find_run(piece: bytes, start: int) -> Run | None:
    """Look for a run of keys.

    Returns:
        The run that begins there; None when there is none that is worth it, or when something is
        wrong in it, which the walk finds out.
    """
    shapes = list(_shapes(piece, start))
    period = _period(shapes)
    if period is None:
        return None
    shapes = shapes[:period]
    stride = sum(one.size_bytes for one in shapes)
    repeats = (len(piece) - start) // stride
    starts = []
    position = start
    for shape in shapes:
        starts.append(position)
        repeats = min(repeats, _alike(piece, position, shape, stride, repeats))
        position += shape.size_bytes
    if repeats < REPEATS_MIN:
        return None
    firsts, lasts = array("q"), array("q")
    for begin, shape in zip(starts, shapes, strict=True):
        first = begin + _KEY_SIZE_BYTES + shape.key_bytes + _HEAD_SIZE_BYTES
        last = begin + shape.size_bytes - _BLOCK_SIZE_BYTES + _TIME_SIZE_BYTES
        firsts.frombytes(_gathered(piece, first, stride, repeats))
        lasts.frombytes(_gathered(piece, last, stride, repeats))
    if sys.byteorder == "little":
        firsts.byteswap()
        lasts.byteswap()
    first_ns, last_ns = min(firsts), max(lasts)
    if any(map(gt, firsts, lasts)) or not TIME_NS_MIN <= first_ns <= last_ns <= TIME_NS_MAX:
        return None
    last_start = starts[-1] + (repeats - 1) * stride + _KEY_SIZE_BYTES
    return Run(
        size_bytes=stride * repeats,
        last_key=piece[last_start : last_start + shapes[-1].key_bytes],
        first_ns=first_ns,
        last_ns=last_ns,
    )


def _shapes(piece: bytes, start: int) -> Iterator[_Shape]:
    """Give the shapes of the next keys, as long as they have blocks."""
    position = start
    for _ in range(SAMPLE):
        if position + _KEY_SIZE_BYTES > len(piece):
            return
        (key_bytes,) = _NUMBER.unpack_from(piece, position)
        head = position + _KEY_SIZE_BYTES + key_bytes
        if head + _HEAD_SIZE_BYTES > len(piece):
            return
        (block_count,) = _NUMBER.unpack_from(piece, head + 1)
        if not block_count:
            return
        yield _Shape(key_bytes, block_count)
        position = head + _HEAD_SIZE_BYTES + block_count * _BLOCK_SIZE_BYTES


def _period(shapes: Sequence[_Shape]) -> int | None:
    """Find after how many keys their shapes repeat."""
    if len(shapes) < SAMPLE:
        return None
    for period in range(1, PERIOD_MAX + 1):
        if shapes[period:] == shapes[:-period]:
            return period
    return None


def _alike(piece: bytes, position: int, shape: _Shape, stride: int, repeats: int) -> int:
    """Count the repetitions in which a key has the same shape, with blocks of a known type."""
    kind = position + _KEY_SIZE_BYTES + shape.key_bytes
    for start, number in ((position, shape.key_bytes), (kind + 1, shape.block_count)):
        for offset, byte in enumerate(_NUMBER.pack(number)):
            column = piece[start + offset :: stride][:repeats]
            repeats = len(column) - len(column.lstrip(bytes((byte,))))
    kinds = piece[kind::stride][:repeats]
    return repeats if repeats and max(kinds) <= BLOCK_KIND_MAX else 0


def _gathered(piece: bytes, offset: int, stride: int, repeats: int) -> bytearray:
    """Gather the eight bytes of a time of each repetition."""
    gathered = bytearray(_TIME_SIZE_BYTES * repeats)
    for number in range(_TIME_SIZE_BYTES):
        gathered[number::_TIME_SIZE_BYTES] = piece[offset + number :: stride][:repeats]
    return gathered
