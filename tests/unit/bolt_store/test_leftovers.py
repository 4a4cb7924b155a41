"""What lies on the pages that the newest state does not use."""

from pathlib import Path

import bolt_store
from bolt_store import DB

PAGE = 1024


def keys_left(path: Path) -> dict[bytes | None, set[bytes]]:
    found: dict[bytes | None, set[bytes]] = {}
    with bolt_store.open(path) as db:
        for leaf in bolt_store.leftover_leaves(db):
            found.setdefault(leaf.bucket, set()).update(leaf.keys)
    return found


def store(path: Path, *, value: bytes = b"v" * 40, count: int = 60) -> DB:
    """A file with a bucket of its own pages, and one that is inline."""
    db = bolt_store.create(path, page_size_bytes=PAGE)
    with db.update() as tx:
        large = tx.create_bucket(b"large")
        for number in range(count):
            large.put(b"%03d" % number, value)
        tx.create_bucket(b"small").put(b"inline", b"one")
    return db


def test_a_fresh_file_has_nothing_left_over(tmp_path: Path) -> None:
    bolt_store.create(tmp_path / "f", page_size_bytes=PAGE).close()
    assert keys_left(tmp_path / "f") == {}


def test_a_deleted_key_is_left_on_a_page_that_does_not_tell_its_bucket(tmp_path: Path) -> None:
    with store(tmp_path / "f") as db, db.update() as tx:
        tx.bucket(b"large").delete(b"030")
    left = keys_left(tmp_path / "f")
    assert b"030" in left[None]
    assert left[b"small"] == {b"inline"}  # the leaf of the root was written anew, too


def test_the_state_before_the_newest_is_read_as_a_whole(tmp_path: Path) -> None:
    with store(tmp_path / "f") as db:
        with db.update() as tx:
            tx.bucket(b"large").delete(b"030")
        older = db.view_older()
        assert older is not None
        assert older.bucket(b"large").get(b"030") == b"v" * 40
        with db.view() as now:
            assert now.bucket(b"large").get(b"030") is None


def test_there_is_no_older_state_behind_a_damaged_meta(tmp_path: Path) -> None:
    path = tmp_path / "f"
    store(path).close()
    content = bytearray(path.read_bytes())
    with bolt_store.open(path) as db:
        content[db.slot * PAGE + 70] ^= 1
    path.write_bytes(content)
    with bolt_store.open(path) as db:
        assert db.view_older() is None


def test_a_run_whose_end_is_used_again_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with bolt_store.create(path, page_size_bytes=PAGE) as db:
        for values in ((b"short", b"long" * 1000), (b"short", b"gone")):
            with db.update() as tx:
                bucket = (
                    tx.bucket(b"large") if tx.has_bucket(b"large") else tx.create_bucket(b"large")
                )
                for key, value in zip((b"first", b"last"), values, strict=True):
                    bucket.put(key, value)
    assert {b"first", b"last"} <= keys_left(path)[None]
    content = bytearray(path.read_bytes())
    at = next(
        at
        for at in range(2 * PAGE, len(content), PAGE)
        if content[at + 8] == 2 and int.from_bytes(content[at + 12 : at + 16], "little")
    )
    content[at + 12 : at + 16] = bytes(4)  # as if the next page were in use
    path.write_bytes(content)
    assert keys_left(path)[None] == {b"first"}


def test_a_page_that_is_no_leaf_any_more_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with store(path) as db, db.update() as tx:
        tx.bucket(b"large").delete(b"030")
    content = bytearray(path.read_bytes())
    with bolt_store.open(path) as db:
        pages = {leaf.pgid for leaf in bolt_store.leftover_leaves(db)}
    for pgid in pages:
        content[pgid * PAGE] ^= 0xFF
    path.write_bytes(content)
    assert keys_left(path) == {}
