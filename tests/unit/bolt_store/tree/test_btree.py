"""The shape of a tree through puts and deletes, and trees that lead around in circles."""

from functools import partial
from random import Random

import pytest

import bolt_store
from bolt_store.errors import CycleError, FormatError, LimitError, PageError
from bolt_store.file.pager import Pager
from bolt_store.tree.btree import BTree, child_index, tree_runs
from bolt_store.tree.cursor import Cursor
from bolt_store.tree.node import LeafNode, Node
from bolt_store.tree.pages import Pages
from bolt_store.tree.values import Values
from tests.support.bolt_files import SAMPLE_KEY_COUNT, key, memory_db, reopened, sample, value
from tests.support.memory_file import MemoryFile
from tests.support.surgery import BRANCH, Patient

PAGE_SIZE = 1024


def levels(patient: Patient, pgid: int) -> list[int]:
    """Return the number of pages at each depth of a tree, the root first."""
    counts: list[int] = []
    level = [pgid]
    while level:
        counts.append(len(level))
        level = [
            child
            for page in level
            if patient.header(page, "flags") == BRANCH
            for child in patient.children(page)
        ]
    return counts


def filled(count: int, *, fill: float = 0.5) -> MemoryFile:
    """Return a file whose bucket "tree" has keys 0 to `count`, put in one transaction."""
    with memory_db(PAGE_SIZE) as (db, file):
        with db.update() as tx:
            bucket = tx.create_bucket(b"tree")
            bucket.fill = fill
            for number in range(count):
                bucket.put(key(number), value(number))
        return file


def changed(file: MemoryFile, *, put: range = range(0), delete: range = range(0)) -> Patient:
    """Change the bucket "tree" in one transaction, check the file and return it."""
    with bolt_store.open_file(file, write=True) as db:
        with db.update(full_check=True) as tx:
            bucket = tx.bucket(b"tree")
            for number in put:
                bucket.put(key(number), value(number))
            for number in delete:
                assert bucket.delete(key(number))
        reopened(file)
    return Patient(file.content(), page_size_bytes=PAGE_SIZE)


# -- growing and shrinking --------------------------------------------------------------------


def test_a_tree_gets_a_level_when_its_root_splits() -> None:
    # An element has 86 bytes: 11 of them fit into a page of 1024 bytes.
    heights = []
    for count in (11, 12, 200, 2000):
        patient = Patient(filled(count).content(), page_size_bytes=PAGE_SIZE)
        heights.append(len(levels(patient, patient.bucket_root(b"tree"))))
    assert heights == [1, 2, 3, 4]


def test_a_higher_fill_makes_fewer_pages() -> None:
    half, full = (
        Patient(filled(500, fill=fill).content(), page_size_bytes=PAGE_SIZE) for fill in (0.5, 1.0)
    )
    assert levels(half, half.bucket_root(b"tree"))[-1] == 99  # of 5 keys, the last of 10
    assert levels(full, full.bucket_root(b"tree"))[-1] == 46


def test_a_key_below_all_others_changes_the_separators_up_to_the_root() -> None:
    patient = changed(filled(1000), delete=range(10))
    root = patient.bucket_root(b"tree")
    assert patient.key(root, 0) == key(10)
    patient = changed(MemoryFile(bytes(patient.content)), put=range(3, 4))
    root = patient.bucket_root(b"tree")
    assert patient.key(root, 0) == key(3)
    assert patient.key(patient.children(root)[0], 0) == key(3)


def test_the_first_key_of_a_page_in_the_middle_takes_its_separator_with_it() -> None:
    patient = changed(filled(1000), delete=range(500, 505))
    leaf, _ = patient.find(patient.bucket_root(b"tree"), key(505))
    branch = next(
        pgid
        for pgid in patient.tree_pages()
        if patient.header(pgid, "flags") == BRANCH and leaf in patient.children(pgid)
    )
    index = patient.children(branch).index(leaf)
    assert patient.key(branch, index) == patient.key(leaf, 0)


def test_a_small_leaf_merges_with_its_left_neighbour() -> None:
    file = filled(30)
    before = Patient(file.content(), page_size_bytes=PAGE_SIZE)
    assert levels(before, before.bucket_root(b"tree")) == [1, 5]
    patient = changed(file, delete=range(10, 14))
    root = patient.bucket_root(b"tree")
    assert levels(patient, root) == [1, 4]
    assert patient.header(patient.children(root)[1], "count") == 6


def test_a_small_first_leaf_merges_with_its_right_neighbour() -> None:
    patient = changed(filled(30), delete=range(4))
    root = patient.bucket_root(b"tree")
    assert levels(patient, root) == [1, 4]
    assert patient.header(patient.children(root)[0], "count") == 6


