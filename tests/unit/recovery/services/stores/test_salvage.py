"""Packed and salvaged copies, and the verdict on them."""

import gzip
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

import bolt_store
from recovery.errors import ConflictError, RefusedError, StoreBusyError, StoreDamagedError
from recovery.metastore.rebuilding import CompactFacts, SalvageFacts
from recovery.model.recognition import RecordKind
from recovery.remedy import advice
from recovery.services.authorizations.changes import DeleteAuthorization
from recovery.services.stores.salvage import Prospect, compact, salvage
from tests.support.locks import locked
from tests.support.model import Model, dump_file, problems
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, MadeStore, SeededRng, change


def compacted(path: Path, target: Path) -> tuple[CompactFacts, Prospect]:
    return compact(path, target, clock=FixedClock(CHANGED_AT), rng=SeededRng())


def salvaged(
    path: Path, target: Path, *, use_older: bool = False, root_pgid: int | None = None
) -> tuple[SalvageFacts, Prospect | None]:
    return salvage(
        path,
        target,
        page_size_bytes=None,
        root_pgid=root_pgid,
        use_older=use_older,
        clock=FixedClock(CHANGED_AT),
        rng=SeededRng(),
    )


def content(path: Path) -> Model:
    with bolt_store.open(path) as db:
        assert problems(db) == []
        return dump_file(db)


def test_a_packed_copy_has_the_same_content(level21_bolt: Path, tmp_path: Path) -> None:
    facts, prospect = compacted(level21_bolt, tmp_path / "new")
    assert content(tmp_path / "new") == content(level21_bolt)
    assert facts.size_bytes == (tmp_path / "new").stat().st_size
    assert facts.source_size_bytes == level21_bolt.stat().st_size
    assert prospect == Prospect(sentence="influxd will start", finding_count=0, is_ready=True)


def test_a_packed_copy_has_nothing_of_what_was_deleted(made: MadeStore, tmp_path: Path) -> None:
    token = b"canary-operator-token"
    change(made.path, DeleteAuthorization(authorization_id=made.operator, is_ensured=False))
    assert token in made.path.read_bytes()
    compacted(made.path, tmp_path / "new")
    assert token not in (tmp_path / "new").read_bytes()


def test_making_a_copy_leaves_the_store_alone(made: MadeStore, tmp_path: Path) -> None:
    before = made.path.read_bytes(), made.path.stat().st_mtime_ns
    compacted(made.path, tmp_path / "new")
    salvaged(made.path, tmp_path / "other")
    assert (made.path.read_bytes(), made.path.stat().st_mtime_ns) == before


def test_a_store_packed_by_gzip_can_be_compacted_and_salvaged(
    made: MadeStore, tmp_path: Path
) -> None:
    packed = tmp_path / "20260102T030405Z.bolt.gz"
    packed.write_bytes(gzip.compress(made.path.read_bytes()))
    compacted(packed, tmp_path / "new")
    salvaged(packed, tmp_path / "other")
    assert content(tmp_path / "new") == content(tmp_path / "other") == content(made.path)


def test_a_sound_store_is_salvaged_whole(made: MadeStore, tmp_path: Path) -> None:
    facts, prospect = salvaged(made.path, tmp_path / "new")
    assert (facts.is_written, facts.is_complete, facts.method) == (True, True, "clean snapshot")
    assert content(tmp_path / "new") == content(made.path)
    assert prospect is not None
    assert prospect.sentence.startswith("influxd will start")


def test_a_damaged_store_is_not_compacted_but_salvaged(made: MadeStore, tmp_path: Path) -> None:
    for authorization_id in (made.operator, made.reader):  # so that both snapshots have the page
        change(made.path, DeleteAuthorization(authorization_id=authorization_id, is_ensured=False))
    with bolt_store.open(made.path) as db:
        size = db.meta.page_size_bytes
        leaf = next(
            info.root_pgid for info in bolt_store.bucket_tree(db) if info.name == b"bucketsv1"
        )
    data = bytearray(made.path.read_bytes())
    data[leaf * size : (leaf + 1) * size] = os.urandom(size)
    made.path.write_bytes(data)
    with pytest.raises(StoreDamagedError) as caught:
        compacted(made.path, tmp_path / "new")
    assert "store salvage" in advice(caught.value.hint)
    assert not (tmp_path / "new").exists()
    facts, _ = salvaged(made.path, tmp_path / "new")
    assert (facts.is_written, facts.is_complete) == (True, False)
    assert any(str(leaf) in sentence.text for sentence in facts.sentences)
    assert content(tmp_path / "new")
    assert "canary" not in repr(facts)


def test_where_there_is_nothing_no_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "influxd.bolt"
    path.write_bytes(b"x" * 100_000)
    facts, prospect = salvaged(path, tmp_path / "new")
    assert (facts.is_written, prospect) == (False, None)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["influxd.bolt"]


@pytest.mark.parametrize("make", [compacted, salvaged])
def test_nothing_is_replaced(made: MadeStore, make: object) -> None:
    assert callable(make)
    with pytest.raises(ConflictError):
        make(made.path, made.path)
    there = made.path.with_name("link")
    there.symlink_to("nowhere")
    with pytest.raises(ConflictError):
        make(made.path, there)


