"""Buckets: keys and values, limits, nesting, the inline form, sequences, deletion."""

import sys
from collections.abc import Callable

import pytest

import bolt_store
from bolt_store.errors import (
    BucketExistsError,
    BucketNotFoundError,
    IncompatibleValueError,
    KeyRequiredError,
    KeyTooLargeError,
    LimitError,
    PageError,
    ReadOnlyError,
    TxClosedError,
    ValueTooLargeError,
)
from tests.support.bolt_files import key, memory_db, reopened, sample, value
from tests.support.memory_file import MemoryFile
from tests.support.model import Model, dump_bucket, problems
from tests.support.surgery import Patient

PAGE_SIZES = [1024, 4096, 16384]


def require_refusals(error: type[Exception], *attempts: Callable[[], object]) -> None:
    for attempt in attempts:
        with pytest.raises(error):
            attempt()


# -- keys and values -----------------------------------------------------------------------------


def test_a_value_is_what_was_put_last() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            bucket = tx.create_bucket(b"b")
            bucket.put(b"k", b"first")
            bucket.put(b"k", b"second")
            assert bucket.get(b"k") == b"second"
        assert reopened(file) == {b"b": {b"k": b"second"}}


def test_an_absent_key_has_no_value_and_an_empty_value_is_one() -> None:
    with memory_db() as (db, _):
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"empty", b"")
        with db.view() as tx:
            assert tx.bucket(b"b").get(b"empty") == b""
            assert tx.bucket(b"b").get(b"absent") is None
            assert tx.bucket(b"b").get(b"") is None


def test_deleting_tells_whether_the_key_was_there() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = tx.create_bucket(b"b")
        bucket.put(b"k", b"v")
        assert bucket.delete(b"k")
        assert not bucket.delete(b"k")
        assert bucket.get(b"k") is None


@pytest.mark.parametrize("size", [1, 32768])
def test_f8_a_key_may_have_1_to_32768_bytes(size: int) -> None:
    with memory_db(4096) as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"k" * size, b"v")
        assert reopened(file) == {b"b": {b"k" * size: b"v"}}


def test_f8_a_key_of_32769_bytes_is_refused() -> None:
    with memory_db(4096) as (db, file):
        with db.update() as tx:
            bucket = tx.create_bucket(b"b")
            with pytest.raises(KeyTooLargeError) as caught:
                bucket.put(b"k" * 32769, b"v")
        assert (caught.value.found_bytes, caught.value.limit_bytes) == (32769, 32768)
        assert reopened(file) == {b"b": {}}


def test_f8_an_empty_key_is_refused() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = tx.create_bucket(b"b")
        with pytest.raises(KeyRequiredError):
            bucket.put(b"", b"v")
        with pytest.raises(KeyRequiredError):
            bucket.create_bucket(b"")
        with pytest.raises(KeyRequiredError):
            tx.create_bucket(b"")


@pytest.mark.parametrize("page_size_bytes", PAGE_SIZES)
def test_f8_a_value_of_8_mb_is_kept(page_size_bytes: int) -> None:
    big = b"8 megabytes." * 700_000
    with memory_db(page_size_bytes) as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"k", big)
        assert reopened(file) == {b"b": {b"k": big}}


def test_f8_a_value_beyond_the_limit_is_refused() -> None:
    class Huge(bytes):
        """Says that it is larger than it is; two gigabytes are too much for a test."""

        def __len__(self) -> int:
            return (1 << 31) - 1

    with memory_db() as (db, _), db.update() as tx:
        bucket = tx.create_bucket(b"b")
        with pytest.raises(ValueTooLargeError) as caught:
            bucket.put(b"k", Huge())
    assert (caught.value.found_bytes, caught.value.limit_bytes) == ((1 << 31) - 1, (1 << 31) - 2)


@pytest.mark.parametrize("page_size_bytes", PAGE_SIZES)
def test_f8_the_name_of_a_bucket_may_have_70000_bytes(page_size_bytes: int) -> None:
    """Go's limit for keys does not hold for buckets."""
    name = b"n" * 70_000
    with memory_db(page_size_bytes) as (db, file):
        with db.update() as tx:
            tx.create_bucket(name).create_bucket(name).put(b"k", b"v")
        assert reopened(file) == {name: {name: {b"k": b"v"}}}


