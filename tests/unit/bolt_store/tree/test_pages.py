"""Pages decoded, and branches kept."""

import pytest

from bolt_store.codec.branch import Branch
from bolt_store.codec.leaf import Leaf
from bolt_store.errors import PageError
from bolt_store.file.memory_file import MemoryFile
from bolt_store.file.pager import Pager
from bolt_store.tree import pages as module
from bolt_store.tree.pages import Pages
from tests.support.bolt_files import sample
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


def test_a_branch_is_decoded_once_and_a_leaf_each_time() -> None:
    """A leaf is handed out to be changed, so it must not be shared."""
    patient = sample()
    root = patient.bucket_root(b"tree")
    leaf_pgid, _ = patient.find(root, b"key-%016d" % 7)
    pages = pages_of(patient)
    assert pages.decode(root) is pages.decode(root)
    assert pages.decode(leaf_pgid) is not pages.decode(leaf_pgid)


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