def test_merged_leaves_that_do_not_fit_are_split_again() -> None:
    patient = changed(filled(33, fill=1.0), delete=range(11, 20))
    counts = [
        patient.header(child, "count") for child in patient.children(patient.bucket_root(b"tree"))
    ]
    assert sum(counts) == 33 - 9
    assert max(counts) <= 11


def test_a_root_with_one_child_gives_way_to_it() -> None:
    patient = changed(filled(30), delete=range(5, 30))
    assert levels(patient, patient.bucket_root(b"tree")) == [1]
    patient = changed(filled(2000), delete=range(20, 2000))
    assert levels(patient, patient.bucket_root(b"tree")) == [1, 4]


@pytest.mark.parametrize("seed", range(4))
def test_p5_a_tree_deleted_in_any_order_shrinks_to_an_empty_leaf_and_grows_again(
    seed: int,
) -> None:
    random = Random(seed)
    file = filled(600)
    order = list(range(600))
    random.shuffle(order)
    with bolt_store.open_file(file, write=True) as db:
        for start in range(0, 600, 40):
            with db.update(full_check=True) as tx:
                bucket = tx.bucket(b"tree")
                for number in order[start : start + 40]:
                    assert bucket.delete(key(number))
            left = sorted(order[start + 40 :])
            assert reopened(file) == {b"tree": {key(n): value(n) for n in left}}
        with db.update() as tx:
            for number in range(600):
                tx.bucket(b"tree").put(key(number), value(number))
    assert reopened(file) == {b"tree": {key(n): value(n) for n in range(600)}}


def test_an_emptied_tree_gives_all_its_pages_back() -> None:
    file = filled(600)
    patient = changed(file, delete=range(600))
    # Root bucket and freelist remain; the empty bucket is inline.
    used = patient.meta(patient.newest, "high") - len(patient.free_ids()) - 2
    assert used == 1 + 1 + patient.header(patient.freelist, "overflow")


def test_putting_what_is_there_already_changes_nothing() -> None:
    file = filled(100)
    before = file.content()
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        tx.bucket(b"tree").put(key(5), value(5))
    assert file.content() == before


def test_deleting_what_is_not_there_changes_nothing() -> None:
    file = filled(100)
    before = file.content()
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        assert not tx.bucket(b"tree").delete(b"absent")
    assert file.content() == before


def test_a_value_of_several_pages_gives_them_back_when_it_shrinks() -> None:
    with memory_db(PAGE_SIZE) as (db, file):
        with db.update() as tx:
            tx.create_bucket(b"tree").put(b"wide", b"w" * 10 * PAGE_SIZE)
        with db.update() as tx:
            tx.bucket(b"tree").put(b"wide", b"w")
        patient = Patient(file.content(), page_size_bytes=PAGE_SIZE)
        assert len(patient.free_ids()) >= 11


def test_small_neighbours_merge_until_none_is_small() -> None:
    file = filled(300)
    with bolt_store.open_file(file, write=True) as db, db.update(full_check=True) as tx:
        for number in range(300):
            if number % 5:
                tx.bucket(b"tree").delete(key(number))
    patient = Patient(file.content(), page_size_bytes=PAGE_SIZE)
    leaves = patient.children(patient.bucket_root(b"tree"))
    # Each small one goes into its left neighbour, and what has come together is split at half.
    assert min(patient.header(leaf, "count") for leaf in leaves) == 5


def test_leaves_whose_values_shrink_merge() -> None:
    """Here bbolt merges only after a deletion, and leaves pages with next to nothing on them."""
    file = filled(300)
    with bolt_store.open_file(file, write=True) as db, db.update(full_check=True) as tx:
        for number in range(300):
            tx.bucket(b"tree").put(key(number), b"")
    patient = Patient(file.content(), page_size_bytes=PAGE_SIZE)
    # An element has 36 bytes now, and five of them were on a page.
    assert levels(patient, patient.bucket_root(b"tree"))[-1] <= 300 // 7


