"""Repairs on a copy: the older snapshot, the freelist; and a page looked at closely."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

import bolt_store
from bolt_store import describe_page, page_infos, rebuild_freelist, revert
from bolt_store.errors import CommitError, SurgeryError, TruncatedError
from tests.support.memory_file import MemoryFile
from tests.support.model import Changes, Model, copy_model, dump_file, problems
from tests.support.oracle import Oracle, Script

PAGE_SIZE = 4096
Repair = Callable[[bolt_store.DB, Path], bolt_store.SurgeryReport]


def grown(path: Path, *, seed: int = 5) -> tuple[Model, Model]:
    """Make a file with a history; return its content before and after the last transaction."""
    model: Model = {}
    before: Model = {}
    changes = Changes(Random(seed), page_size_bytes=PAGE_SIZE)
    with bolt_store.create(path, page_size_bytes=PAGE_SIZE) as db:
        for _ in range(7):
            before = copy_model(model)
            with db.update() as tx:
                changes.apply(tx, model, 40)
    return before, model


def opened(content: bytes) -> bolt_store.DB:
    return bolt_store.open_file(MemoryFile(content), write=False)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def overwritten(path: Path, pgid: int, data: bytes, *, at: int = 0) -> bytes:
    content = bytearray(path.read_bytes())
    content[pgid * PAGE_SIZE + at : pgid * PAGE_SIZE + at + len(data)] = data
    return bytes(content)


# -- revert ------------------------------------------------------------------------------------


def test_revert_undoes_the_last_transaction_on_a_copy(tmp_path: Path) -> None:
    before, after = grown(tmp_path / "source")
    content = (tmp_path / "source").read_bytes()
    with bolt_store.open(tmp_path / "source") as source:
        report = revert(source, tmp_path / "copy")
        assert dump_file(source) == after
        txid = source.meta.txid
    assert (tmp_path / "source").read_bytes() == content
    with bolt_store.open(tmp_path / "copy") as copy:
        assert dump_file(copy) == before
        assert problems(copy) == []
        assert copy.meta == report.after
        assert copy.meta.txid > txid
        older = copy.pager.older.meta
        assert older is not None
        assert older.txid == txid, "the reverted transaction is the older snapshot now"


def test_revert_of_a_reverted_file_brings_the_transaction_back(tmp_path: Path) -> None:
    _, after = grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        revert(source, tmp_path / "once")
    with bolt_store.open(tmp_path / "once") as once:
        revert(once, tmp_path / "twice")
    with bolt_store.open(tmp_path / "twice") as twice:
        assert dump_file(twice) == after


@pytest.mark.parametrize("repair", [revert, rebuild_freelist])
def test_a_repaired_copy_can_be_written_on(tmp_path: Path, repair: Repair) -> None:
    grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        repair(source, tmp_path / "copy")
    with bolt_store.open(tmp_path / "copy", write=True) as copy:
        model = dump_file(copy)
        for seed in range(5):
            with copy.update() as tx:
                Changes(Random(seed)).apply(tx, model, 40)
        assert dump_file(copy) == model
        assert problems(copy) == []


@pytest.mark.parametrize("repair", [revert, rebuild_freelist])
def test_go_goes_on_with_a_repaired_copy(oracle: Oracle, tmp_path: Path, repair: Repair) -> None:
    oracle.init(tmp_path / "source")
    put = Script().make(b"b")
    for number in range(200):
        put.put((b"b",), b"%04d" % number, b"v" * 90)
    oracle.apply(tmp_path / "source", put, Script().put((b"b",), b"new", b"v"))
    with bolt_store.open(tmp_path / "source") as source:
        report = repair(source, tmp_path / "copy")
    assert oracle.check(tmp_path / "copy") == []
    model = oracle.dump(tmp_path / "copy").model
    expected: Model = {b"%04d" % number: b"v" * 90 for number in range(200)}
    assert model == {b"b": expected if repair is revert else {**expected, b"new": b"v"}}
    deleting = Script()
    for number in range(0, 200, 2):
        deleting.delete((b"b",), b"%04d" % number)
    [commit, _] = oracle.apply(tmp_path / "copy", deleting, put)
    assert commit.txid > report.after.txid
    assert oracle.check(tmp_path / "copy") == []
    with bolt_store.open(tmp_path / "copy") as copy:
        assert problems(copy) == []


def test_revert_saves_a_file_whose_newest_tree_is_lost(tmp_path: Path) -> None:
    before, _ = grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        root = source.meta.root_pgid
    with opened(overwritten(tmp_path / "source", root, bytes(16))) as damaged:
        assert problems(damaged) != []
        revert(damaged, tmp_path / "copy")
    with bolt_store.open(tmp_path / "copy") as copy:
        assert dump_file(copy) == before


def test_revert_refuses_an_older_tree_that_is_damaged(tmp_path: Path) -> None:
    grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        older = source.pager.older.meta
    assert older is not None
    with (
        opened(overwritten(tmp_path / "source", older.root_pgid, bytes(16))) as damaged,
        pytest.raises(SurgeryError) as caught,
    ):
        revert(damaged, tmp_path / "copy")
    assert "older tree does not check clean" in caught.value.problem
    assert names(tmp_path) == ["source"]


def test_revert_refuses_when_both_metas_name_one_tree(level21_bolt: Path) -> None:
    with bolt_store.open(level21_bolt) as source, pytest.raises(SurgeryError) as caught:
        revert(source, level21_bolt.with_name("copy"))
    assert caught.value.problem == "both metas name the same tree"


def test_revert_refuses_when_the_other_meta_is_torn(tmp_path: Path) -> None:
    grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        slot = source.slot
    with (
        opened(overwritten(tmp_path / "source", slot, b"\xff" * 8, at=40)) as damaged,
        pytest.raises(SurgeryError) as caught,
    ):
        revert(damaged, tmp_path / "copy")
    assert "the other meta is no meta" in caught.value.problem


def test_revert_refuses_a_newer_meta_that_bolt_store_does_not_use(tmp_path: Path) -> None:
    """Version 1.3.6 uses a meta of checksum 0; going "back" to a newer one is no way back."""
    grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        slot = 1 - source.slot
    with (
        opened(overwritten(tmp_path / "source", slot, bytes(8), at=72)) as unsigned,
        pytest.raises(SurgeryError) as caught,
    ):
        revert(unsigned, tmp_path / "copy")
    assert caught.value.problem == "the other meta is the newer one"


# -- the freelist --------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["zeroed", "lying", "intact"])
def test_a_rebuilt_freelist_lists_all_that_is_not_used(tmp_path: Path, harm: str) -> None:
    _, model = grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        freelist, root = source.meta.freelist_pgid, source.meta.root_pgid
        free_before = {info.pgid for info in page_infos(source) if info.state == "free"}
    assert freelist is not None
    content = {
        "zeroed": overwritten(tmp_path / "source", freelist, bytes(16)),
        "lying": overwritten(tmp_path / "source", freelist, root.to_bytes(8, "little"), at=16),
        "intact": (tmp_path / "source").read_bytes(),
    }[harm]
    with opened(content) as damaged:
        report = rebuild_freelist(damaged, tmp_path / "copy")
    with bolt_store.open(tmp_path / "copy") as copy:
        assert dump_file(copy) == model
        assert problems(copy) == []
        free = {info.pgid for info in page_infos(copy) if info.state == "free"}
    assert free == free_before | {freelist}
    assert report.free_page_count_after == len(free)
    assert report.free_page_count_before == (None if harm == "zeroed" else len(free_before))


def test_a_file_that_stores_no_freelist_gets_one(oracle: Oracle, tmp_path: Path) -> None:
    oracle.fill(tmp_path / "source", 500, "-no-freelist-sync", "-batch=50")
    with bolt_store.open(tmp_path / "source") as source:
        report = rebuild_freelist(source, tmp_path / "copy")
    assert report.free_page_count_before is None
    assert report.free_page_count_after
    assert oracle.check(tmp_path / "copy") == []


def test_a_freelist_is_not_rebuilt_from_a_damaged_tree(tmp_path: Path) -> None:
    grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        root = source.meta.root_pgid
    for content in (
        overwritten(tmp_path / "source", root, bytes(16)),
        (tmp_path / "source").read_bytes()[: 4 * PAGE_SIZE],
    ):
        with opened(content) as damaged, pytest.raises(SurgeryError):
            rebuild_freelist(damaged, tmp_path / "copy")
    assert names(tmp_path) == ["source"]


@pytest.mark.parametrize("repair", [revert, rebuild_freelist])
def test_a_repair_replaces_nothing(tmp_path: Path, repair: Repair) -> None:
    grown(tmp_path / "source")
    (tmp_path / "there").write_bytes(b"precious")
    with bolt_store.open(tmp_path / "source") as source:
        with pytest.raises(FileExistsError):
            repair(source, tmp_path / "there")
        with pytest.raises(CommitError):
            repair(source, tmp_path / "absent" / "copy")
    assert names(tmp_path) == ["source", "there"]


def test_a_damaged_header_of_the_other_meta_does_not_matter(tmp_path: Path) -> None:
    _, model = grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        slot = source.slot
    with opened(overwritten(tmp_path / "source", slot, b"\xff" * 16)) as damaged:
        rebuild_freelist(damaged, tmp_path / "copy")
    with bolt_store.open(tmp_path / "copy") as copy:
        assert dump_file(copy) == model


# -- one page ------------------------------------------------------------------------------------


def test_every_page_of_a_file_can_be_described(tmp_path: Path) -> None:
    grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as db:
        for info in page_infos(db):
            page = describe_page(db, info.pgid)
            if info.state == "used":
                assert (page.kind, page.element_count) == (info.kind, info.element_count)
                assert page.overflow == info.overflow
                assert page.problem is None
                assert len(page.elements) == page.element_count
                assert [element.problem for element in page.elements if element.problem] == []
        assert describe_page(db, 1 - db.slot).meta == db.meta


def test_the_elements_of_a_page_are_its_own(tmp_path: Path) -> None:
    with bolt_store.create(tmp_path / "t") as db:
        with db.update() as tx:
            bucket = tx.create_bucket(b"canary-name")
            for number in range(300):
                bucket.put(b"%04d" % number, b"canary-value" * 5)
        root = describe_page(db, db.meta.root_pgid)
        [element] = root.elements
        assert element.key == b"canary-name"
        assert element.is_bucket
        branch = describe_page(db, int.from_bytes(element.value[:8], "little"))
        child = branch.elements[0].child_pgid
        assert child is not None
        leaf = describe_page(db, child)
        assert branch.elements[0].key == leaf.elements[0].key == b"0000"
        assert leaf.elements[0].value == b"canary-value" * 5
        assert "canary" not in repr([root, branch, leaf])
        assert db.meta.freelist_pgid is not None
        freelist = describe_page(db, db.meta.freelist_pgid)
        assert [element.child_pgid for element in freelist.elements] == [2, 3]


def test_a_damaged_element_hides_no_other(tmp_path: Path) -> None:
    with bolt_store.create(tmp_path / "t", page_size_bytes=PAGE_SIZE) as db, db.update() as tx:
        for number in range(3):
            tx.create_bucket(b"%d" % number)
    with bolt_store.open(tmp_path / "t") as db:
        root = db.meta.root_pgid
    content = overwritten(tmp_path / "t", root, b"\xff" * 16, at=16 + 16)
    with opened(content) as db:
        page = describe_page(db, root)
    assert [element.key for element in page.elements] == [b"0", b"", b"2"]
    assert page.elements[1].problem == "element 1 has unknown flags 0xffffffff"


@pytest.mark.parametrize(
    ("data", "at", "problem"),
    [
        (b"\x33\x33", 8, "its flags 0x3333 are no known kind of page"),
        (b"\x77", 0, "it says that it is page 119"),
        (b"\xff\xff\xff\xff", 12, "its run ends outside of the file"),
        (b"\xff\xff", 10, None),
    ],
)
def test_a_page_with_a_damaged_header_is_described(
    tmp_path: Path, data: bytes, at: int, problem: str | None
) -> None:
    grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as db:
        infos = [info for info in page_infos(db) if info.state == "used" and info.pgid > 1]
    for kind in ("leaf", "freelist", "branch"):
        pgid = next(info.pgid for info in infos if info.kind == kind)
        with opened(overwritten(tmp_path / "source", pgid, data, at=at)) as db:
            assert describe_page(db, pgid).problem == problem


def test_a_torn_meta_is_described_without_a_meta(tmp_path: Path) -> None:
    grown(tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as db:
        slot = db.slot
    with opened(overwritten(tmp_path / "source", slot, b"\xff", at=40)) as db:
        page = describe_page(db, slot)
    assert (page.kind, page.meta) == ("meta", None)


@pytest.mark.parametrize("pgid", [-1, 10_000, 1 << 62, 1 << 80])
def test_a_page_that_the_file_has_not_is_refused(tmp_path: Path, pgid: int) -> None:
    with bolt_store.create(tmp_path / "t") as db, pytest.raises(TruncatedError):
        describe_page(db, pgid)
