"""Going back by one transaction: proven, exact, and safe at every power cut."""

from pathlib import Path
from random import Random

import pytest

import bolt_store
from bolt_store.db import new_pages
from bolt_store.rewind import (
    NotRewindableError,
    apply_rewind,
    is_same_content,
    plan_rewind,
)
from tests.support.block_files import CrashFile, FaultFile
from tests.support.memory_file import MemoryFile
from tests.support.model import Changes, Model, dump_file, problems
from tests.support.oracle import Oracle, Script

PAGE_SIZES = [1024, 4096, 16384]


def history(seed: int, page_size: int, *, count: int, more: int = 1) -> tuple[bytes, bytes]:
    """Make a file with a past; return it before and after one more transaction, or several."""
    random = Random(seed)
    file = MemoryFile(new_pages(page_size))
    model: Model = {}
    with bolt_store.open_file(file, write=True) as db:
        for _ in range(4):
            with db.update() as tx:
                Changes(random, page_size_bytes=page_size).apply(tx, model, 20)
        before = file.content()
        for _ in range(more):
            with db.update() as tx:
                Changes(random, page_size_bytes=page_size).apply(tx, model, count)
    return before, file.content()


def content_of(data: bytes) -> Model:
    with bolt_store.open_file(MemoryFile(data), write=False) as db:
        assert [text for text in problems(db) if "[meta.invalid]" not in text] == []
        return dump_file(db)


@pytest.mark.parametrize("page_size", PAGE_SIZES)
@pytest.mark.parametrize("seed", range(10))
def test_a_transaction_is_taken_back_byte_for_byte(seed: int, page_size: int) -> None:
    before, after = history(seed, page_size, count=1 + seed * 5)
    store, backup = MemoryFile(after), MemoryFile(before)
    rewind = plan_rewind(store, backup)
    apply_rewind(rewind, store, backup)
    assert store.content() == before
    assert is_same_content(store, backup)


def test_there_is_nothing_to_do_where_nothing_was_done() -> None:
    before, _ = history(1, 1024, count=1)
    rewind = plan_rewind(MemoryFile(before), MemoryFile(before))
    assert (rewind.page_count, rewind.meta_pgid, rewind.pgids) == (0, None, ())


@pytest.mark.parametrize("seed", range(6))
def test_every_power_cut_leaves_the_state_before_or_after_and_can_be_ended(seed: int) -> None:
    page_size = PAGE_SIZES[seed % 2]
    before, after = history(seed, page_size, count=1 + seed)
    states = (content_of(before), content_of(after))
    store, backup = CrashFile(after, page_size_bytes=page_size, random=Random(seed)), before
    apply_rewind(plan_rewind(store, MemoryFile(backup)), store, MemoryFile(backup))
    store.mark_final()
    assert len(store.images) > 3
    for image in store.images:
        assert content_of(image.content) in states
        again = MemoryFile(image.content)
        apply_rewind(plan_rewind(again, MemoryFile(backup)), again, MemoryFile(backup))
        assert again.content() == before


def test_every_failing_call_leaves_the_state_before_or_after() -> None:
    before, after = history(3, 1024, count=20)
    states = (content_of(before), content_of(after))
    call = 0
    while True:
        call += 1
        store = FaultFile(after, fail_at=call, fault=lambda: None)
        try:
            apply_rewind(plan_rewind(store, MemoryFile(before)), store, MemoryFile(before))
        except OSError:
            assert content_of(store.content()) in states
        else:
            break
    assert call > 3


def test_two_transactions_are_not_taken_back_at_once() -> None:
    before, middle = history(5, 1024, count=30)
    file = MemoryFile(middle)
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        tx.create_bucket(b"one more").put(b"k", b"v")
    with pytest.raises(NotRewindableError):
        plan_rewind(file, MemoryFile(before))


def go_back(store: MemoryFile, backup: bytes) -> None:
    copy = MemoryFile(backup)
    apply_rewind(plan_rewind(store, copy, is_over_many=True), store, copy)


def is_as(content: bytes, backup: bytes) -> bool:
    """Look whether another undo would know it for one that was cut off."""
    with (
        bolt_store.open_file(MemoryFile(content), write=False) as one,
        bolt_store.open_file(MemoryFile(backup), write=False) as other,
    ):
        return bolt_store.is_same_state(one, other)


