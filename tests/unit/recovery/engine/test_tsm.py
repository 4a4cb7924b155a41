"""Reading the index of a TSM file."""

import struct
from random import Random

import pytest

from recovery.engine import tsm
from recovery.engine.keys import Measurements
from recovery.engine.tsm import TsmError, TsmFacts, read_tsm
from recovery.model.shard_groups import TIME_NS_MAX, TIME_NS_MIN, Span
from tests.support.engine_files import Blocks, tsm_file, tsm_index


def _read(content: bytes) -> tuple[TsmFacts, list[str]]:
    measurements = Measurements()
    facts = read_tsm(
        lambda offset, size: content[offset : offset + size], len(content), measurements
    )
    return facts, measurements.names


def test_the_time_of_a_file_is_that_of_all_its_keys() -> None:
    keys = {b"a,x=1#!~#f": [(5, 9)], b"a,x=2#!~#f": [(-7, 2), (3, 8)], b"b#!~#g": [(6, 40)]}
    facts, names = _read(tsm_file(keys))
    assert facts.span == Span(first_ns=-7, last_ns=40)
    assert names == ["a", "b"]


@pytest.mark.parametrize("seed", range(12))
def test_pieces_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = Random(seed)
    monkeypatch.setattr(tsm, "PIECE_BYTES", rng.choice([64, 100, 333, 4096, 1 << 19]))
    keys: dict[bytes, Blocks] = {}
    for number in range(rng.randrange(1, 200)):
        name = rng.choice([b"cpu", b"mem", b"m\\,x", b"cpu-total", b"m" * 300])
        key = name + b",host=%d#!~#f%s" % (number, b"x" * rng.randrange(20))
        times = sorted(
            rng.randrange(-(10**18), 10**18) for _ in range(2 * rng.choice([1, 1, 1, 2, 40]))
        )
        keys[key] = list(zip(times[::2], times[1::2], strict=True))
    facts, names = _read(tsm_file(keys, kind=rng.randrange(5)))
    assert facts.span.first_ns == min(blocks[0][0] for blocks in keys.values())
    assert facts.span.last_ns == max(blocks[-1][1] for blocks in keys.values())
    plain = {key.partition(b",host")[0].replace(b"\\,", b",").decode() for key in keys}
    assert names == sorted(plain)


def test_the_longest_key_with_the_most_blocks_is_read() -> None:
    blocks = [(number, number) for number in range(65535)]
    facts, _ = _read(tsm_file({b"k" * 65535: blocks, b"z#!~#f": [(1, 70000)]}))
    assert facts.span == Span(first_ns=0, last_ns=70000)


def test_the_first_and_the_last_moment_that_there_are() -> None:
    facts, _ = _read(tsm_file({b"a#!~#f": [(TIME_NS_MIN, TIME_NS_MAX)]}))
    assert facts.span == Span(first_ns=TIME_NS_MIN, last_ns=TIME_NS_MAX)


def test_a_measurement_that_changes_within_a_piece_is_noted() -> None:
    keys = {b"m%d,t=1#!~#f" % number: [(1, 2)] for number in range(50)}
    _, names = _read(tsm_file(keys))
    assert len(names) == 50


