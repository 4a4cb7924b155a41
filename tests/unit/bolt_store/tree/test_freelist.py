"""Which page is written on."""

import random

import pytest

from bolt_store.errors import InvariantError
from bolt_store.tree.freelist import Freelist


def freelist(free: list[int], *, kept_back: tuple[int, ...] = (), high: int = 100) -> Freelist:
    return Freelist(free=free, kept_back=frozenset(kept_back), high_water_mark=high)


def test_single_pages_are_taken_lowest_first_then_behind_the_high_water_mark() -> None:
    pages = freelist([4, 7, 9])
    assert [pages.allocate(1) for _ in range(5)] == [4, 7, 9, 100, 101]
    assert pages.high_water_mark == 102


@pytest.mark.parametrize(("page_count", "pgid"), [(1, 3), (2, 5), (3, 8), (4, 12), (5, 100)])
def test_a_run_is_the_lowest_that_fits(page_count: int, pgid: int) -> None:
    pages = freelist([3, 5, 6, 8, 9, 10, 12, 13, 14, 15])
    assert pages.allocate(page_count) == pgid


def test_a_run_is_taken_whole_and_leaves_the_rest() -> None:
    pages = freelist([3, 5, 6, 7, 9])
    assert pages.allocate(2) == 5
    assert pages.ids() == [3, 7, 9]
    assert [pages.allocate(1) for _ in range(4)] == [3, 7, 9, 100]


def test_single_pages_and_runs_do_not_get_into_each_others_way() -> None:
    pages = freelist([3, 4, 5, 6, 7])
    assert pages.allocate(1) == 3
    assert pages.allocate(3) == 4
    assert pages.allocate(2) == 100
    assert pages.allocate(1) == 7
    assert pages.ids() == []


def test_pages_of_the_older_snapshot_are_listed_and_not_given_out() -> None:
    pages = freelist([3, 4, 5], kept_back=(4, 50))
    assert pages.allocate(2) == 100
    assert [pages.allocate(1) for _ in range(3)] == [3, 5, 102]
    assert pages.ids() == [4]


def test_freed_pages_are_listed_and_not_given_out() -> None:
    pages = freelist([3])
    pages.free((10, 3))
    assert pages.freed == {10, 11, 12}
    assert [pages.allocate(1) for _ in range(2)] == [3, 100]
    assert pages.ids() == [10, 11, 12]


def test_ids_ascend_without_repetition() -> None:
    pages = freelist([9, 20, 30], kept_back=(20,))
    pages.free((12, 1))
    pages.free((2, 1))
    assert pages.ids() == [2, 9, 12, 20, 30]


def test_no_page_is_freed_twice() -> None:
    pages = freelist([])
    pages.free((10, 2))
    with pytest.raises(InvariantError):
        pages.free((11, 1))


@pytest.mark.parametrize("pgid", [0, 1])
def test_the_metas_are_never_freed(pgid: int) -> None:
    with pytest.raises(InvariantError):
        freelist([]).free((pgid, 1))


def test_its_own_run_fits_what_is_left_when_it_was_taken_from_the_list() -> None:
    pages = freelist(list(range(2, 67)))
    pgid, page_count = pages.allocate_own_run(512)
    assert (pgid, page_count) == (2, 2)  # 65 ids take 536 bytes
    assert pages.ids() == list(range(4, 67))


def test_its_own_run_comes_from_behind_the_mark_when_nothing_fits() -> None:
    pages = freelist(list(range(2, 200, 2)), high=200)
    assert pages.allocate_own_run(512) == (200, 2)
    assert pages.high_water_mark == 202


def test_a_list_given_in_is_not_changed() -> None:
    free = [3, 4, 5]
    pages = freelist(free)
    pages.allocate(2)
    assert free == [3, 4, 5]


def test_whatever_was_asked_for_before_a_run_is_the_lowest_that_fits() -> None:
    """A search goes on where the last one ended; a search of all pages each time is the judge."""
    for seed in range(200):
        draw = random.Random(seed)
        left = sorted(draw.sample(range(2, 200), draw.randrange(1, 160)))
        pages, high = freelist(left, high=200), 200
        for _ in range(60):
            count = draw.choice((1, 1, 2, 2, 3, 4))
            runs = (range(one, one + count) for one in left)
            taken = next((run for run in runs if set(run) <= set(left)), range(high, high + count))
            assert pages.allocate(count) == taken.start
            left = [one for one in left if one not in taken]
            high = max(high, taken.stop)