def test_a_change_writes_its_own_way_down_and_nothing_else() -> None:
    file = filled(2000)
    before = file.content()
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        tx.bucket(b"tree").put(key(1000), value(7))
    after = file.content()
    pages = [
        pgid
        for pgid in range(len(after) // PAGE_SIZE)
        if after[pgid * PAGE_SIZE :][:PAGE_SIZE] != before[pgid * PAGE_SIZE :][:PAGE_SIZE]
    ]
    # Four levels of the tree, the root bucket, the freelist, a meta.
    assert len(pages) == 7


# -- ways that do not end ---------------------------------------------------------------------


def pages_of(patient: Patient) -> Pages:
    pager = Pager(MemoryFile(bytes(patient.content)))
    return Pages(pager.snapshot(pager.meta))


def looking_at(patient: Patient, pgid: int) -> BTree:
    pages = pages_of(patient)
    return BTree(pages, pgid, partial(Values, pages.snapshot.file))


def test_a_branch_that_is_its_own_child_is_a_cycle() -> None:
    patient = sample()
    root = patient.bucket_root(b"tree")
    patient.set_element(root, 0, child=root)
    tree = looking_at(patient, root)
    with pytest.raises(CycleError):
        tree.find(key(0))
    with pytest.raises(CycleError):
        list(tree.leaves(b""))
    with pytest.raises(PageError):
        tree_runs(pages_of(patient), root)


def test_a_leaf_that_two_parents_share_is_not_walked_twice() -> None:
    patient = sample()
    root = patient.bucket_root(b"tree")
    for index in range(1, patient.header(root, "count")):
        patient.set_element(root, index, child=patient.children(root)[0])
    with patient.open() as db, db.view() as tx:
        items = tx.bucket(b"tree").items()
        with pytest.raises(PageError) as caught:
            list(items)
    assert caught.value.code == "key.order"


class Anyone:
    """Owns a cursor and never ends."""

    def require_open(self) -> None:
        """Let it read."""


def test_shared_empty_leaves_are_not_walked_without_end() -> None:
    """Without keys there is nothing that repeats; the number of pages bounds the walk."""
    patient = sample()
    root = patient.bucket_root(b"tree")
    leaf, _ = patient.find(root, key(0))
    patient.set_header(leaf, count=0)
    for pgid in patient.tree_pages():
        if patient.header(pgid, "flags") == BRANCH:
            for index in range(patient.header(pgid, "count")):
                patient.set_element(pgid, index, child=root if pgid != root else leaf)
    below = patient.children(root)
    assert set(below) == {leaf}
    # A tower of branches, each of whose children all are the next one.
    tower = [pgid for pgid in patient.tree_pages() if patient.header(pgid, "flags") == BRANCH]
    for upper, lower in zip(tower, [*tower[1:], leaf], strict=True):
        for index in range(patient.header(upper, "count")):
            patient.set_element(upper, index, child=lower)
    patient.set_meta(patient.newest, high=1 << 50)
    tree = looking_at(patient, tower[0])
    with pytest.raises(CycleError):
        list(tree.leaves(b""))
    with pytest.raises(CycleError):
        Cursor(Anyone(), tree).first()


def test_the_runs_of_a_tree_are_all_its_pages() -> None:
    patient = sample()
    root = patient.bucket_root(b"tree")
    runs = tree_runs(pages_of(patient), root)
    assert len(runs) == sum(levels(patient, root))
    assert {leaf for _, leaf in runs} == {None}
    below = tree_runs(pages_of(patient), patient.bucket_root(b"nest", b"below"))
    assert sum(sum(leaf.flags) for _, leaf in below if leaf is not None) == 20


def test_a_tree_whose_leaf_is_lost_is_read_elsewhere() -> None:
    patient = sample()
    leaf, _ = patient.find(patient.bucket_root(b"tree"), key(100))
    patient.set_page(leaf, bytes(PAGE_SIZE))
    with patient.open() as db, db.view() as tx:
        bucket = tx.bucket(b"tree")
        assert bucket.get(key(SAMPLE_KEY_COUNT - 1)) == value(SAMPLE_KEY_COUNT - 1)
        with pytest.raises(FormatError):
            bucket.get(key(100))


@pytest.mark.parametrize(
    ("wanted", "index"), [(b"a", 0), (b"b", 0), (b"bb", 0), (b"c", 1), (b"z", 2)]
)
def test_a_key_belongs_to_the_last_child_that_does_not_start_behind_it(
    wanted: bytes, index: int
) -> None:
    assert child_index([b"b", b"c", b"d"], wanted) == index


def test_values_that_do_not_fit_into_one_page_run_are_refused_before_anything_is_written() -> None:
    """Up to four elements share a page, and its positions end at 4 GiB."""

    class Huge(bytes):
        """Says that it has 2 GiB."""

        def __len__(self) -> int:
            return (1 << 31) - 2

    class Nowhere:
        """A storage that nothing may reach."""

        def free(self, run: tuple[int, int]) -> None:
            raise AssertionError(run)

        def is_freed(self, pgid: int) -> bool:
            raise AssertionError(pgid)

        def store(self, node: Node, page_count: int) -> int:
            raise AssertionError(node, page_count)

    node = LeafNode([0] * 3, [b"a", b"b", b"c"], [Huge(), Huge(), Huge()])
    with pytest.raises(LimitError):
        BTree(pages_of(sample()), node, partial(Values, MemoryFile())).spill(Nowhere(), 0.5)