def test_values_come_back_as_bytes_of_their_own() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = tx.create_bucket(b"b")
        changing = bytearray(b"abc")
        bucket.put(b"k", bytes(changing))
        bucket.put(bytes(bytearray(b"l")), memoryview(changing))  # type: ignore[arg-type] # bytes-like is taken, too
        changing[0] = 0
        assert type(bucket.get(b"l")) is bytes
        assert (bucket.get(b"k"), bucket.get(b"l")) == (b"abc", b"abc")


# -- walking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    ("start", "stop", "prefix", "numbers"),
    [
        (None, None, b"", range(300)),
        (key(7), None, b"", range(7, 300)),
        (key(6) + b"\0", None, b"", range(7, 300)),
        (None, key(7), b"", range(7)),
        (key(7), key(11), b"", range(7, 11)),
        (key(7), key(7), b"", range(0)),
        (key(11), key(7), b"", range(0)),
        (b"a", b"z", b"", range(300)),
        (b"z", None, b"", range(0)),
        (None, b"a", b"", range(0)),
        (None, None, key(12)[:-1], range(10, 20)),
        (key(15), None, key(12)[:-1], range(15, 20)),
        (None, key(15), key(12)[:-1], range(10, 15)),
        (key(100), None, key(12)[:-1], range(0)),
        (None, None, b"absent", range(0)),
        (None, None, key(299), range(299, 300)),
    ],
)
def test_items_are_those_of_the_range_and_the_prefix(
    *, write: bool, start: bytes | None, stop: bytes | None, prefix: bytes, numbers: range
) -> None:
    with memory_db() as (db, _):
        with db.update() as tx:
            bucket = tx.create_bucket(b"tree")
            for number in range(300):
                bucket.put(key(number), value(number))
        with db.update() if write else db.view() as tx:
            items = tx.bucket(b"tree").items(prefix=prefix, start=start, stop=stop)
            assert list(items) == [(key(number), value(number)) for number in numbers]


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        (b"\xff", [b"\xff", b"\xff\xff", b"\xff\xffa"]),
        (b"\xff\xff", [b"\xff\xff", b"\xff\xffa"]),
        (b"a\xff", [b"a\xff", b"a\xffz"]),
        (b"a", [b"a", b"a\xff", b"a\xffz"]),
    ],
)
def test_a_prefix_may_end_with_the_highest_byte(prefix: bytes, keys: list[bytes]) -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = tx.create_bucket(b"b")
        for each in (b"a", b"a\xff", b"a\xffz", b"b", b"\xff", b"\xff\xff", b"\xff\xffa"):
            bucket.put(each, b"")
        assert [found for found, _ in bucket.items(prefix=prefix)] == keys


def test_buckets_and_values_are_walked_together_and_buckets_alone() -> None:
    with memory_db() as (db, _):
        with db.update() as tx:
            bucket = tx.create_bucket(b"b")
            bucket.put(b"1", b"v")
            bucket.create_bucket(b"2").put(b"k", b"below")
            bucket.put(b"3", b"v")
        with db.view() as tx:
            bucket = tx.bucket(b"b")
            assert list(bucket.items()) == [(b"1", b"v"), (b"2", None), (b"3", b"v")]
            below = [(name, each.get(b"k")) for name, each in bucket.buckets()]
            assert below == [(b"2", b"below")]
            assert [name for name, _ in tx.buckets()] == [b"b"]


# -- buckets in buckets --------------------------------------------------------------------------


def test_a_bucket_that_is_not_there_is_an_error() -> None:
    with memory_db() as (db, _), db.update() as tx:
        with pytest.raises(BucketNotFoundError):
            tx.bucket(b"absent")
        with pytest.raises(BucketNotFoundError):
            tx.delete_bucket(b"absent")
        assert not tx.has_bucket(b"absent")


def test_a_bucket_that_is_there_is_not_made_again() -> None:
    with memory_db() as (db, _), db.update() as tx:
        tx.create_bucket(b"b").put(b"k", b"v")
        with pytest.raises(BucketExistsError):
            tx.create_bucket(b"b")
        assert tx.bucket(b"b").get(b"k") == b"v"


def test_a_bucket_and_a_plain_value_do_not_take_each_others_place() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = tx.create_bucket(b"b")
        bucket.put(b"plain", b"v")
        bucket.create_bucket(b"bucket")
        require_refusals(
            IncompatibleValueError,
            lambda: bucket.put(b"bucket", b"v"),
            lambda: bucket.delete(b"bucket"),
            lambda: bucket.bucket(b"plain"),
            lambda: bucket.create_bucket(b"plain"),
            lambda: bucket.delete_bucket(b"plain"),
        )
        assert bucket.get(b"bucket") is None
        assert not bucket.has_bucket(b"plain")