@pytest.mark.parametrize("page_size", PAGE_SIZES)
@pytest.mark.parametrize("seed", range(10))
def test_many_transactions_are_taken_back_byte_for_byte(seed: int, page_size: int) -> None:
    before, after = history(seed, page_size, count=1 + seed * 3, more=1 + seed)
    store = MemoryFile(after)
    go_back(store, before)
    assert store.content() == before


def cut_short(seed: int) -> tuple[bytes, bytes, list[bytes]]:
    """Go back over several transactions; give the state before, after, and at every power cut."""
    page_size = PAGE_SIZES[seed % 2]
    before, after = history(seed, page_size, count=1 + seed % 7, more=2 + seed % 5)
    store = CrashFile(after, page_size_bytes=page_size, random=Random(seed))
    go_back(store, before)
    store.mark_final()
    return before, after, list({image.content: None for image in store.images})


@pytest.mark.parametrize(
    ("seed", "every"),
    [(0, 1), (5, 5), (9, 5), *(pytest.param(s, 1, marks=pytest.mark.slow) for s in range(100))],
)
def test_every_power_cut_on_the_way_back_over_many_can_be_ended(seed: int, every: int) -> None:
    before, after, images = cut_short(seed)
    states = (content_of(before), content_of(after))
    seen = set()
    for image in images[::every]:
        seen.add(states.index(content_of(image)))
        assert is_as(image, before) == (content_of(image) == states[0])
        again = MemoryFile(image)
        go_back(again, before)
        assert again.content() == before
    assert seen == {0, 1}


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 20))]
)
def test_bbolt_can_go_on_with_whatever_a_power_cut_leaves(
    seed: int, oracle: Oracle, tmp_path: Path
) -> None:
    _, _, images = cut_short(seed)
    for image in images[:: len(images) // 12]:
        path = tmp_path / "cut"
        path.write_bytes(image)
        assert oracle.check(path) == []
        oracle.apply(path, Script().make(b"a new one").put((b"a new one",), b"k", b"v"))
        assert oracle.check(path) == []
        later = content_of(path.read_bytes())
        assert later.pop(b"a new one") == {b"k": b"v"}
        assert later == content_of(image)


def test_a_failing_call_on_the_way_back_over_many_leaves_the_state_before_or_after() -> None:
    before, after = history(3, 1024, count=20, more=3)
    states = (content_of(before), content_of(after))
    call = 0
    while True:
        call += 1
        store = FaultFile(after, fail_at=call, fault=lambda: None)
        try:
            go_back(store, before)
        except OSError:
            assert content_of(store.content()) in states
            again = MemoryFile(store.content())
            go_back(again, before)
            assert again.content() == before
        else:
            break
    assert call > 20


def test_the_backup_of_another_store_is_refused() -> None:
    _, after = history(6, 1024, count=3)
    other, _ = history(7, 1024, count=3)
    with pytest.raises(NotRewindableError):
        plan_rewind(MemoryFile(after), MemoryFile(other))


def test_a_page_in_use_that_was_altered_by_hand_is_noticed() -> None:
    before, after = history(8, 1024, count=1)
    with bolt_store.open_file(MemoryFile(before), write=False) as db:
        used = [
            info.pgid
            for info in bolt_store.page_infos(db)
            if info.state is bolt_store.PageState.USED and info.kind == "leaf"
        ]
    same = [pgid for pgid in used if after[pgid * 1024 :][:1024] == before[pgid * 1024 :][:1024]]
    altered = bytearray(after)
    altered[same[0] * 1024 + 1000] ^= 1
    with pytest.raises(NotRewindableError, match="pages that the backup uses"):
        plan_rewind(MemoryFile(bytes(altered)), MemoryFile(before))


def test_a_store_that_is_shorter_than_its_backup_is_refused() -> None:
    before, after = history(9, 1024, count=1)
    with pytest.raises(NotRewindableError, match="shorter"):
        plan_rewind(MemoryFile(after[: len(before) - 1024]), MemoryFile(before))


def test_a_damaged_backup_is_refused() -> None:
    before, after = history(10, 1024, count=1)
    damaged = before[: 4 * 1024] + bytes(len(before) - 4 * 1024)
    with pytest.raises(NotRewindableError, match="the backup is damaged"):
        plan_rewind(MemoryFile(after), MemoryFile(damaged))
