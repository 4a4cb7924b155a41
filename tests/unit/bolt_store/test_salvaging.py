"""Salvage: damage of every class that the field has shown, and what comes back from it."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeAlias

import pytest

import bolt_store
from bolt_store import SalvageMethod, salvage, stale_entries
from bolt_store.errors import CommitError
from tests.support.history import NAMES, Damage, flat, history, tree_of
from tests.support.memory_file import MemoryFile
from tests.support.oracle import Dump, Oracle
from tests.support.salvaging import (
    KNOWLEDGE,
    Salvager,
    shared_branch,
    shared_leaf,
    true_count,
)
from tests.support.turns import RandomScripts

Harm: TypeAlias = Callable[[Damage], Damage]

PAGE_SIZES = pytest.mark.parametrize("page_size_bytes", [1024, 4096, 16384])


@pytest.fixture
def run(tmp_path: Path) -> Salvager:
    return Salvager(tmp_path)


# -- step 0: snapshots -------------------------------------------------------------------------


@PAGE_SIZES
def test_a_healthy_file_comes_back_whole(run: Salvager, page_size_bytes: int) -> None:
    past = history(1, page_size_bytes=page_size_bytes)
    report, model = run(MemoryFile(past.newest))
    assert model == past.states[-1]
    assert (report.method, report.is_complete) == (SalvageMethod.CLEAN, True)
    assert report.snapshots[0].key_count == len(flat(model))
    with bolt_store.open(run.target) as db:
        assert db.meta.txid == report.snapshots[0].txid
        assert db.meta.page_size_bytes == page_size_bytes


def test_real_stores_come_back_whole(run: Salvager, level21_bolt: Path) -> None:
    report, _ = run(MemoryFile(level21_bolt.read_bytes()))
    assert report.is_complete
    assert Dump.of_file(run.target) == Dump.of_file(level21_bolt)


def test_d1_what_a_torn_newest_meta_named_is_found_on_its_pages(run: Salvager) -> None:
    past = history(1)
    for data in (bytes(4096), b"\xff" * 40):
        damage = past.damaged()
        report, model = run(damage.put(damage.slot, data, at=16))
        assert model in past.states[-2:], "which one is newer need not show"
        assert not report.is_complete
        assert not report.is_newest, "the torn meta may have been a newer one"


@PAGE_SIZES
def test_d2_two_lost_metas_are_found_again(run: Salvager, page_size_bytes: int) -> None:
    past = history(1, page_size_bytes=page_size_bytes)
    report, model = run(past.damaged().wipe_metas())
    assert model in past.states[-2:], "which one is newer need not show"
    assert report.method is SalvageMethod.FOUND
    assert report.is_page_size_inferred
    assert report.page_size_bytes == page_size_bytes
    roots = {facts.root_pgid for facts in report.snapshots}
    damage = past.damaged()
    assert {damage.meta.root_pgid, damage.older.root_pgid} <= roots
    assert not report.is_newest


def test_d3_a_root_that_is_a_freelist_is_found_by_the_freelist_that_the_meta_names(
    run: Salvager,
) -> None:
    past = history(1)
    damage = past.damaged()
    wrong = damage.meta.freelist_pgid
    assert wrong is not None
    damage.sign(damage.slot, damage.meta._replace(root_pgid=wrong))
    damage.sign(1 - damage.slot, damage.older._replace(root_pgid=wrong))
    report, model = run(damage)
    assert model == past.states[-1]
    assert (report.method, report.is_newest) == (SalvageMethod.FOUND, True)
    assert report.snapshots[0].txid == damage.meta.txid


@pytest.mark.parametrize(("seed", "former", "taken"), [(8, 2, -2), (17, 2, -4), (22, 4, -4)])
def test_d3_a_state_that_was_left_where_the_newest_one_was_not_written_is_not_complete(
    run: Salvager, seed: int, former: int, taken: int
) -> None:
    """Where the newest meta names them, a root and a freelist, or that alone, of a former time."""
    past = history(seed, page_size_bytes=1024 if seed % 2 else 4096, commit_count=25)
    metas = 2 * past.page_size_bytes
    before = past.images[-former][metas:]
    content = past.newest[:metas] + before + past.newest[metas + len(before) :]
    report, model = run(MemoryFile(content))
    assert model == past.states[taken] != past.states[-1]
    assert not report.is_complete


@pytest.mark.parametrize("harm", ["zeroed", "a leaf", "too long"])
def test_d4_a_lost_freelist_is_not_needed(run: Salvager, harm: str) -> None:
    past = history(1)
    damage = past.damaged()
    freelist = damage.meta.freelist_pgid
    assert freelist is not None
    match harm:
        case "zeroed":
            damage.wipe(freelist)
        case "a leaf":
            damage.put(freelist, b"\x02", at=8)
        case _:
            damage.put(freelist, b"\xfe\xff", at=10)
    report, model = run(damage)
    assert model == past.states[-1]
    assert report.method is SalvageMethod.CLEAN
    assert not report.is_complete, "what is cut off from the tree would not show"
    assert report.snapshots[0].freelist_pgid is None


def test_d5_a_freelist_that_lists_a_page_in_use_is_overruled_by_the_tree(run: Salvager) -> None:
    past = history(1)
    damage = past.damaged()
    freelist = damage.meta.freelist_pgid
    assert freelist is not None
    ids = sorted({*read_freelist(damage, freelist), shared_leaf(past)})
    data = b"".join(pgid.to_bytes(8, "little") for pgid in ids)
    damage.put(freelist, len(ids).to_bytes(2, "little"), at=10).put(freelist, data, at=16)
    report, model = run(damage)
    assert model == past.states[-1]
    assert report.snapshots[0].conflict_count == 1


def read_freelist(damage: Damage, pgid: int) -> list[int]:
    page = damage.page(pgid)
    count = int.from_bytes(page[10:12], "little")
    return [int.from_bytes(page[at : at + 8], "little") for at in range(16, 16 + 8 * count, 8)]


def test_d6_of_a_damaged_newest_state_and_the_older_one_that_with_more_records_is_taken(
    run: Salvager,
) -> None:
    past = history(1)
    tree = tree_of(past.newest)
    own = [pgid for pgid in (*tree.leaves, *tree.branches) if pgid not in tree.shared]
    methods = set()
    for pgid in own:
        report, model = run(past.damaged().wipe(pgid))
        lost = int.from_bytes(past.damaged().page(pgid)[10:12], "little")
        newest = len(flat(past.states[-1])) - lost if pgid in tree.leaves else 0
        assert true_count(model, past) >= max(newest, true_count(past.states[-2], past))
        assert not report.is_complete or model == past.states[-1]
        assert report.differences is not None, "what the other one would have had is told"
        methods.add(report.method)
    assert SalvageMethod.CLEAN in methods


def test_d6_every_lost_write_of_the_last_transaction_is_seen_or_leaves_no_sign(
    run: Salvager,
) -> None:
    """One page of the last transaction holds what was there before, as after a lying sync."""
    unseen = total = 0
    for seed in range(3):
        past = history(seed)
        size = past.page_size_bytes
        before = past.images[-2].ljust(len(past.newest), b"\0")
        for pgid in range(2, len(past.newest) // size):
            stale = before[pgid * size : (pgid + 1) * size]
            if past.damaged().page(pgid) == stale:
                continue
            report, model = run(past.damaged().put(pgid, stale))
            total += 1
            if report.is_complete and model != past.states[-1]:
                # A leaf that is a sound leaf of a former state, and nothing shows that.
                assert past.damaged().page(pgid)[8] == 2
                unseen += 1
            elif model not in past.states and past.damaged().page(pgid)[8] != 2:
                assert true_count(model, past) >= true_count(past.states[-2], past)
    assert total > 30
    assert unseen * 10 < total


def test_d7_a_reference_to_nowhere_is_put_right_by_the_orphan_that_it_leaves(
    run: Salvager,
) -> None:
    past = history(1)
    branch = shared_branch(past)
    children = past.damaged().children(branch)
    for child in (0, 1, 10_000, 1 << 63, past.damaged().meta.root_pgid):
        for index in (0, len(children) // 2, len(children) - 1):
            report, model = run(past.damaged().set_child(branch, index, child))
            if child > 1:
                assert model == past.states[-1]
                [missing] = report.missing
                assert missing.place == (branch, index)
                assert missing.attached_pgids == (children[index],)
            else:
                # A child below 2 breaks the whole branch; its other children are orphans, too.
                assert model == past.states[-1]


def test_d8_a_cycle_ends_and_loses_nothing(run: Salvager) -> None:
    past = history(1)
    branch = shared_branch(past)
    for child in (branch, past.damaged().meta.root_pgid):
        report, model = run(past.damaged().set_child(branch, 1, child))
        assert model == past.states[-1]
        assert report.method is SalvageMethod.REPAIRED


def test_d9_a_file_cut_anywhere_gives_nothing_that_was_never_there(run: Salvager) -> None:
    past = history(1)
    size = past.page_size_bytes
    ever = {item for state in past.states for item in flat(state).items()}
    end = past.damaged().meta.high_water_mark * size
    page_count = len(past.newest) // size
    for pgid in {*range(0, page_count, 4), page_count - 1, past.damaged().meta.high_water_mark}:
        for offset in (-1, 0, 1):
            length = max(pgid * size + offset, 0)
            report, model = run(MemoryFile(past.newest[:length]))
            assert set(flat(model).items()) <= ever
            assert report.is_complete == (model == past.states[-1])
            # Pages behind the high water mark mean nothing.
            assert report.is_complete or length < end


@pytest.mark.parametrize("page_size_bytes", [1024, 16384, 65536])
def test_d10_the_page_size_is_that_of_the_file_not_of_the_machine(
    run: Salvager, page_size_bytes: int
) -> None:
    past = history(1, page_size_bytes=page_size_bytes, commit_count=12)
    for slots in ((0,), (0, 1)):
        report, model = run(past.damaged().wipe(*slots))
        assert report.page_size_bytes == page_size_bytes
        assert model in past.states[-2:]


@pytest.mark.parametrize("content", [b"", b"x", bytes(8192), b"\xff" * 70_000], ids=len)
def test_d11_a_file_without_pages_gives_nothing(run: Salvager, content: bytes) -> None:
    report, _ = run(MemoryFile(content))
    assert report.method is SalvageMethod.NOTHING
    assert not report.is_written
    assert list(stale_entries(MemoryFile(content), report)) == []
    assert list(report.sentences())


def test_d12_a_copy_made_while_somebody_wrote_gives_nothing_that_was_never_there(
    run: Salvager,
) -> None:
    random = Random(12)
    past = history(2)
    size = past.page_size_bytes
    # Which bucket a page belongs to is only known from the page that names it.
    ever = {(key, value) for state in past.states for (_, key), value in flat(state).items()}
    complete_count, trial_count = 0, 30
    for _ in range(trial_count):
        first = random.randrange(len(past.images) - 8)
        last = first + random.randrange(1, 8)
        cut = random.randrange(1, len(past.images[first]) // size) * size
        report, model = run(MemoryFile(past.images[first][:cut] + past.images[last][cut:]))
        assert report.is_written
        assert {(key, value) for (_, key), value in flat(model).items()} <= ever
        complete_count += report.is_complete
        assert not report.is_complete or model in past.states
    assert 0 < complete_count < trial_count


# -- promises ------------------------------------------------------------------------------------


def test_nothing_is_merged_silently(run: Salvager) -> None:
    """Whatever page is lost, the new file has only what the newest or the older state had."""
    past = history(3, page_size_bytes=1024, commit_count=25)
    newest, older = (flat(state) for state in past.states[-1:-3:-1])
    for pgid in range(0, len(past.newest) // 1024, 2):
        _, model = run(past.damaged().wipe(pgid))
        found = flat(model)
        is_one = found.items() <= newest.items() or found.items() <= older.items()
        # A whole former state, where that gives back more than it lacks.
        assert is_one or model in past.states, f"page {pgid}"


def test_a_report_shows_no_key_and_no_value(run: Salvager) -> None:
    past = history(1)
    damage = past.damaged().wipe(shared_leaf(past), shared_branch(past))
    report, _ = run(damage, knowledge=KNOWLEDGE)
    entries = list(stale_entries(damage.file, report, knowledge=KNOWLEDGE))
    assert entries
    text = "\n".join(map(str, report.sentences())) + repr(report) + repr(entries)
    for name in NAMES:
        assert name.decode() not in text


def test_salvage_replaces_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    source = MemoryFile(history(1).newest)
    (tmp_path / "there").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        salvage(source, tmp_path / "there")
    with pytest.raises(CommitError):
        salvage(source, tmp_path / "absent" / "target")
    assert (tmp_path / "there").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_progress_counts_up_to_the_pages_of_the_file(tmp_path: Path) -> None:
    past = history(1)
    calls: list[tuple[int, int]] = []
    salvage(MemoryFile(past.newest), tmp_path / "t", progress=lambda *counts: calls.append(counts))
    page_count = len(past.newest) // past.page_size_bytes
    assert calls[-1] == (page_count, page_count)


def test_go_finds_no_fault_with_what_was_salvaged(oracle: Oracle, run: Salvager) -> None:
    past = history(1)
    damages: list[Harm] = [
        Damage.wipe_metas,
        lambda damage: damage.wipe(shared_leaf(past)),
        lambda damage: damage.wipe(shared_branch(past)),
    ]
    for damage in damages:
        _, model = run(damage(past.damaged()))
        assert oracle.check(run.target) == []
        assert oracle.dump(run.target).model == model


def test_what_go_wrote_in_nested_buckets_comes_back_and_no_loss_is_silent(
    oracle: Oracle, run: Salvager, tmp_path: Path
) -> None:
    path = tmp_path / "go.bolt"
    put_back = partial_count = 0
    for seed in range(3):
        path.unlink(missing_ok=True)
        scripts = RandomScripts(Random(seed), page_size_bytes=1024)
        oracle.init(path, page_size_bytes=1024)
        oracle.apply(path, *(scripts.next() for _ in range(50)), flags=["-no-sync"])
        with bolt_store.open(path) as db:
            expected = Dump.of(db)
            used = [info for info in bolt_store.page_infos(db) if info.state == "used"]
        report, _ = run(MemoryFile(path.read_bytes()))
        assert (report.is_complete, Dump.of_file(run.target)) == (True, expected)
        for info in used[2::6]:
            report, _ = run(Damage(path.read_bytes(), 1024).wipe(info.pgid))
            is_whole = report.is_written and Dump.of_file(run.target) == expected
            assert is_whole or not report.is_complete, f"seed {seed}, page {info.pgid}"
            partial_count += not is_whole
            put_back += is_whole and info.kind == "branch"
    assert put_back > 0
    assert partial_count > 0


def test_three_thousand_levels_are_salvaged(run: Salvager, tmp_path: Path) -> None:
    content = bolt_store.BucketContent(items=[(b"k", b"v")], sequence=7)
    for _ in range(2999):
        content = bolt_store.BucketContent(items=[(b"n", content)], sequence=3)
    bolt_store.rebuild([(b"n", content)], tmp_path / "source")
    report, _ = run(MemoryFile((tmp_path / "source").read_bytes()))
    assert (report.bucket_count, report.is_complete) == (3000, True)
    assert run.target.read_bytes() == (tmp_path / "source").read_bytes()