def test_the_same_bucket_opened_twice_is_one() -> None:
    """Two objects with changes of their own could not both be committed."""
    with memory_db() as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"1", b"v")
            tx.bucket(b"b").put(b"2", b"v")
            assert tx.bucket(b"b") is tx.bucket(b"b")
        assert reopened(file) == {b"b": {b"1": b"v", b"2": b"v"}}


def test_f9_buckets_nest_3000_levels_deep() -> None:
    depth = 3000
    assert depth > sys.getrecursionlimit()
    with memory_db(4096) as (db, file):
        with db.update() as tx:
            bucket = tx.create_bucket(b"top")
            for level in range(depth - 1):
                bucket.put(b"level", b"%d" % level)
                bucket = bucket.create_bucket(b"below")
            bucket.put(b"level", b"%d" % (depth - 1))
        with db.update() as tx:
            bucket = tx.bucket(b"top")
            for _ in range(depth - 1):
                bucket = bucket.bucket(b"below")
            assert bucket.get(b"level") == b"%d" % (depth - 1)
            bucket.put(b"changed", b"at the bottom")
        with db.view() as tx:
            model: Model | bytes = dump_bucket(tx.bucket(b"top"))
        for level in range(depth - 1):
            assert isinstance(model, dict)
            assert model[b"level"] == b"%d" % level
            model = model[b"below"]
        assert model == {b"level": b"%d" % (depth - 1), b"changed": b"at the bottom"}
        with db.update() as tx:
            tx.delete_bucket(b"top")
        assert reopened(file) == {}


# -- the inline form -----------------------------------------------------------------------------


def is_inline(file: MemoryFile, page_size_bytes: int, name: bytes) -> bool:
    patient = Patient(file.content(), page_size_bytes=page_size_bytes)
    return patient.bucket_root(name) == 0


@pytest.mark.parametrize("page_size_bytes", PAGE_SIZES)
@pytest.mark.parametrize(("beyond", "expected"), [(-1, True), (0, True), (1, False)])
def test_f5_a_bucket_of_a_quarter_page_is_inline_and_a_larger_one_is_not(
    *, page_size_bytes: int, beyond: int, expected: bool
) -> None:
    # A page header, an element header and a key of one byte take 33 bytes.
    size = page_size_bytes // 4 - 33 + beyond
    with memory_db(page_size_bytes) as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"k", b"v" * size)
        assert is_inline(file, page_size_bytes, b"b") is expected
        assert reopened(file) == {b"b": {b"k": b"v" * size}}


def test_a_bucket_becomes_inline_again_when_it_shrinks_and_gives_its_page_back() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"k", b"v" * 500)
        assert not is_inline(file, 1024, b"b")
        with db.update() as tx:
            tx.bucket(b"b").put(b"k", b"v")
        assert is_inline(file, 1024, b"b")
        assert problems(db) == []


def test_a_bucket_with_buckets_is_never_inline() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"b").create_bucket(b"c")
        assert not is_inline(file, 1024, b"b")
        with db.update() as tx:
            tx.bucket(b"b").delete_bucket(b"c")
        assert is_inline(file, 1024, b"b")


def test_a_new_bucket_takes_32_bytes() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"b")
        patient = Patient(file.content(), page_size_bytes=1024)
        assert patient.element(patient.root, 0, "vsize") == 32


def test_an_oversize_inline_bucket_and_one_with_buckets_in_it_are_read_and_rewritten() -> None:
    """Go reads both and never makes them."""
    inner = bytes.fromhex("0000000000000000050000000000000000000000000000000200000000000000")
    page = bytes.fromhex(
        "00000000000000000200020000000000"
        "01000000200000000100000020000000"
        "00000000310000000100000020030000"
    )
    outer = bytes(8) + (9).to_bytes(8, "little") + page + b"b" + inner + b"k" + b"v" * 0x320
    with memory_db() as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"x").put(
                b"placeholder", b"p" * (len(outer) - 16 - 16 - 16 - 11 - 500)
            )
        patient = Patient(file.content(), page_size_bytes=1024)
    leaf = (
        bytes.fromhex("03000000000000000200010000000000010000001000000001000000")
        + len(outer).to_bytes(4, "little")
        + b"x"
        + outer
    )
    patient.truncate(2 * 1024)
    patient.content += bytes.fromhex("0200000000000000100000000000000000").ljust(1024, b"\0")
    patient.content += leaf.ljust(1024, b"\0")
    patient.set_meta(0, root=3, freelist=2, high=4, txid=4)
    patient.set_meta(1, root=3, freelist=2, high=4, txid=5)
    expected: Model = {b"x": {b"b": {}, b"k": b"v" * 0x320}}
    again = MemoryFile(bytes(patient.content))
    assert reopened(again) == expected
    with bolt_store.open_file(again, write=True) as db:
        with db.update() as tx:
            bucket = tx.bucket(b"x")
            assert (bucket.sequence, bucket.bucket(b"b").sequence) == (9, 5)
            bucket.bucket(b"b").put(b"new", b"v")
        assert reopened(again) == {b"x": {b"b": {b"new": b"v"}, b"k": b"v" * 0x320}}
        with db.view() as tx:
            assert tx.bucket(b"x").bucket(b"b").sequence == 5


