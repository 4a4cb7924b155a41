"""TSM files: the time and the measurements that one holds, from its index.

Lives here: reading an index in pieces. Must not live here: blocks, which are never read, and
tombstones, which take points away and never add one.

A file is: u32 magic, u8 version; blocks; index; u64 offset of the index. The index has for each
key, in their order: u16 length, key, u8 type of its blocks, u16 number of them, and for each block
i64 first time, i64 last time, i64 offset, u32 size. All numbers are big-endian.

Invariants: memory is bounded by `PIECE_BYTES` and one key with all its blocks, 2 MiB. The blocks of
one key are in the order of their times, as the server believes too.

Source: InfluxDB v2.9.1 tsdb/engine/tsm1/writer.go, reader.go (`verifyVersion`,
`mmapAccessor.init`, `indirectIndex.UnmarshalBinary`), encoding.go (`BlockFloat64` …).
"""

from collections.abc import Callable
from contextlib import suppress
from math import inf
from struct import Struct
from struct import error as StructError  # noqa: N812 # it is a class
from typing import Final, TypeAlias

import msgspec

from recovery.engine.keys import Measurements, prefix
from recovery.engine.runs import BLOCK_KIND_MAX, find_run
from recovery.model.shard_groups import TIME_NS_MAX, TIME_NS_MIN, Span

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Reads at an offset, in bytes, so many bytes; fewer only at the end of the file."""

PIECE_BYTES: Final = 1 << 19
WALK_BYTES_MIN: Final = 1 << 13
"""Walked over before another run is looked for."""
MAGIC: Final = 0x16D116D1
VERSION: Final = 1

_HEADER: Final = Struct(">IB")
_FOOTER: Final = Struct(">Q")
_KEY_SIZE: Final = Struct(">H")
_KIND_AND_COUNT: Final = Struct(">BH")
_BLOCK_SIZE_BYTES: Final = 28
_PLACE_SIZE_BYTES: Final = 12
_ONE_BLOCK: Final = Struct(">BHdd12xH")
"""What follows a key that has one block, with the length of the next key (or, behind the last one,
two bytes of the footer): one call of `unpack_from` a key is what makes it fast. It reads times as
floats, which are ordered as their bits are where these are those of a time since 1970, and which
Python makes and compares faster than integers of that size; some of the last year are no number."""
_LAST_BLOCK: Final = Struct(">11xd12xH")
"""The end of the same, where the last of more blocks is read as if it were the only one."""
_FIRST_NS: Final = Struct(">3xq")
_LAST_NS: Final = Struct(">11xq")
_TIMES: Final = Struct(">qq")
_FLOATS: Final = Struct(">dd")


class TsmError(ValueError):
    """A TSM file cannot be understood.

    Attributes:
        problem: Why, as a clause whose subject is the file.
        is_put_aside: Whether the server cannot open it either: it adds .bad to its name, and opens
            the shard without it only when it is started again. Until then each whole file beside
            it takes one of as many places to open files as there are processors, so that a server
            with few of them may never get on.
    """

    def __init__(self, *, problem: str, is_put_aside: bool = True) -> None:
        self.problem = problem
        self.is_put_aside = is_put_aside
        super().__init__(problem)


class TsmFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an index tells.

    Attributes:
        span: The time of all its points, also of those that a tombstone takes away.
        problem: What is wrong in it and keeps neither a server nor this from the rest, as a clause
            whose subject is the file; None when nothing is.
    """

    span: Span
    index_size_bytes: int
    problem: str | None


def read_tsm(read_at: ReadAt, size_bytes: int, measurements: Measurements) -> TsmFacts:
    """Read the index of a TSM file.

    Args:
        measurements: Learns the measurements; also those in front of a damage.

    Raises:
        TsmError: The file is damaged, or none.
        OSError: It cannot be read.
    """
    start, end = _index_bounds(read_at, size_bytes)
    reader = _Index(read_at, start, end, measurements)
    while reader.offset < end:
        reader.read_piece()
    if reader.first_ns > reader.last_ns:
        raise TsmError(problem="has no time in its index that a point can have", is_put_aside=False)
    return TsmFacts(
        span=Span(first_ns=reader.first_ns, last_ns=reader.last_ns),
        index_size_bytes=end - start,
        problem=reader.problem,
    )


def _index_bounds(read_at: ReadAt, size_bytes: int) -> tuple[int, int]:
    if size_bytes < _HEADER.size + _FOOTER.size:
        raise TsmError(problem=f"is too short for a TSM file ({size_bytes} bytes)")
    if _HEADER.unpack(_exactly(read_at, 0, _HEADER.size)) != (MAGIC, VERSION):
        raise TsmError(problem="does not begin as a TSM file")
    end = size_bytes - _FOOTER.size
    (start,) = _FOOTER.unpack(_exactly(read_at, end, _FOOTER.size))
    if not _HEADER.size <= start < end:
        raise TsmError(problem="does not end with the place of its index, so its end is lost")
    return start, end


