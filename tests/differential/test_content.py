"""Both directions: what one writes, the other reads, finds sound and goes on with."""

import shutil
from pathlib import Path
from random import Random

import pytest

import bolt_store
from tests.support.model import problems
from tests.support.oracle import (
    Dump,
    Oracle,
    Script,
    fill_key,
    fill_value,
    loop_model,
)
from tests.support.turns import RandomScripts, play, require_sound, update

PAGE_SIZES = pytest.mark.parametrize("page_size_bytes", [1024, 4096, 16384, 65536])
FREELISTS = pytest.mark.parametrize(
    "flags", [(), ("-hashmap",), ("-no-freelist-sync",)], ids=["array", "hashmap", "unstored"]
)


def _scripts(page_size_bytes: int, *, seed: int, count: int) -> list[Script]:
    scripts = RandomScripts(Random(seed), page_size_bytes=page_size_bytes)
    return [scripts.next() for _ in range(count)]


@PAGE_SIZES
@FREELISTS
def test_a_file_made_by_go_reads_the_same_and_checks_clean(
    oracle: Oracle, tmp_path: Path, page_size_bytes: int, flags: tuple[str, ...]
) -> None:
    path = tmp_path / "go.bolt"
    oracle.init(path, page_size_bytes=page_size_bytes)
    oracle.apply(path, *_scripts(page_size_bytes, seed=1, count=25), flags=("-no-sync", *flags))
    expected = oracle.dump(path)
    with bolt_store.open(path) as db:
        assert page_size_bytes == db.meta.page_size_bytes
        assert problems(db) == []
        assert expected == Dump.of(db)


@PAGE_SIZES
def test_a_file_made_by_python_reads_the_same_in_go_and_checks_clean(
    oracle: Oracle, tmp_path: Path, page_size_bytes: int
) -> None:
    scripts = _scripts(page_size_bytes, seed=2, count=25)
    path, twin = tmp_path / "python.bolt", tmp_path / "twin.bolt"
    oracle.init(twin, page_size_bytes=page_size_bytes)
    commits = oracle.apply(twin, *scripts, flags=["-no-sync"])
    with bolt_store.create(path, page_size_bytes=page_size_bytes) as db:
        for script, commit in zip(scripts, commits, strict=True):
            with db.update() as tx:
                assert commit.skipped == play(tx, script)
    with oracle.session() as session:
        require_sound(path, session, oracle.dump(twin))


def test_a_new_file_is_the_one_that_go_makes_byte_for_byte(oracle: Oracle, tmp_path: Path) -> None:
    oracle.init(tmp_path / "go.bolt", page_size_bytes=4096)
    bolt_store.create(tmp_path / "python.bolt", page_size_bytes=4096).close()
    assert (tmp_path / "go.bolt").read_bytes() == (tmp_path / "python.bolt").read_bytes()


