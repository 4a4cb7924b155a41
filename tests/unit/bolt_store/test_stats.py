"""Pages, buckets and sums: as boltdb's own tool counts them, and on damaged files."""

from pathlib import Path
from random import Random

import pytest

import bolt_store
from bolt_store import (
    BucketContent,
    PageInfo,
    PageState,
    bucket_tree,
    db_stats,
    page_infos,
    rebuild,
)
from bolt_store.errors import DBClosedError, FormatError
from tests.support.bolt_tool import BoltTool, ToolPage
from tests.support.memory_file import MemoryFile
from tests.support.model import Changes, Model
from tests.support.oracle import Oracle


def grown(path: Path, *, page_size_bytes: int, seed: int) -> None:
    model: Model = {}
    changes = Changes(Random(seed), page_size_bytes=page_size_bytes)
    with bolt_store.create(path, page_size_bytes=page_size_bytes) as db:
        for _ in range(8):
            with db.update() as tx:
                changes.apply(tx, model, 60)


@pytest.fixture(params=[(1024, 1), (4096, 2), (4096, 3)], ids=str)
def grown_bolt(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    page_size_bytes, seed = request.param
    grown(tmp_path / "grown", page_size_bytes=page_size_bytes, seed=seed)
    return tmp_path / "grown"


def opened(content: bytes) -> bolt_store.DB:
    return bolt_store.open_file(MemoryFile(content), write=False)


def as_tool_page(info: PageInfo) -> ToolPage:
    if info.state is PageState.FREE:
        return ToolPage(info.pgid, "free", 0, 0)
    return ToolPage(info.pgid, info.kind, info.element_count, info.overflow)


def test_every_page_is_as_boltdb_shows_it(grown_bolt: Path, bolt_tool: BoltTool) -> None:
    with bolt_store.open(grown_bolt) as db:
        found = [as_tool_page(info) for info in page_infos(db)]
    assert found == bolt_tool.pages(grown_bolt)


def test_the_sums_are_those_of_boltdb(grown_bolt: Path, bolt_tool: BoltTool) -> None:
    with bolt_store.open(grown_bolt) as db:
        stats = db_stats(db)
    buckets = stats.buckets
    found = {
        "Number of logical branch pages": buckets.branch_page_count,
        "Number of physical branch overflow pages": buckets.branch_overflow_count,
        "Number of logical leaf pages": buckets.leaf_page_count,
        "Number of physical leaf overflow pages": buckets.leaf_overflow_count,
        "Number of keys/value pairs": buckets.element_count,
        "Bytes actually used for branch data": buckets.branch_used_bytes,
        "Bytes actually used for leaf data": buckets.leaf_used_bytes,
        "Total number of buckets": stats.bucket_count,
        "Total number on inlined buckets": stats.inline_bucket_count,
        "Bytes used for inlined buckets": buckets.inline_used_bytes,
    }
    assert buckets.leaf_page_count > 0
    assert found.items() <= bolt_tool.stats(grown_bolt).items()


def test_the_pages_of_a_file_add_up(grown_bolt: Path) -> None:
    with bolt_store.open(grown_bolt) as db:
        stats = db_stats(db)
        infos = list(page_infos(db))
    trees = [stats.root, stats.buckets]
    in_trees = sum(
        tree.branch_page_count
        + tree.branch_overflow_count
        + tree.leaf_page_count
        + tree.leaf_overflow_count
        for tree in trees
    )
    free = sum(info.state is PageState.FREE for info in infos)
    assert free == stats.free_page_count
    assert stats.unreachable_page_count == 0
    assert stats.page_count == 2 + in_trees + stats.freelist_page_count + free
    assert stats.page_count == sum(1 + info.overflow for info in infos)


def test_buckets_come_depth_first_with_their_sequences(tmp_path: Path) -> None:
    inner = BucketContent(items=[(b"k", b"v" * 5000)], sequence=7)
    outer = BucketContent(items=[(b"in", inner), (b"k", b"v")], sequence=8)
    content = [(b"a", outer), (b"b", BucketContent(items=[(b"k", b"v")]))]
    rebuild(content, tmp_path / "t", page_size_bytes=4096)
    with bolt_store.open(tmp_path / "t") as db:
        found = [
            (info.name, info.nesting_depth, info.sequence, info.is_inline, info.stats.element_count)
            for info in bucket_tree(db)
        ]
    assert found == [
        (b"", 0, 0, False, 2),
        (b"a", 1, 8, False, 2),
        (b"in", 2, 7, False, 1),
        (b"b", 1, 0, True, 1),
    ]


def test_the_depth_of_a_tree_is_that_of_its_leaves(oracle: Oracle, tmp_path: Path) -> None:
    oracle.fill(tmp_path / "t", 30_000, "-no-sync")
    shape = oracle.pages(tmp_path / "t")
    with bolt_store.open(tmp_path / "t") as db:
        [info] = [info for info in bucket_tree(db) if info.name == b"data"]
    assert info.stats.depth == 1 + max(page.depth for page in shape.pages)
    assert info.stats.element_count == 30_000


def test_no_repr_shows_the_name_of_a_bucket(tmp_path: Path) -> None:
    rebuild([(b"canary-4Gh2", BucketContent(items=[]))], tmp_path / "t")
    with bolt_store.open(tmp_path / "t") as db:
        infos = list(bucket_tree(db))
    assert infos[1].name == b"canary-4Gh2"
    assert "canary" not in repr(infos)


def test_three_thousand_levels_are_walked(tmp_path: Path) -> None:
    content = BucketContent(items=[])
    for _ in range(2999):
        content = BucketContent(items=[(b"n", content)])
    rebuild([(b"n", content)], tmp_path / "t")
    with bolt_store.open(tmp_path / "t") as db:
        assert max(info.nesting_depth for info in bucket_tree(db)) == 3000


def test_a_file_without_a_freelist_has_its_unused_pages_free(
    oracle: Oracle, tmp_path: Path
) -> None:
    oracle.fill(tmp_path / "t", 2000, "-no-freelist-sync", "-no-sync", "-batch=100", "-shuffle=1")
    with bolt_store.open(tmp_path / "t") as db:
        states = {info.state for info in page_infos(db)}
        stats = db_stats(db)
    assert states == {PageState.USED, PageState.FREE}
    assert stats.freelist_page_count == 0
    assert stats.free_page_count > 0


def damaged(path: Path, *, seed: int) -> bytes:
    """Cut a branch off: its children are neither used nor free."""
    grown(path, page_size_bytes=1024, seed=seed)
    content = bytearray(path.read_bytes())
    with opened(bytes(content)) as db:
        branch = next(info for info in page_infos(db) if info.kind == "branch")
    content[branch.pgid * 1024 : branch.pgid * 1024 + 16] = bytes(16)
    return bytes(content)


def test_pages_are_shown_of_a_damaged_file_too(tmp_path: Path) -> None:
    with opened(damaged(tmp_path / "t", seed=1)) as db:
        infos = list(page_infos(db))
        page_count = db.meta.high_water_mark
    assert {info.kind for info in infos} >= {"unknown", "leaf", "meta", "freelist"}
    assert any(info.state is PageState.UNREACHABLE for info in infos)
    assert sum(1 + info.overflow for info in infos) == page_count


def test_sums_over_a_damaged_tree_are_refused(tmp_path: Path) -> None:
    with opened(damaged(tmp_path / "t", seed=1)) as db:
        with pytest.raises(FormatError):
            db_stats(db)
        with pytest.raises(FormatError):
            list(bucket_tree(db))


def test_pages_that_refer_to_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    rebuild(
        [(b"b", BucketContent(items=((b"%05d" % n, b"v" * 90) for n in range(400))))],
        tmp_path / "t",
        page_size_bytes=1024,
    )
    content = bytearray((tmp_path / "t").read_bytes())
    with opened(bytes(content)) as db:
        [info] = [info for info in bucket_tree(db) if info.name == b"b"]
    place = info.root_pgid * 1024 + 16 + 8
    content[place : place + 8] = info.root_pgid.to_bytes(8, "little")
    with opened(bytes(content)) as db, pytest.raises(FormatError):
        list(bucket_tree(db))


def test_a_closed_file_has_no_pages_to_show(tmp_path: Path) -> None:
    db = bolt_store.create(tmp_path / "t")
    db.close()
    with pytest.raises(DBClosedError):
        list(page_infos(db))
    with pytest.raises(DBClosedError):
        db_stats(db)