# -- sequences -----------------------------------------------------------------------------------


def test_f10_a_sequence_counts_and_is_kept_through_every_rewrite() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            bucket = tx.create_bucket(b"b")
            assert bucket.sequence == 0
            assert [bucket.next_sequence() for _ in range(3)] == [1, 2, 3]
            bucket.create_bucket(b"c").set_sequence((1 << 64) - 1)
        with db.update() as tx:
            for number in range(100):
                tx.bucket(b"b").put(key(number), value(number))
        with db.update() as tx:
            for number in range(100):
                tx.bucket(b"b").delete(key(number))
        again = bolt_store.open_file(MemoryFile(file.content()), write=False)
        with again, again.view() as tx:
            assert tx.bucket(b"b").sequence == 3
            assert tx.bucket(b"b").bucket(b"c").sequence == (1 << 64) - 1


def test_f10_a_sequence_alone_is_a_change() -> None:
    with memory_db() as (db, _):
        with db.update() as tx:
            tx.create_bucket(b"small")
            tx.create_bucket(b"paged").put(b"k", b"v" * 500)
        before = db.meta.txid
        with db.update() as tx:
            tx.bucket(b"small").next_sequence()
            tx.bucket(b"paged").next_sequence()
        assert db.meta.txid == before + 1
        with db.view() as tx:
            assert (tx.bucket(b"small").sequence, tx.bucket(b"paged").sequence) == (1, 1)
            assert tx.bucket(b"paged").get(b"k") == b"v" * 500


@pytest.mark.parametrize("sequence", [-1, 1 << 64])
def test_a_sequence_outside_of_64_bits_is_refused(sequence: int) -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = tx.create_bucket(b"b")
        with pytest.raises(LimitError):
            bucket.set_sequence(sequence)
        bucket.set_sequence((1 << 64) - 1)
        with pytest.raises(LimitError):
            bucket.next_sequence()
        assert bucket.sequence == (1 << 64) - 1


# -- deletion ------------------------------------------------------------------------------------


def test_a_deleted_bucket_gives_back_all_pages_of_all_that_was_in_it() -> None:
    patient = sample()
    file = MemoryFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            for name, _ in list(tx.buckets()):
                tx.delete_bucket(name)
        # Every page must be in use or free: a forgotten one would be unreachable.
        assert problems(db) == []
    assert reopened(file) == {}


def test_a_bucket_deleted_in_the_transaction_that_changed_it_gives_back_what_was_stored() -> None:
    """Here bbolt forgets pages: it walks the buckets while it deletes them."""
    with memory_db() as (db, file):
        with db.update() as tx:
            top = tx.create_bucket(b"top")
            for name in (b"a", b"b", b"c"):
                top.create_bucket(name).put(b"k", b"v" * 900)
        with db.update(full_check=True) as tx:
            top = tx.bucket(b"top")
            top.create_bucket(b"aa").put(b"k", b"v" * 900)
            top.bucket(b"b").put(b"l", b"v" * 900)
            tx.delete_bucket(b"top")
        assert problems(db) == []
        assert reopened(file) == {}


def test_a_bucket_in_a_deleted_bucket_may_have_been_deleted_before() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            inner = tx.create_bucket(b"top").create_bucket(b"inner")
            inner.create_bucket(b"deep").put(b"k", b"v" * 900)
            inner.put(b"k", b"v" * 900)
        with db.update() as tx:
            tx.bucket(b"top").bucket(b"inner").delete_bucket(b"deep")
            tx.bucket(b"top").delete_bucket(b"inner")
            tx.delete_bucket(b"top")
        assert problems(db) == []
        assert reopened(file) == {}