class _Index:
    """An index that is being read.

    Attributes:
        offset: Of the next key in the file.
        first_ns: The first time so far.
        last_ns: The last time so far.
        problem: As in `TsmFacts`.
    """

    def __init__(self, read_at: ReadAt, start: int, end: int, measurements: Measurements) -> None:
        self._read_at = read_at
        self._end = end
        self._measurements = measurements
        self._wanted_bytes = PIECE_BYTES
        self._patience_bytes = WALK_BYTES_MIN
        self.offset = start
        self.first_ns = TIME_NS_MAX + 1
        self.last_ns = TIME_NS_MIN - 1
        self.problem: str | None = None

    def read_piece(self) -> None:
        """Read on, as many whole keys as a piece holds; `TsmError` for damage, or `OSError`."""
        size_bytes = min(self._wanted_bytes, self._end + _FOOTER.size - self.offset)
        piece = _exactly(self._read_at, self.offset, size_bytes)
        self._wanted_bytes = PIECE_BYTES
        position = 0
        while self.offset + position < self._end:
            run = find_run(piece, position)
            if run is None:
                end, last_key = self._walk(piece, position, position + self._patience_bytes)
                # The less it helps, the less often is it tried, but once in each piece.
                self._patience_bytes = min(self._patience_bytes * 2, PIECE_BYTES)
            else:
                end, last_key = position + run.size_bytes, run.last_key
                self._note_times(run.first_ns, run.last_ns)
                self._patience_bytes = WALK_BYTES_MIN
            self._require_whole(end)
            if end == position:
                break
            self._note_measurements(piece, position, end, last_key)
            position = end
        if not position:
            self._want_more(piece)
        self.offset += position

    def _walk(self, piece: bytes, start: int, until: int) -> tuple[int, bytes]:
        """Walk over the keys of a piece: all that is done for every one of them.

        Args:
            until: No key but the first is begun behind it.

        Returns:
            Where the last key that is whole ends, and that key.
        """
        unpack, size_bytes = _ONE_BLOCK.unpack_from, _ONE_BLOCK.size
        key_size = _key_size(piece, start)
        position = start + _KEY_SIZE.size + key_size  # of what follows the key
        begun = piece[: max(until, position) + size_bytes]
        lowest, highest = inf, 0.0
        last_position = last_size = 0
        with suppress(StructError):  # raised at the end of what is there
            while True:
                kind, block_count, first, last, next_size = unpack(begun, position)
                behind = position
                if block_count != 1:
                    if not block_count:
                        raise TsmError(
                            problem="has a key without a block: influxd panics at it, so move it "
                            "away",
                            is_put_aside=False,
                        )
                    behind += (block_count - 1) * _BLOCK_SIZE_BYTES
                    last, next_size = _LAST_BLOCK.unpack_from(piece, behind)
                # In this order, as some are no number, of which every comparison is false.
                if first > 0.0 and last >= first and kind <= BLOCK_KIND_MAX:
                    if first < lowest:  # noqa: PLR1730 # min() takes four times as long
                        lowest = first
                    if last > highest:  # noqa: PLR1730 # as above
                        highest = last
                else:
                    self._note_odd(piece, position, behind, kind)
                last_position = position
                last_size = key_size
                key_size = next_size
                position = behind + size_bytes + next_size
        if lowest <= highest:
            self._note_times(*_TIMES.unpack(_FLOATS.pack(lowest, highest)))
        end = position - _KEY_SIZE.size - key_size
        return end, piece[last_position - last_size : last_position]

    def _note_odd(self, piece: bytes, position: int, behind: int, kind: int) -> None:
        """Note the times of a key that does not begin since 1970, or that cannot be."""
        (first,), (last,) = (
            _FIRST_NS.unpack_from(piece, position),
            _LAST_NS.unpack_from(piece, behind),
        )
        if first > last or first < TIME_NS_MIN or last > TIME_NS_MAX or kind > BLOCK_KIND_MAX:
            # The server believes it and answers from the other keys, so these count.
            self.problem = "has a block in its index that cannot be, which is left out"
        else:
            self._note_times(first, last)

    def _note_times(self, first: int, last: int) -> None:
        self.first_ns, self.last_ns = min(self.first_ns, first), max(self.last_ns, last)

    def _want_more(self, piece: bytes) -> None:
        """Ask for a piece that holds the next key with all its blocks."""
        position = _KEY_SIZE.size + _key_size(piece, 0)
        needed = position + _KIND_AND_COUNT.size
        if needed <= len(piece):
            _, block_count = _KIND_AND_COUNT.unpack_from(piece, position)
            needed += (block_count or 1) * _BLOCK_SIZE_BYTES
        self._require_whole(needed)
        self._wanted_bytes = needed + _ONE_BLOCK.size

    def _require_whole(self, end: int) -> None:
        """Refuse a key that ends behind the index; the server reads no further than its times."""
        behind = self.offset + end - self._end
        if behind > 0:
            raise TsmError(
                problem="has an index that ends inside of a key",
                is_put_aside=behind >= _PLACE_SIZE_BYTES,
            )

    def _note_measurements(self, piece: bytes, start: int, end: int, last_key: bytes) -> None:
        """Note the measurements of keys; only where they change, every key is looked at."""
        position = start + _KEY_SIZE.size
        first_key = piece[position : position + _key_size(piece, start)]
        self._measurements.note(first_key)
        known = prefix(first_key)
        if last_key.startswith(known):  # keys are in order, so all between them do as well
            return
        position = start
        while position < end:
            key_size = _key_size(piece, position)
            position += _KEY_SIZE.size
            if not piece.startswith(known, position):
                key = piece[position : position + key_size]
                self._measurements.note(key)
                known = prefix(key)
            position += key_size
            _, block_count = _KIND_AND_COUNT.unpack_from(piece, position)
            position += _KIND_AND_COUNT.size + block_count * _BLOCK_SIZE_BYTES


def _key_size(piece: bytes, position: int) -> int:
    """Read the size of the key that begins at a position, with bytes of the footer behind it."""
    return int(_KEY_SIZE.unpack_from(piece, position)[0])


def _exactly(read_at: ReadAt, offset: int, size_bytes: int) -> bytes:
    content = read_at(offset, size_bytes)
    if len(content) < size_bytes:
        raise TsmError(problem="became shorter while it was read", is_put_aside=False)
    return content
