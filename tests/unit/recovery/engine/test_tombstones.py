"""Tombstones that the server can read, and those at which it puts a TSM file aside.

Each case was judged by `Tombstoner.Walk` of 2.9.1.
"""

import gzip
import struct
from random import Random

import pytest

from recovery.engine import tombstones
from recovery.engine.tombstones import is_readable

KEYS = b"".join(
    struct.pack(">I", len(key)) + key + struct.pack(">qq", -5, 1 << 62)
    for key in (b"cpu,host=a#!~#usage", b"cpu,host=b#!~#usage", b"m" * 5000)
)
FORMS = {number: b"\0\0\x15" + bytes((number,)) for number in (2, 3, 4)}


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _is_readable(content: bytes) -> bool:
    return is_readable(lambda at, size: content[at : at + size], len(content))


FOUR = FORMS[4] + _packed(KEYS)
BROKEN = bytearray(FOUR)
BROKEN[-6] ^= 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", True),
        (b"\0\0\x15", True),
        (b"cpu,host=a\ncpu,host=b\n", True),
        (b"x" * 65535, True),
        (b"x" * 65536, False),
        (FORMS[4], True),
        (FOUR, True),
        (FOUR + _packed(KEYS), True),
        (FORMS[4] + _packed(KEYS[:3]), True),
        (FORMS[4] + _packed(KEYS[:10]) + _packed(KEYS[10:]), False),
        (FORMS[3] + _packed(KEYS[:10]) + _packed(KEYS[10:]), True),
        *((FOUR[:size], False) for size in range(5, 14)),
        (FOUR[:14], True),
        (FOUR[:-14], False),
        (FOUR[:-4], True),
        (bytes(BROKEN), False),
        (FOUR + b"\x1f\x8b", True),
        (FOUR + bytes(9), True),
        (FOUR + bytes(10), False),
        (FORMS[4] + bytes(100), False),
        (FORMS[3], False),
        (FORMS[3] + _packed(KEYS), True),
        (FORMS[3] + _packed(KEYS)[:-1], True),
        (FORMS[2] + KEYS, True),
        (FORMS[2] + KEYS[:-7], True),
        (FORMS[2] + KEYS[:-8], False),
        (FORMS[2] + KEYS + b"\0", False),
        (FORMS[4] + _packed(b"\xff\xff\xff\xff" + KEYS), False),
    ],
)
def test_what_the_server_reads_is_readable_and_nothing_else(
    content: bytes, *, expected: bool
) -> None:
    assert _is_readable(content) == expected


@pytest.mark.parametrize("seed", range(6))
def test_pieces_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    rng = Random(seed)
    content = FORMS[4] + b"".join(
        _packed(KEYS[:cut]) for cut in rng.choices([0, 2, 4, len(KEYS)], k=5)
    )
    cuts = [rng.randrange(len(content)) for _ in range(40)]
    expected = [_is_readable(content[:cut]) for cut in cuts]
    monkeypatch.setattr(tombstones, "PIECE_BYTES", rng.choice([1, 7, 100]))
    assert [_is_readable(content[:cut]) for cut in cuts] == expected
    assert set(expected) == {True, False}