def test_a_name_may_be_used_again_in_the_same_transaction() -> None:
    with memory_db() as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"old", b"v" * 900)
        with db.update() as tx:
            tx.delete_bucket(b"b")
            tx.create_bucket(b"b").put(b"new", b"v" * 900)
            tx.delete_bucket(b"b")
            tx.create_bucket(b"b").put(b"newest", b"v" * 900)
        assert reopened(file) == {b"b": {b"newest": b"v" * 900}}


def test_a_deleted_bucket_cannot_be_used_nor_one_opened_in_it() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = tx.create_bucket(b"b")
        inner = bucket.create_bucket(b"inner")
        cursor = inner.cursor()
        tx.delete_bucket(b"b")
        for gone in (bucket, inner):
            for attempt in (gone.items, gone.cursor, gone.next_sequence):
                with pytest.raises(BucketNotFoundError):
                    attempt()
            with pytest.raises(BucketNotFoundError):
                gone.get(b"k")
            with pytest.raises(BucketNotFoundError):
                gone.put(b"k", b"v")
        with pytest.raises(BucketNotFoundError):
            cursor.first()


def test_a_damaged_bucket_is_deleted_whole_or_not_at_all() -> None:
    """Pages given back by half of a deletion would be both free and in use."""
    content = bytes(sample().content)
    file = Unreadable(content)
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            tx.bucket(b"small").put(b"three", b"3")
            patient = Patient(content, page_size_bytes=1024)
            leaf, _ = patient.find(patient.bucket_root(b"nest", b"below"), b"lower-10")
            file.bad_offset = leaf * 1024
            with pytest.raises(OSError, match="cannot be read"):
                tx.delete_bucket(b"nest")
            file.bad_offset = -1
            assert tx.has_bucket(b"nest")
        assert problems(db) == []


class Unreadable(MemoryFile):
    """Has a sector that cannot be read, for a while."""

    bad_offset = -1

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        if offset <= self.bad_offset < offset + size_bytes:
            raise OSError("cannot be read")
        return super().read_at(offset, size_bytes)


# -- who may do what -----------------------------------------------------------------------------


def test_a_reading_transaction_refuses_every_change() -> None:
    with sample().open(write=True) as db, db.view() as tx:
        bucket = tx.bucket(b"tree")
        require_refusals(
            ReadOnlyError,
            lambda: bucket.put(b"k", b"v"),
            lambda: bucket.delete(key(1)),
            lambda: bucket.create_bucket(b"new"),
            lambda: tx.bucket(b"nest").delete_bucket(b"below"),
            bucket.next_sequence,
            lambda: bucket.set_sequence(1),
            lambda: tx.create_bucket(b"new"),
            lambda: tx.delete_bucket(b"tree"),
        )


def test_a_bucket_ends_with_its_transaction() -> None:
    with sample().open(write=True) as db:
        with db.view() as tx:
            bucket = tx.bucket(b"tree")
            walk = bucket.items()
            assert next(walk) == (key(0), value(1))
        require_refusals(
            TxClosedError,
            lambda: bucket.get(key(1)),
            bucket.items,
            bucket.cursor,
            lambda: bucket.sequence,
            lambda: bucket.bucket(b"b"),
            lambda: list(walk),
            lambda: tx.bucket(b"tree"),
            lambda: list(tx.buckets()),
        )


def test_a_bucket_whose_value_is_damaged_is_an_error_and_its_neighbours_are_not() -> None:
    patient = sample()
    leaf, index = patient.find(patient.root, b"small")
    patient.write(patient.value_offset(leaf, index), (1).to_bytes(8, "little"))
    with patient.open() as db, db.view() as tx:
        with pytest.raises(PageError) as caught:
            tx.bucket(b"small")
        assert caught.value.code == "page.range"
        assert tx.bucket(b"tree").get(key(5)) == value(5)


def test_a_bucket_that_a_walk_meets_and_a_look_up_does_not_find_is_damage() -> None:
    """That it is not there would be a lie: the separators of the tree are wrong."""
    with memory_db() as (db, file), db.update() as tx:
        for number in range(100):
            tx.create_bucket(key(number))
    patient = Patient(file.content(), page_size_bytes=1024)
    child = patient.children(patient.root)[1]
    patient.write(patient.key_offset(patient.root, 1), patient.key(child, 1))
    lost = patient.key(child, 0)
    with patient.open() as again, again.view() as tx:
        assert not tx.has_bucket(lost)
        with pytest.raises(PageError) as caught:
            list(tx.buckets())
        assert caught.value.code == "branch.separator"