@pytest.mark.parametrize("seed", range(8))
def test_keys_that_lie_alike_give_the_same_as_keys_that_do_not(seed: int) -> None:
    """Runs are read column by column; a key of another size or of more blocks ends one."""
    rng = Random(seed)
    fields = [(b"f" * rng.randrange(1, 9), rng.randrange(3)) for _ in range(rng.randrange(1, 12))]
    keys: dict[bytes, Blocks] = {}
    for number in range(600):
        host = b"host%05d" % number + (b"x" if rng.random() < 0.01 else b"")
        for place, (name, more) in enumerate(fields):
            first = rng.randrange(-(10**18), 10**18)
            blocks = [(first, first + rng.randrange(10**12))]
            blocks += [(first + 10**12, first + 10**13)] * (more + (rng.random() < 0.01))
            keys[b"%s,h=%s#!~#%d%s" % (b"m%d" % (number // 250), host, place, name)] = blocks
    facts, names = _read(tsm_file(keys, kind=rng.randrange(5)))
    assert facts.span.first_ns == min(blocks[0][0] for blocks in keys.values())
    assert facts.span.last_ns == max(blocks[-1][1] for blocks in keys.values())
    assert names == ["m0", "m1", "m2"]


LAST_YEAR = 0x7FF0 << 48
"""From here on the bits of a time are those of no number."""


@pytest.mark.parametrize(
    "span",
    [
        (0, 0),
        (-1, -1),
        (-5, 5),
        (0, 1),
        (TIME_NS_MIN, -1),
        (LAST_YEAR - 1, LAST_YEAR + 1),
        (LAST_YEAR, LAST_YEAR),
        (LAST_YEAR + 5, TIME_NS_MAX),
        (1, TIME_NS_MAX),
    ],
)
def test_times_of_any_kind_are_read_from_keys_of_any_size(span: tuple[int, int]) -> None:
    """Such keys are walked over one by one, with times as floats, which some are not."""
    middle = sum(span) // 2
    keys: dict[bytes, Blocks] = {
        b"m,h=%s%d#!~#f" % (b"x" * (number * number % 17), number): [(middle, middle)]
        for number in range(300)
    }
    for one in (b"m#!~#f", b"n#!~#f"):  # the first and the last key
        facts, _ = _read(tsm_file({**keys, one: [span]}))
        assert (facts.span.first_ns, facts.span.last_ns, facts.problem) == (*span, None)
        facts, _ = _read(tsm_file({**keys, one: [(span[0], middle), (middle, span[1])]}))
        assert (facts.span.first_ns, facts.span.last_ns, facts.problem) == (*span, None)
        if span[0] < span[1]:
            facts, _ = _read(tsm_file({**keys, one: [span[::-1]]}))
            assert facts.span == Span(first_ns=middle, last_ns=middle)
            assert facts.problem is not None


@pytest.mark.parametrize("block", [(9, 5), (-(1 << 63), 9), (5, (1 << 63) - 1)])
def test_a_block_that_cannot_be_is_left_out_and_told(block: tuple[int, int]) -> None:
    """A real server opens such a file and answers from its other keys."""
    keys: dict[bytes, Blocks] = {b"m,h=%05d#!~#f" % number: [(5, 9)] for number in range(500)}
    keys[b"m,h=00300#!~#f"] = [block]
    facts, _ = _read(tsm_file(keys))
    assert facts.span == Span(first_ns=5, last_ns=9)
    assert "cannot be" in str(facts.problem)


GOOD = tsm_file({b"a,x=1#!~#f": [(5, 9)], b"b#!~#g": [(6, 40), (41, 50)]})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "too short"),
        (GOOD[:12], "too short"),
        (b"\0" + GOOD[1:], "begin"),
        (GOOD[:4] + b"\x02" + GOOD[5:], "begin"),
        (GOOD[:-1], "end"),
        (GOOD[:-8] + struct.pack(">Q", len(GOOD) - 8), "end"),
        (GOOD[:-8] + struct.pack(">Q", 4), "end"),
        (GOOD[:-20] + GOOD[-8:], "inside of a key"),
        (tsm_file({b"a#!~#f": []}), "inside of a key"),
        (tsm_file({b"a#!~#f": [], b"b#!~#f": [(1, 2)]}), "panics"),
        (tsm_file({b"a#!~#f": [(9, 5)]}), "no time"),
        (tsm_file({b"a#!~#f": [(5, 9)]}, kind=5), "no time"),
        (tsm_file({b"a#!~#f": [(-(1 << 63), 9)]}), "time"),
    ],
)
def test_a_damaged_file_is_told(content: bytes, problem: str) -> None:
    with pytest.raises(TsmError, match=problem):
        _read(content)


@pytest.mark.parametrize("seed", range(20))
def test_a_file_with_changed_bytes_ends_in_facts_or_in_an_error(seed: int) -> None:
    rng = Random(seed)
    keys = {b"m%d,t=1#!~#f" % number: [(number, number + 5)] * 2 for number in range(40)}
    for _ in range(30):
        content = bytearray(tsm_file(keys))
        for _ in range(rng.randrange(1, 6)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            facts, _ = _read(
                bytes(content[: rng.choice([len(content), rng.randrange(len(content))])])
            )
        except TsmError:
            continue
        assert TIME_NS_MIN <= facts.span.first_ns <= facts.span.last_ns <= TIME_NS_MAX


def test_blocks_are_not_read() -> None:
    content = tsm_file({b"a#!~#f": [(5, 9)]}, blocks=bytes(1 << 20))
    index = tsm_index({b"a#!~#f": [(5, 9)]})
    read = []

    def read_at(offset: int, size: int) -> bytes:
        read.append(size)
        return content[offset : offset + size]

    read_tsm(read_at, len(content), Measurements())
    assert sum(read) <= len(index) + 8 + 8 + 5