@FREELISTS
def test_go_goes_on_with_a_file_whose_freelist_python_stored(
    oracle: Oracle, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    path = tmp_path / "x.bolt"
    oracle.init(path)
    oracle.apply(path, *_scripts(4096, seed=3, count=10), flags=flags)
    update(path, lambda tx: play(tx, Script().make(b"ours").put((b"ours",), b"k", b"v")))
    oracle.apply(path, Script().make(b"theirs").put((b"theirs",), b"k", b"v"), flags=flags)
    with oracle.session() as session:
        found = oracle.dump(path)
        require_sound(path, session, found)
    assert {b"k": b"v"} == found.model[b"ours"] == found.model[b"theirs"]


def _odd_backup(oracle: Oracle, folder: Path) -> Path:
    """Make a backup by Tx.WriteTo whose newest meta lies in slot 0 with an odd txid."""
    path, copy = folder / "x.bolt", folder / "backup.bolt"
    oracle.init(path)
    put = Script().make(b"a").put((b"a",), b"k", b"v")
    [first, second] = oracle.apply(path, put, put)
    assert (first.txid, second.txid) == (2, 3)
    oracle.backup(path, copy)
    return copy


def test_a_commit_on_a_backup_with_swapped_slots_is_read_by_go_and_continued(
    oracle: Oracle, tmp_path: Path
) -> None:
    path = _odd_backup(oracle, tmp_path)
    with bolt_store.open(path) as db:
        assert db.meta.txid == 3
        assert db.slot == 1, "the newest meta of this backup is in slot 0"
    update(
        path,
        lambda tx: tx.bucket(b"a").put(b"python", b"1"),
        lambda tx: tx.bucket(b"a").put(b"python", b"2"),
    )
    oracle.apply(path, *(Script().put((b"a",), b"go%d" % n, b"x" * 2000) for n in range(5)))
    expected = {b"k": b"v", b"python": b"2"} | {b"go%d" % n: b"x" * 2000 for n in range(5)}
    with oracle.session() as session:
        found = oracle.dump(path)
        require_sound(path, session, found)
    assert {b"a": expected} == found.model


def test_the_older_tree_of_a_backup_survives_a_commit_on_it(oracle: Oracle, tmp_path: Path) -> None:
    path = _odd_backup(oracle, tmp_path)
    before = oracle.dump(path)
    update(path, lambda tx: tx.bucket(b"a").put(b"python", b"x" * 9000))
    content = bytearray(path.read_bytes())
    with bolt_store.open(path) as db:
        newest = 1 - db.slot
    content[newest * 4096 + 16 : newest * 4096 + 80] = bytes(64)
    path.write_bytes(content)
    assert before == Dump.of_file(path)


@pytest.mark.parametrize("shuffle", [0, 5], ids=["ascending", "random"])
def test_a_large_bucket_made_by_go_reads_the_same(
    oracle: Oracle, tmp_path: Path, shuffle: int
) -> None:
    path = tmp_path / "large.bolt"
    oracle.fill(path, 20_000, "-no-sync", f"-shuffle={shuffle}", "-batch=3000")
    with bolt_store.open(path) as db, db.view() as tx:
        found = list(tx.bucket(b"data").items())
    assert [(fill_key(index), fill_value(index)) for index in range(20_000)] == found


def test_extreme_keys_names_and_values_pass_in_both_directions(
    oracle: Oracle, tmp_path: Path
) -> None:
    script = Script().make(b"b").make(b"b", b"n" * 70_000).sequence((b"b",), (1 << 64) - 1)
    script.put((b"b",), b"\0", b"").put((b"b",), b"\xff" * 32768, b"v" * 2_000_000)
    script.put((b"b", b"n" * 70_000), b"x", b"y").put((b"b",), b"k" * 32769, b"refused")
    path, twin = tmp_path / "python.bolt", tmp_path / "go.bolt"
    with bolt_store.create(path) as db, db.update() as tx:
        assert play(tx, script) == 1
    oracle.init(twin)
    [commit] = oracle.apply(twin, script)
    assert commit.skipped == 1
    expected = oracle.dump(twin)
    assert expected == Dump.of_file(twin)
    with oracle.session() as session:
        require_sound(path, session, expected)


def test_a_real_store_reads_the_same(level17_bolt: Path, oracle: Oracle) -> None:
    assert oracle.dump(level17_bolt) == Dump.of_file(level17_bolt)


def test_a_rewritten_real_store_is_sound_for_go(level21_bolt: Path, oracle: Oracle) -> None:
    before = oracle.dump(level21_bolt)
    copy = level21_bolt.with_name("copy.bolt")
    shutil.copyfile(level21_bolt, copy)

    def rewrite(tx: bolt_store.Tx) -> None:
        for _, bucket in tx.buckets():
            for key, value in bucket.items():
                assert value is not None
                bucket.delete(key)
                bucket.put(key, value)

    update(copy, rewrite, rewrite)
    with oracle.session() as session:
        require_sound(copy, session, before)


def test_the_writer_that_never_rests_writes_what_its_counter_says(
    oracle: Oracle, tmp_path: Path
) -> None:
    path = tmp_path / "loop.bolt"
    with oracle.loop(path, "-no-sync", "-slots=60") as stop:
        counter = stop()
    assert counter >= 1
    assert loop_model(counter, slots=60) == Dump.of_file(path).model
