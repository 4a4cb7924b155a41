"""Which pages a commit leaves alone because the older snapshot uses them."""

from bolt_store.check import Check, pages_of_older
from bolt_store.file.pager import Pager
from tests.support.bolt_files import key, sample
from tests.support.memory_file import MemoryFile
from tests.support.surgery import NOT_STORED, Patient


def kept(patient: Patient) -> frozenset[int]:
    pager = Pager(MemoryFile(bytes(patient.content)))
    check = Check(pager, pager.snapshot(pager.meta))
    list(check.run())
    return pages_of_older(pager, check.pages)


def test_the_way_that_the_last_commit_replaced_is_kept_and_the_older_freelist() -> None:
    patient = sample()
    older = 1 - patient.newest
    pages = kept(patient)
    assert {patient.meta(older, "root"), patient.meta(older, "freelist")} <= pages
    # The last commit changed one key of a tree of three levels.
    assert len(pages) == 1 + 3 + 1 + patient.header(patient.meta(older, "freelist"), "overflow")


def test_what_both_snapshots_use_is_not_counted_to_the_older_one() -> None:
    patient = sample()
    leaf, _ = patient.find(patient.bucket_root(b"tree"), key(300))
    assert not kept(patient) & {leaf, patient.root, patient.freelist, 0, 1}


def test_every_kept_page_is_listed_as_free_by_the_newest() -> None:
    patient = sample()
    assert kept(patient) <= set(patient.free_ids())


def test_nothing_is_kept_for_an_older_meta_that_is_none() -> None:
    patient = sample()
    patient.set_meta(1 - patient.newest, checksum=1)
    assert kept(patient) == frozenset()
    patient = sample()
    patient.set_meta(1 - patient.newest, root=1)
    assert kept(patient) == frozenset()


def test_nothing_is_kept_for_an_older_tree_that_is_damaged() -> None:
    patient = sample()
    patient.set_page(patient.meta(1 - patient.newest, "root"), bytes(1024))
    assert kept(patient) == frozenset()


def test_an_older_freelist_that_cannot_be_read_keeps_the_tree() -> None:
    patient = sample()
    older = 1 - patient.newest
    freelist = patient.meta(older, "freelist")
    patient.set_header(freelist, id=99)
    assert patient.meta(older, "root") in kept(patient)
    patient = sample()
    patient.set_meta(older, freelist=NOT_STORED)
    assert patient.meta(older, "root") in kept(patient)


def test_two_metas_of_one_tree_keep_nothing() -> None:
    patient = sample()
    newest = patient.newest
    names = ("root", "freelist", "high")
    patient.set_meta(1 - newest, **{name: patient.meta(newest, name) for name in names})
    assert kept(patient) == frozenset()
