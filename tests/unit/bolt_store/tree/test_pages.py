"""Pages decoded, and branches kept."""

from functools import partial

import pytest

from bolt_store.codec.branch import Branch
from bolt_store.codec.leaf import Leaf, encode_leaf
from bolt_store.errors import PageError
from bolt_store.file.pager import Pager
from bolt_store.tree import pages as module
from bolt_store.tree.btree import BTree
from bolt_store.tree.node import LeafNode
from bolt_store.tree.pages import Pages
from bolt_store.tree.values import Values
from tests.support.bolt_files import sample
from tests.support.memory_file import MemoryFile
from tests.support.surgery import BRANCH, LEAF, Patient


def pages_of(patient: Patient) -> Pages:
    pager = Pager(MemoryFile(bytes(patient.content)))
    return Pages(pager.snapshot(pager.meta))


def test_branches_and_leaves_are_decoded() -> None:
    patient = sample()
    root = patient.bucket_root(b"tree")
    leaf_pgid, index = patient.find(root, b"key-%016d" % 7)
    pages = pages_of(patient)
    branch, leaf = pages.decode(root), pages.decode(leaf_pgid)
    assert isinstance(branch, Branch)
    assert branch.children == patient.children(root)
    assert isinstance(leaf, Leaf)
    assert leaf.keys[index] == b"key-%016d" % 7


def test_what_is_neither_branch_nor_leaf_is_refused() -> None:
    patient = sample()
    with pytest.raises(PageError) as caught:
        pages_of(patient).decode(patient.freelist)
    assert caught.value.code == "page.kind"


def a_leaf(patient: Patient) -> int:
    leaf, _ = patient.find(patient.bucket_root(b"tree"), b"key-%016d" % 7)
    return leaf


def test_a_branch_is_decoded_once() -> None:
    patient = sample()
    pages = pages_of(patient)
    root = patient.bucket_root(b"tree")
    assert pages.node_or_page(root) is pages.node_or_page(root) is pages.decode(root)


def test_a_leaf_is_searched_as_bytes_once_and_is_kept_decoded_from_the_second_time_on() -> None:
    patient = sample()
    pages = pages_of(patient)
    leaf = a_leaf(patient)
    assert pages.decode(leaf) is not pages.decode(leaf)
    assert pages.node_or_page(leaf) == patient.page(leaf)
    kept = pages.node_or_page(leaf)
    assert isinstance(kept, Leaf)
    assert pages.node_or_page(leaf) is pages.decode(leaf) is kept


def test_what_is_changed_is_a_copy_of_what_is_kept() -> None:
    patient = sample()
    pages = pages_of(patient)
    root, leaf = patient.bucket_root(b"tree"), a_leaf(patient)
    tree = BTree(pages, root, partial(Values, pages.snapshot.file))
    before = pages.decode(root).keys.copy(), pages.decode(leaf).keys.copy()
    for _ in range(3):
        assert tree.find(before[1][0]) is not None
    assert tree.delete(before[1][0])
    tree.put(b"a", b"", 0)
    assert (pages.decode(root).keys, pages.decode(leaf).keys) == before
    kept = pages.decode(leaf)
    assert isinstance(kept, Leaf)
    assert len(kept.keys) == len(kept.values) == len(kept.flags)


def test_the_size_of_the_leaves_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAVES_KEPT_BYTES_MAX", 3 * 1024)
    patient = sample()
    pages = pages_of(patient)
    leaves = [pgid for pgid in patient.tree_pages() if patient.header(pgid, "flags") == LEAF]
    single = [pgid for pgid in leaves if not patient.header(pgid, "overflow")]
    for _ in range(3):
        for pgid in single:
            pages.node_or_page(pgid)
    assert [pgid for pgid in single if isinstance(pages.node_or_page(pgid), Leaf)] == single[:3]
    wide, _ = patient.find(patient.bucket_root(b"wide"), b"wide-0")
    fresh = pages_of(patient)
    assert {type(fresh.node_or_page(wide)) for _ in range(3)} == {bytes}


def test_a_run_is_as_long_as_its_header_says() -> None:
    patient = sample()
    pages = pages_of(patient)
    wide, _ = patient.find(patient.bucket_root(b"wide"), b"wide-0")
    assert pages.run_length(wide) == patient.header(wide, "overflow") + 1 > 1
    assert pages.run_length(patient.root) == 1


def test_the_number_of_branches_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BRANCHES_KEPT_MAX", 2)
    patient = sample()
    pages = pages_of(patient)
    branches = [pgid for pgid in patient.tree_pages() if patient.header(pgid, "flags") == BRANCH]
    assert len(branches) > 2
    first = pages.decode(branches[0])
    for pgid in branches[1:]:
        pages.decode(pgid)
    assert pages.decode(branches[0]) is not first
    leaves = [pgid for pgid in patient.tree_pages() if patient.header(pgid, "flags") == LEAF]
    assert all(isinstance(pages.decode(pgid), Leaf) for pgid in leaves)


def test_leaves_of_one_record_are_decoded_ahead_and_all_else_is_given_as_it_is() -> None:
    patient = sample()
    root, high = patient.bucket_root(b"tree"), patient.meta(patient.newest, "high")
    lone, damaged, size = high, high + 2, patient.page_size_bytes
    for pgid, key in ((lone, b"a"), (lone + 1, b"b"), (damaged, b"c"), (damaged + 1, b"a")):
        page = encode_leaf(Leaf([0], [key], [b"value"]), pgid=pgid, page_size_bytes=size)
        patient.content[pgid * size : (pgid + 1) * size] = page
    patient.set_element(damaged, 0, flags=2)
    patient.set_meta(patient.newest, high=high + 4)
    pages, node = pages_of(patient), LeafNode([], [], [])
    assert list(pages.ahead([lone, node])) == [lone, node]
    for other in (damaged, root, a_leaf(patient), high + 4):
        first, ahead, *rest = pages.ahead([lone, lone, lone + 1, other, lone])
        assert [first, *rest] == [lone, other, lone]
        assert isinstance(ahead, Leaf)
        assert (ahead.flags, ahead.keys) == ([0, 0], [b"a", b"b"])
        assert ahead.values == [b"value", b"value"]
    patient.set_element(damaged, 0, flags=0)
    unordered = [lone, lone + 1, damaged, damaged + 1]
    assert list(pages_of(patient).ahead(unordered)) == unordered
