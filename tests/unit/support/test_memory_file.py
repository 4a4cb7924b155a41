"""A file in memory does what a file on disk does."""

from tests.support.memory_file import MemoryFile


def test_reading_past_the_end_gives_fewer_bytes() -> None:
    file = MemoryFile(b"abcdef")
    assert (file.read_at(2, 3), file.read_at(4, 9), file.read_at(6, 1)) == (b"cde", b"ef", b"")


def test_writing_behind_the_end_fills_the_gap_with_zeros() -> None:
    file = MemoryFile(b"ab")
    file.write_at(4, b"cd")
    assert file.content() == b"ab\0\0cd"


def test_writing_in_the_middle_moves_nothing() -> None:
    file = MemoryFile(b"abcdef")
    file.write_at(2, b"XY")
    file.sync()
    assert file.content() == b"abXYef"


def test_the_size_is_set_both_ways() -> None:
    file = MemoryFile(b"abcdef")
    file.resize(2)
    assert file.content() == b"ab"
    file.resize(4)
    assert file.content() == b"ab\0\0"
    assert file.size_bytes() == 4


def test_the_content_stays_when_it_is_closed() -> None:
    file = MemoryFile(b"ab")
    file.close()
    file.close()
    assert file.content() == b"ab"


def test_what_was_read_does_not_change_with_the_file() -> None:
    file = MemoryFile(b"abcdef")
    before = file.read_at(0, 3)
    file.write_at(0, b"XYZ")
    assert before == b"abc"
