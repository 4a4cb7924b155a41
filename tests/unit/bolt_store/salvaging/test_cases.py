"""Salvage, case by case: lost metas, roots, leaves, branches, references that lie."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import bolt_store
from bolt_store import SalvageMethod, salvage, stale_entries
from bolt_store.codec.layout import FREELIST_FLAG
from tests.support.history import NAMES, Damage, History, flat, history, tree_of
from tests.support.memory_file import MemoryFile
from tests.support.model import dump_file
from tests.support.oracle import Oracle
from tests.support.salvaging import (
    KNOWLEDGE,
    Salvager,
    shared_branch,
    shared_leaf,
    true_count,
)


@pytest.fixture
def run(tmp_path: Path) -> Salvager:
    return Salvager(tmp_path)


def test_case_a_finds_the_newest_state_of_files_that_go_wrote(
    oracle: Oracle, run: Salvager, tmp_path: Path
) -> None:
    path = tmp_path / "go.bolt"
    certain = 0
    for seed in range(1, 7):
        path.unlink(missing_ok=True)
        oracle.fill(path, 1500, "-no-sync", f"-shuffle={seed}", "-batch=70")
        with bolt_store.open(path) as db:
            newest = dump_file(db)
            roots = {db.meta.root_pgid, db.pager.older.meta.root_pgid if db.pager.older.meta else 0}
        content = path.read_bytes()
        report, model = run(MemoryFile(bytes(8192) + content[8192:]))
        assert report.method is SalvageMethod.FOUND
        whole = {facts.root_pgid for facts in report.snapshots if not facts.lost_count}
        assert whole == roots, "no false pair"
        certain += model == newest
    assert certain >= 5


def test_case_a_goes_on_with_a_damaged_tree(run: Salvager) -> None:
    guessed = 0
    for seed in range(6):
        past = history(seed)
        ever = {item for state in past.states for item in flat(state).items()}
        damage = past.damaged().wipe_metas().wipe(shared_leaf(past))
        report, model = run(damage)
        assert set(flat(model).items()) <= ever
        assert len(flat(model)) > 0.7 * len(flat(past.states[-1]))
        assert not report.is_complete
        assert {damage.meta.root_pgid, damage.older.root_pgid} & {
            facts.root_pgid for facts in report.snapshots
        }, "what may be newer is offered"
        guessed += report.method is SalvageMethod.GUESSED
    assert guessed


@pytest.mark.parametrize(("page_size", "seed"), [(1024, 207), (4096, 204), (4096, 224)])
def test_case_a_finds_the_newest_state_where_a_writer_keeps_the_one_before(
    run: Salvager, page_size: int, seed: int
) -> None:
    past = history(seed, page_size_bytes=page_size, commit_count=12)
    _, model = run(past.damaged().wipe_metas())
    assert model == past.states[-1]


def test_a_wrong_number_of_overflow_pages_loses_nothing(run: Salvager) -> None:
    past = history(1, page_size_bytes=1024)
    tree = tree_of(past.newest)
    for pgid in (tree.leaves[0], tree.branches[0]):
        for bit in (0, 2, 7, 30):
            damage = past.damaged()
            overflow = int.from_bytes(damage.page(pgid)[12:16], "little") ^ 1 << bit
            _, model = run(damage.put(pgid, overflow.to_bytes(4, "little"), at=12))
            assert model == past.states[-1]


def test_case_b_a_lost_root_leaves_the_older_snapshot(run: Salvager) -> None:
    past = history(1)
    damage = past.damaged()
    report, model = run(damage.wipe(damage.meta.root_pgid))
    assert model == past.states[-2]
    assert report.snapshots[0].root_pgid == damage.older.root_pgid


def test_case_b_two_lost_roots_leave_an_older_root(run: Salvager) -> None:
    past = history(1)
    ever = {item for state in past.states for item in flat(state).items()}
    damage = past.damaged()
    report, model = run(damage.wipe(damage.meta.root_pgid, damage.older.root_pgid))
    assert report.is_written
    assert set(flat(model).items()) <= ever
    assert set(model) == set(NAMES)
    assert not report.is_complete


def test_case_c_a_lost_leaf_loses_its_own_keys_at_most(run: Salvager) -> None:
    wrong = trials = 0
    for seed in range(3):
        past = history(seed)
        tree = tree_of(past.newest)
        newest = flat(past.states[-1])
        for pgid in set(tree.leaves) & tree.shared:
            report, model = run(past.damaged().wipe(pgid))
            found = flat(model)
            own = int.from_bytes(past.damaged().page(pgid)[10:12], "little")
            assert len(newest.keys() & found.keys()) >= len(newest) - own
            assert not report.is_complete
            trials += 1
            if report.method is SalvageMethod.FOUND:
                # An older whole state has more of that leaf than was done since.
                assert model in past.states
                continue
            [missing] = report.missing
            assert (missing.lost_pgid, missing.attached_pgids) == (pgid, ())
            assert len(newest) - len(found) == own
            wrong += len(found.items() - newest.items())
    assert trials > 20
    assert wrong == 0


def test_case_c_stale_entries_are_listed_apart_and_merged_only_when_asked(run: Salvager) -> None:
    """A leaf that both snapshots changed last in one transaction, lost in the newer one only."""
    past, damage = history_with_two_lost_leaves()
    newest = flat(past.states[-1])
    report, model = run(damage)
    assert report.differences is not None
    assert report.differences.missing_count > 0
    assert report.stale_key_count == 0
    assert flat(model).items() <= newest.items()
    entries = [entry for entry in stale_entries(damage.file, report) if entry.is_missing]
    assert len(entries) == report.differences.missing_count
    assert all(entry.origin == "snapshot" and entry.path for entry in entries)
    filled, fuller = run(damage, use_older=True)
    assert filled.stale_key_count == len(entries)
    assert len(flat(fuller)) == len(flat(model)) + len(entries)
    older = flat(past.states[-2])
    added = flat(fuller).items() - flat(model).items()
    assert added <= older.items()
    assert {(entry.path[0] if entry.path else b"", entry.key) for entry in entries} == {
        place for place, _ in added
    }


def is_newest_best(damage: Damage) -> bool:
    """Tell whether the newest state has most, although a leaf of it is lost."""
    with TemporaryDirectory() as folder:
        report = salvage(damage.file, Path(folder) / "t")
    has_more = report.differences is not None and report.differences.missing_count > 0
    return report.snapshots[0].root_pgid == damage.meta.root_pgid and has_more


def history_with_two_lost_leaves() -> tuple[History, Damage]:
    """Damage both snapshots, at different leaves."""
    for seed in range(20):
        past = history(seed)
        tree = tree_of(past.newest)
        own = [pgid for pgid in tree.leaves if pgid not in tree.shared]
        shared = [pgid for pgid in tree.leaves if pgid in tree.shared]
        if own and shared:
            damage = past.damaged().wipe(own[-1], shared[0])
            if is_newest_best(damage):
                return past, damage
    raise AssertionError


def test_case_d_the_children_of_a_lost_branch_are_put_back(run: Salvager) -> None:
    trials = 0
    for seed in range(4):
        past = history(seed, page_size_bytes=1024)
        tree = tree_of(past.newest)
        for pgid in set(tree.branches) & tree.shared:
            report, model = run(past.damaged().wipe(pgid))
            assert model == past.states[-1], f"seed {seed}, page {pgid}"
            assert report.is_complete
            [missing] = report.missing
            assert set(missing.attached_pgids) == set(past.damaged().children(pgid))
            orphans = [taken for taken in report.taken if taken.origin == "orphan"]
            assert sum(taken.count for taken in orphans) >= len(missing.attached_pgids)
            trials += 1
    assert trials > 5


def test_case_d_two_lost_branches_of_two_buckets_need_a_classifier(run: Salvager) -> None:
    """Without one, a former state tells it, as long as something is left of that."""
    past, branches = history_with_two_shared_branches()
    _, model = run(past.damaged().wipe(*branches))
    assert model == past.states[-1]
    damage = past.damaged().wipe(*branches, *former_pages(past))
    without, poorer = run(damage)
    assert true_count(poorer, past) < len(flat(past.states[-1]))
    assert not without.is_complete
    report, model = run(damage, knowledge=KNOWLEDGE)
    assert model == past.states[-1]
    assert report.is_complete


def former_pages(past: History) -> list[int]:
    """Return the pages that no state has any more that a meta names."""
    shared = tree_of(past.newest).shared
    with bolt_store.open_file(MemoryFile(past.newest), write=False) as db:
        infos = [info for info in bolt_store.page_infos(db) if info.state == "free"]
    return [info.pgid for info in infos if info.pgid not in shared]


def history_with_two_shared_branches() -> tuple[History, list[int]]:
    for seed in range(30):
        past = history(seed, commit_count=60)
        tree = tree_of(past.newest)
        shared = [pgid for pgid in tree.branches if pgid in tree.shared]
        if len(shared) > 1:
            return past, shared[:2]
    raise AssertionError


def test_case_d_puts_nothing_back_without_a_freelist(run: Salvager) -> None:
    past = history(1)
    branch = shared_branch(past)
    damage = past.damaged()
    pgids = range(2, len(damage.content) // damage.page_size_bytes)
    # That of a former state tells of its orphans, too.
    freelists = [pgid for pgid in pgids if damage.page(pgid)[8] == FREELIST_FLAG]
    damage.wipe(branch, *freelists)
    report, model = run(damage)
    assert flat(model).items() < flat(past.states[-1]).items()
    assert report.method is SalvageMethod.REPAIRED
    assert [missing.attached_pgids for missing in report.missing] == [()]
    assert report.loose_leaves


def test_case_e_a_page_that_two_refer_to_stays_where_its_separator_is(run: Salvager) -> None:
    past = history(1)
    branch = shared_branch(past)
    children = past.damaged().children(branch)
    for to, instead in ((0, 1), (1, 0), (2, 0)):
        damage = past.damaged().set_child(branch, to, children[instead])
        report, model = run(damage)
        assert model == past.states[-1]
        [missing] = report.missing
        assert missing.place == (branch, to)


def test_case_e_a_bucket_that_names_the_child_of_another_gives_it_back(run: Salvager) -> None:
    """The walk comes to the wrong reference first, and takes the page away from it again."""
    past = history(1)
    newest = flat(past.states[-1])
    branch, victim = child_of_another_bucket(past)
    report, model = run(point_first_bucket_at(past, victim))
    assert model == past.states[-1]
    [missing] = report.missing
    assert missing.code == "page.shared"
    assert missing.place[0] not in (branch, victim)
    assert len(newest) == report.key_count


def child_of_another_bucket(past: History) -> tuple[int, int]:
    """Return a branch of another bucket than the first, and a leaf below it."""
    damage = past.damaged()
    for branch in tree_of(past.newest).branches:
        child = damage.children(branch)[1]
        if NAMES[0] not in damage.page(child):
            return branch, child
    raise AssertionError


def test_orphans_of_a_tree_without_a_hole_make_the_result_uncertain(run: Salvager) -> None:
    """The first bucket names one of its own leaves as its root: sound, and most of it is gone."""
    past = history(1)
    damage = past.damaged()
    branch = next(pgid for pgid in tree_of(past.newest).branches if NAMES[0] in damage.page(pgid))
    report, model = run(point_first_bucket_at(past, damage.children(branch)[1]))
    assert true_count(model, past) >= true_count(past.states[-2], past) // 2
    assert report.method is SalvageMethod.FOUND or report.orphan_count > 0
    assert not report.is_complete


def point_first_bucket_at(past: History, pgid: int) -> Damage:
    """Change the root page of the first bucket in both root leaves."""
    damage = past.damaged()
    for root in (damage.meta.root_pgid, damage.older.root_pgid):
        page = damage.page(root)
        pos = int.from_bytes(page[20:24], "little")
        key_size = int.from_bytes(page[24:28], "little")
        assert page[16 + pos :].startswith(NAMES[0])
        damage.put(root, pgid.to_bytes(8, "little"), at=16 + pos + key_size)
    return damage


def test_case_g_leaves_without_a_root_are_listed_with_every_version(run: Salvager) -> None:
    past = history(1)
    damage = past.damaged().wipe_metas()
    roots = root_pages(damage)
    report, _ = run(damage.wipe(*roots))
    assert report.method is SalvageMethod.NOTHING
    entries = list(stale_entries(damage.file, report, knowledge=KNOWLEDGE))
    found = {((entry.path or (b"",))[0], entry.key): entry.value for entry in entries}
    newest = {place: value for place, value in flat(past.states[-1]).items() if place in found}
    assert len(newest) == len(flat(past.states[-1])), "every key of the trees is there"
    versions = {(entry.path, entry.key, entry.value) for entry in entries}
    assert {((name,), key, value) for (name, key), value in newest.items()} <= versions
    assert {entry.is_listed_free for entry in entries} == {True, False}
    assert {entry.origin for entry in entries} == {"page"}


def root_pages(damage: Damage) -> list[int]:
    """Return every page that could be a root: leaves of buckets only."""
    found = []
    for pgid in range(2, len(damage.content) // damage.page_size_bytes):
        page = damage.page(pgid)
        count = int.from_bytes(page[10:12], "little")
        if page[8] == 2 and count and NAMES[-1] in page:
            found.append(pgid)
    return found


def test_the_caller_may_name_the_root(run: Salvager) -> None:
    past = history(1)
    damage = past.damaged()
    report, model = run(damage, root_pgid=damage.older.root_pgid)
    assert model == past.states[-2]
    assert report.method is SalvageMethod.CHOSEN
    report, _ = run(damage, root_pgid=1 << 70)
    assert report.bucket_count == 0