def test_a_name_that_influxd_deletes_is_refused(made: MadeStore, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="influxd deletes"):
        compacted(made.path, tmp_path / "influxd.bolt.tmp")


@pytest.mark.parametrize("make", [compacted, salvaged])
def test_a_store_in_use_is_refused(made: MadeStore, tmp_path: Path, make: object) -> None:
    assert callable(make)
    with locked(made.path, exclusive=True), pytest.raises(StoreBusyError):
        make(made.path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def add_authorizations(made: MadeStore, count: int) -> None:
    """Copy the record of the reader under further IDs."""
    with bolt_store.open(made.path, write=True) as db, db.update() as tx:
        bucket = tx.bucket(b"authorizationsv1")
        own = str(made.reader).encode()
        record = bucket.get(own)
        assert record is not None
        for number in range(count):
            other = b"%016x" % (0xABCD0000 + number)
            bucket.put(other, record.replace(own, other))


def test_a_bad_sector_in_a_leaf_of_authorizations_costs_those_in_it_alone(
    made: MadeStore, tmp_path: Path
) -> None:
    add_authorizations(made, 60)
    before = salvaged(made.path, tmp_path / "before")[0].record_counts
    data = bytearray(made.path.read_bytes())
    with bolt_store.open(made.path) as db:
        size = db.meta.page_size_bytes
        used = [info for info in bolt_store.page_infos(db) if info.state == "used"]
    start = next(
        info.pgid * size
        for info in used
        if info.kind == "leaf" and b"00000000abcd0010" in data[info.pgid * size :][:size]
    )
    data[start + 1024 : start + 1536] = bytes(512)
    keys = data[start : start + size].count(b"00000000abcd00")
    data[start + 16 + 8 : start + 16 + 12] = b"\xff\xff\xff\xff"
    made.path.write_bytes(data)
    facts, _ = salvaged(made.path, tmp_path / "new")
    lost = before[RecordKind.AUTHORIZATION] - facts.record_counts[RecordKind.AUTHORIZATION]
    assert 0 < lost < keys // 2, "of some six or more on the page"
    assert facts.record_counts[RecordKind.USER] == before[RecordKind.USER]
    assert not facts.is_complete


def test_what_is_left_aside_is_named_by_kind_and_id(made: MadeStore, tmp_path: Path) -> None:
    change(made.path, DeleteAuthorization(authorization_id=made.operator, is_ensured=False))
    facts, _ = salvaged(made.path, tmp_path / "new")
    [left] = [one for one in facts.left_aside if one.record.id == str(made.operator)]
    assert left.record.kind is RecordKind.AUTHORIZATION
    assert left.is_in_other_state
    assert "canary" not in repr(facts)


def test_another_state_can_be_taken_by_its_root_page(made: MadeStore, tmp_path: Path) -> None:
    before = content(made.path)
    change(made.path, DeleteAuthorization(authorization_id=made.operator, is_ensured=False))
    facts, _ = salvaged(made.path, tmp_path / "new")
    assert content(tmp_path / "new") != before
    other = facts.alternatives[0]
    salvaged(made.path, tmp_path / "other", root_pgid=other.root_pgid)
    assert content(tmp_path / "other") == before


def test_bolt_buckets_that_are_missing_are_named(made: MadeStore, tmp_path: Path) -> None:
    with bolt_store.open(made.path, write=True) as db, db.update() as tx:
        tx.delete_bucket(b"tasksv1")
    facts, _ = salvaged(made.path, tmp_path / "new")
    assert facts.missing_names == ("tasksv1",)


def test_a_state_without_users_loses_against_one_that_has_them(
    made: MadeStore, tmp_path: Path
) -> None:
    before = content(made.path)
    with bolt_store.open(made.path, write=True) as db, db.update() as tx:
        tx.delete_bucket(b"usersv1")
        tx.delete_bucket(b"organizationsv1")
    facts, _ = salvaged(made.path, tmp_path / "new")
    assert content(tmp_path / "new") == before
    assert not facts.is_complete


@pytest.mark.parametrize("make", [compacted, salvaged])
def test_a_new_file_is_private_whatever_mode_the_store_has(
    made: MadeStore, tmp_path: Path, make: Callable[[Path, Path], tuple[object, Prospect]]
) -> None:
    made.path.chmod(0o644)
    _, prospect = make(made.path, tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert prospect.finding_count == 0


@pytest.mark.parametrize("make", [compacted, salvaged])
def test_ctrl_c_while_the_new_file_is_examined_leaves_nothing_of_it(
    made: MadeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path, Path], object],
) -> None:
    def interrupt(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("recovery.services.stores.salvage.examine", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make(made.path, tmp_path / "new")
    assert [one.name for one in tmp_path.iterdir()] == ["influxd.bolt"]


def test_a_packed_store_that_is_cut_short_is_salvaged_as_far_as_it_goes(
    made: MadeStore, tmp_path: Path
) -> None:
    add_authorizations(made, 40)
    packed = gzip.compress(made.path.read_bytes())
    path = tmp_path / "cut.bolt.gz"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    facts, _ = salvaged(path, tmp_path / "new")
    assert "cut short" in facts.sentences[0].text
    assert facts.is_written
    assert not facts.is_complete
