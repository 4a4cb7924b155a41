"""A cursor: both ways, from anywhere, and over a bucket that changes under it."""

from collections.abc import Callable
from itertools import pairwise

import pytest

import bolt_store
from bolt_store.errors import CycleError, FormatError, PageError, TxClosedError
from tests.support.bolt_files import SAMPLE_KEY_COUNT, key, memory_db, sample, value

Item = tuple[bytes, bytes | None]


def forward(cursor: bolt_store.Cursor) -> list[Item]:
    return walk(cursor.first, cursor.next)


def backward(cursor: bolt_store.Cursor) -> list[Item]:
    return walk(cursor.last, cursor.prev)


def walk(begin: Callable[[], Item | None], step: Callable[[], Item | None]) -> list[Item]:
    items = []
    item = begin()
    while item is not None:
        items.append(item)
        item = step()
    return items


def expected(numbers: range) -> list[Item]:
    return [(key(number), value(number)) for number in numbers]


# -- standing still ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 11, 12, 500])
def test_a_walk_gives_every_item_in_order_both_ways(count: int) -> None:
    with memory_db() as (db, _):
        with db.update() as tx:
            bucket = tx.create_bucket(b"tree")
            for number in range(count):
                bucket.put(key(number), value(number))
            assert forward(bucket.cursor()) == expected(range(count))
            assert backward(bucket.cursor()) == expected(range(count))[::-1]
        with db.view() as tx:
            assert forward(tx.bucket(b"tree").cursor()) == expected(range(count))
            assert backward(tx.bucket(b"tree").cursor()) == expected(range(count))[::-1]


def test_a_new_cursor_stands_nowhere() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = filled(tx, 0, 2, 4)
        assert bucket.cursor().next() == (key(0), value(0))
        assert bucket.cursor().prev() == (key(4), value(4))


def test_behind_the_last_item_next_gives_nothing_and_prev_the_last() -> None:
    with memory_db() as (db, _), db.update() as tx:
        cursor = filled(tx, 0, 2, 4).cursor()
        assert cursor.last() == (key(4), value(4))
        assert [cursor.next(), cursor.next()] == [None, None]
        assert cursor.prev() == (key(4), value(4))
        assert cursor.prev() == (key(2), value(2))


def test_in_front_of_the_first_item_prev_gives_nothing_and_next_the_first() -> None:
    with memory_db() as (db, _), db.update() as tx:
        cursor = filled(tx, 0, 2, 4).cursor()
        assert cursor.first() == (key(0), value(0))
        assert [cursor.prev(), cursor.prev()] == [None, None]
        assert cursor.next() == (key(0), value(0))
        assert cursor.next() == (key(2), value(2))


def test_an_empty_bucket_has_no_items() -> None:
    with memory_db() as (db, _), db.update() as tx:
        cursor = tx.create_bucket(b"tree").cursor()
        assert [cursor.first(), cursor.last(), cursor.next(), cursor.prev()] == [None] * 4
        assert cursor.seek(b"k") is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (b"", 0),
        (b"a", 0),
        (key(0), 0),
        (key(1), 2),
        (key(2), 2),
        (key(3), 4),
        (key(4), 4),
        (key(4) + b"\0", None),
        (b"\xff", None),
    ],
)
def test_a_seek_goes_to_the_key_or_to_the_next(wanted: bytes, found: int | None) -> None:
    with memory_db() as (db, _), db.update() as tx:
        item = filled(tx, 0, 2, 4).cursor().seek(wanted)
        assert item == (None if found is None else (key(found), value(found)))


@pytest.mark.parametrize("start", range(2, SAMPLE_KEY_COUNT - 1, 7))
def test_from_every_place_of_a_deep_tree_both_ways_lead_to_the_neighbours(start: int) -> None:
    with sample().open() as db, db.view() as tx:
        cursor = tx.bucket(b"tree").cursor()
        assert cursor.seek(key(start)) == (key(start), value(start))
        assert cursor.prev() == (key(start - 1), value(start - 1))
        assert cursor.next() == (key(start), value(start))
        assert cursor.next() == (key(start + 1), value(start + 1))


def test_seeking_behind_the_end_and_going_back_gives_the_last_item() -> None:
    with memory_db() as (db, _), db.update() as tx:
        cursor = filled(tx, *range(100)).cursor()
        assert cursor.seek(b"\xff") is None
        assert cursor.prev() == (key(99), value(99))


def test_a_bucket_has_no_value() -> None:
    with sample().open() as db, db.view() as tx:
        below = tx.bucket(b"nest").bucket(b"below").cursor()
        assert below.first() == (b"lower-00", None)
        assert below.last() == (b"plain", b"value")
        assert below.prev() == (b"lower-19", None)


# -- a bucket that changes -----------------------------------------------------------------------


def filled(tx: bolt_store.Tx, *numbers: int) -> bolt_store.Bucket:
    bucket = tx.create_bucket(b"tree")
    for number in numbers:
        bucket.put(key(number), value(number))
    return bucket


def test_deleting_the_item_that_it_stands_at_loses_no_other() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = filled(tx, *range(300))
        cursor = bucket.cursor()
        seen = []
        item = cursor.first()
        while item is not None:
            seen.append(item)
            assert bucket.delete(item[0])
            item = cursor.next()
        assert seen == expected(range(300))
        assert list(bucket.items()) == []


def test_deleting_on_the_way_back_loses_no_other() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = filled(tx, *range(300))
        cursor = bucket.cursor()
        seen = []
        item = cursor.last()
        while item is not None:
            seen.append(item)
            assert bucket.delete(item[0])
            item = cursor.prev()
        assert seen == expected(range(300))[::-1]


def test_what_is_put_behind_it_is_met_and_what_is_put_in_front_is_not() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = filled(tx, 10, 20)
        cursor = bucket.cursor()
        assert cursor.first() == (key(10), value(10))
        bucket.put(key(5), value(5))
        bucket.put(key(15), value(15))
        assert cursor.next() == (key(15), value(15))
        bucket.put(key(12), value(12))
        assert cursor.prev() == (key(12), value(12))
        assert cursor.prev() == (key(10), value(10))
        assert cursor.prev() == (key(5), value(5))


def test_a_value_changed_under_it_is_seen_on_the_next_visit() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = filled(tx, 1, 2)
        cursor = bucket.cursor()
        assert cursor.first() == (key(1), value(1))
        bucket.put(key(2), b"new")
        assert cursor.next() == (key(2), b"new")


def test_a_bucket_emptied_under_it_has_no_items_either_way() -> None:
    with memory_db() as (db, _), db.update() as tx:
        bucket = filled(tx, 1, 2, 3)
        ahead, back = bucket.cursor(), bucket.cursor()
        ahead.seek(key(2))
        back.seek(key(2))
        for number in (1, 2, 3):
            bucket.delete(key(number))
        assert (ahead.next(), back.prev()) == (None, None)


def test_walks_may_put_as_they_go() -> None:
    """Each item is met once, those that are put behind the place of the walk included."""
    with memory_db() as (db, _), db.update() as tx:
        bucket = filled(tx, *range(0, 200, 2))
        seen = []
        for item in bucket.items():
            seen.append(item[0])
            number = int(item[0][4:])
            if number % 2 == 0:
                bucket.put(key(number + 1), value(number + 1))
        assert seen == [key(number) for number in range(200)]


# -- the end -------------------------------------------------------------------------------------


def test_a_cursor_ends_with_its_transaction() -> None:
    with sample().open() as db:
        with db.view() as tx:
            cursor = tx.bucket(b"tree").cursor()
            assert cursor.first() is not None
        for move in (cursor.first, cursor.last, cursor.next, cursor.prev):
            with pytest.raises(TxClosedError):
                move()
        with pytest.raises(TxClosedError):
            cursor.seek(b"k")


@pytest.mark.parametrize(
    "move", [lambda cursor: cursor.first(), lambda cursor: cursor.last(), lambda c: c.seek(b"k")]
)
def test_a_tree_that_is_its_own_child_is_an_error(
    move: Callable[[bolt_store.Cursor], object],
) -> None:
    patient = sample()
    root = patient.bucket_root(b"tree")
    for index in range(patient.header(root, "count")):
        patient.set_element(root, index, child=root)
    with patient.open() as db, db.view() as tx:
        cursor = tx.bucket(b"tree").cursor()
        with pytest.raises(CycleError):
            move(cursor)


def test_leaves_that_two_parents_share_end_the_walk_both_ways() -> None:
    patient = sample()
    root = patient.bucket_root(b"tree")
    for index in range(1, patient.header(root, "count")):
        patient.set_element(root, index, child=patient.children(root)[0])
    with patient.open() as db, db.view() as tx:
        for go in (forward, backward):
            with pytest.raises(PageError) as caught:
                go(tx.bucket(b"tree").cursor())
            assert caught.value.code == "key.order"


def test_empty_leaves_below_a_branch_are_passed_over() -> None:
    """The check reports them; reading goes on."""
    patient = sample()
    root = patient.bucket_root(b"tree")
    leaf, _ = patient.find(root, key(100))
    lost = [patient.key(leaf, index) for index in range(patient.header(leaf, "count"))]
    patient.set_header(leaf, count=0)
    with patient.open() as db, db.view() as tx:
        items = forward(tx.bucket(b"tree").cursor())
        assert backward(tx.bucket(b"tree").cursor()) == items[::-1]
        assert list(tx.bucket(b"tree").items()) == items
    assert len(items) == SAMPLE_KEY_COUNT - len(lost)
    assert not {found for found, _ in items} & set(lost)
    assert all(before[0] < after[0] for before, after in pairwise(items))


def test_a_damaged_leaf_on_the_way_is_an_error() -> None:
    patient = sample()
    leaf, _ = patient.find(patient.bucket_root(b"tree"), key(100))
    patient.set_header(leaf, id=99)
    with patient.open() as db, db.view() as tx, pytest.raises(FormatError):
        forward(tx.bucket(b"tree").cursor())
